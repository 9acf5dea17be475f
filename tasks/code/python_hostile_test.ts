/** @file Programs that try to get out of the sandbox, to last, to lie about their verdict or to use up the machine. */
import { assert, assertEquals, assertGreater } from "@std/assert";
import { testWithPython } from "../../tests/support/python.ts";
import {
  BUBBLEWRAP,
  judgePython,
  PYTHON_LIMITS,
  type PythonLimits,
  type PythonOutcome,
} from "./python_sandbox.ts";

/** No other process of the machine has this number on its command line. */
const memory = PYTHON_LIMITS.memory + 4096 * crypto.getRandomValues(new Uint16Array(1))[0]!;
/** A minute on the clock: a busy machine is no reason to be late. */
const limits: PythonLimits = { cpuSeconds: 1, memory, milliseconds: 60_000 };

/** For many deeds in one program. */
const PLENTY: PythonLimits = { ...limits, cpuSeconds: 20 };

/** What no program here is right by. */
const RIGHT = "def check(f):\n    assert f(2) == 3\n    assert f(40) == 41\n";
/** A raw system call by its number on this machine, or one that does not exist. */
function raw(x86: number, arm: number, ...given: number[]): string {
  const number = Deno.build.arch === "x86_64" ? x86 : arm;
  return `import ctypes\nassert ctypes.CDLL(None).syscall(${[number, ...given].join(", ")}) >= 0`;
}

/**
 * Deeds, and the error that each meets. FILE is a file of the user, FOLDER the folder that it is in.
 *
 * A deed that the kernel refuses is a PermissionError, a file that is not there a FileNotFoundError.
 */
const DEEDS: readonly (readonly [deed: string, error: string])[] = [
  // The user's files.
  ["import os; os.remove(FILE)", "PermissionError"],
  ["import os; os.unlink(FILE)", "PermissionError"],
  ["open(FILE).read()", "FileNotFoundError"],
  ["open(FILE, 'w')", "FileNotFoundError"],
  ["import os; os.open(FILE, os.O_RDWR | os.O_TRUNC)", "FileNotFoundError"],
  ["import shutil; shutil.rmtree(FOLDER)", "FileNotFoundError"],
  ["import os; os.rename(FILE, FILE + '2')", "PermissionError"],
  ["import os; os.truncate(FILE, 0)", "PermissionError"],
  ["import os; os.chmod(FILE, 0)", "PermissionError"],
  ["import os; os.link(FILE, '/tmp/x')", "PermissionError"],
  ["import os; os.symlink(FILE, '/tmp/x')", "PermissionError"],
  ["import pathlib; pathlib.Path(FILE).read_bytes()", "FileNotFoundError"],
  ["import os; os.chdir(FOLDER)", "PermissionError"],
  ["import os; os.chroot('/')", "PermissionError"],
  // The machine's.
  ["open('/etc/passwd').read()", "FileNotFoundError"],
  ["open('../../../../etc/shadow').read()", "FileNotFoundError"],
  ["import os; os.listdir('/home')", "FileNotFoundError"],
  ["import os; os.listdir('/root')", "FileNotFoundError"],
  ["import os; os.listdir('/usr/bin'); os.listdir('/usr/local')", "FileNotFoundError"],
  ["import os; assert set(os.listdir('/')) - {'tmp', 'dev', 'usr', 'lib', 'lib64'}", "AssertionError"],
  ["import os; assert os.listdir('/dev') != ['null']", "AssertionError"],
  ["import os; assert os.listdir('/tmp')", "AssertionError"],
  ["import pwd; pwd.getpwuid(0)", "KeyError"],
  ["import os; os.environ['PATH']", "KeyError"],
  ["import os; os.environ['HOME']", "KeyError"],
  // Writing anywhere.
  ["open('/tmp/x', 'w')", "OSError"],
  ["open('x', 'w')", "OSError"],
  ["open('/x', 'w')", "OSError"],
  ["open('/usr/lib/x', 'w')", "OSError"],
  ["import os; open(os.__file__, 'a')", "OSError"],
  ["open('/dev/x', 'w')", "OSError"],
  ["open('/dev/shm/x', 'w')", "FileNotFoundError"],
  ["open('/dev/mem', 'r+b')", "FileNotFoundError"],
  ["import os; os.mkdir('/tmp/x')", "PermissionError"],
  ["import os; os.mkfifo('/tmp/x')", "PermissionError"],
  ["import os, stat; os.mknod('/tmp/x', stat.S_IFBLK | 0o666, os.makedev(8, 0))", "PermissionError"],
  ["import tempfile; tempfile.TemporaryFile()", "FileNotFoundError"],
  ["import os; os.memfd_create('x')", "PermissionError"],
  // /proc.
  ["import os; os.listdir('/proc')", "FileNotFoundError"],
  ["open('/proc/1/mem', 'r+b')", "FileNotFoundError"],
  ["open('/proc/self/mem', 'r+b')", "FileNotFoundError"],
  ["import os; os.listdir('/proc/self/fd')", "FileNotFoundError"],
  ["open('/proc/sys/kernel/core_pattern', 'w')", "FileNotFoundError"],
  ["import os; os.listdir('/sys/fs/cgroup')", "FileNotFoundError"],
  // More processes, that outlive the run or not.
  ["import os; os.fork()", "PermissionError"],
  ["import os; os.forkpty()", "OSError"],
  ["import os; os.setsid()", "PermissionError"],
  [
    "import os\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: __import__('time').sleep(1000)",
    "PermissionError",
  ],
  ["import os; assert os.system('true') == 0", "AssertionError"],
  ["import os; os.posix_spawn('/usr/bin/python3', ['python3'], {})", "PermissionError"],
  ["import os; os.execv('/usr/bin/python3', ['python3', '-c', ''])", "PermissionError"],
  ["import subprocess; subprocess.run(['/usr/bin/python3', '-c', ''])", "PermissionError"],
  ["import subprocess; subprocess.Popen('true', shell=True, start_new_session=True)", "PermissionError"],
  ["import threading; threading.Thread(target=print).start()", "RuntimeError"],
  ["import multiprocessing; multiprocessing.get_context('fork').Process(target=print).start()", "OSError"],
  // Signals to others: the host, and the sandbox's own first process.
  ["import os; os.kill(os.getppid(), 9)", "PermissionError"],
  ["import os; os.kill(1, 15)", "PermissionError"],
  ["import os; os.kill(-1, 9)", "PermissionError"],
  ["import os; os.killpg(0, 9)", "PermissionError"],
  ["import os, signal; signal.pidfd_send_signal(os.pidfd_open(1), 9)", "PermissionError"],
  // The network.
  ["import socket; socket.socket()", "PermissionError"],
  ["import socket; socket.create_connection(('127.0.0.1', PORT), 1)", "PermissionError"],
  ["import socket; socket.socket(socket.AF_UNIX).connect('\\0abstract')", "PermissionError"],
  ["import socket; socket.socketpair()", "PermissionError"],
  ["import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)", "PermissionError"],
  ["import urllib.request; urllib.request.urlopen('http://127.0.0.1:PORT')", "OSError"],
  // More than it is given.
  ["import resource; resource.setrlimit(resource.RLIMIT_CPU, (-1, -1))", "ValueError"],
  ["import os; os.nice(-20)", "PermissionError"],
  ["import os; os.setuid(0)", "PermissionError"],
  ["import os; os.setgroups([0])", "PermissionError"],
  ["import os; os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))", "PermissionError"],
  ["import os; os.setxattr('/tmp', 'user.x', b'')", "PermissionError"],
  ["import time; time.clock_settime(time.CLOCK_REALTIME, 0)", "PermissionError"],
  ["import signal; signal.setitimer(signal.ITIMER_REAL, 1)", "OSError"],
  ["import mmap; mmap.mmap(-1, 2**31)", "OSError"],
  ["bytearray(2**31)", "MemoryError"],
  ["import os; os.pipe()", "PermissionError"],
  // By the kernel's own numbers, past Python: ptrace, process_vm_readv, unshare, mount, keyctl, shmget, mq_open,
  // io_uring_setup, bpf, perf_event_open, userfaultfd, seccomp, prctl, init_module, reboot, clone.
  [raw(101, 117, 16, 1, 0, 0), "AssertionError"],
  [raw(310, 270, 1, 0, 0, 0, 0, 0), "AssertionError"],
  [raw(272, 97, 0x10000000), "AssertionError"],
  [raw(165, 40, 0, 0, 0, 0, 0), "AssertionError"],
  [raw(250, 219, 0, -3, 1), "AssertionError"],
  [raw(29, 194, 0, 2 ** 30, 0o1600), "AssertionError"],
  [raw(240, 180, 0, 0o102, 0o600, 0), "AssertionError"],
  [raw(425, 425, 1, 0), "AssertionError"],
  [raw(321, 280, 0, 0, 0), "AssertionError"],
  [raw(298, 241, 0, 0, -1, -1, 0), "AssertionError"],
  [raw(323, 282, 0), "AssertionError"],
  [raw(317, 277, 0, 0, 0), "AssertionError"],
  [raw(157, 167, 4, 1), "AssertionError"],
  [raw(175, 105, 0, 0, 0), "AssertionError"],
  [raw(169, 142, 0, 0, 0), "AssertionError"],
  [raw(56, 220, 17, 0, 0, 0, 0), "AssertionError"],
  // The same by the numbers of the x32 kind, which no filter of x86-64's own numbers sees.
  [raw(0x40000000 + 39, 2 ** 30), "AssertionError"],
  // Looking for the tests and for their answers.
  ["import gc\n[o for o in gc.get_objects() if getattr(o, '__name__', '') == 'candidate'][0]", "IndexError"],
  ["import sys; sys._getframe(1).f_globals['check']", "KeyError"],
  ["import __main__; __main__.judge", "AttributeError"],
  [
    "import sys\nframe = sys._getframe()\nwhile frame: frame.f_locals.get('expected'); frame = frame.f_back\nexpected",
    "NameError",
  ],
];

/** A function that does the deed of a number. */
function doing(deeds: typeof DEEDS): string {
  return `deeds = ${JSON.stringify(deeds.map(([deed]) => deed))}\ndef f(i): exec(deeds[i], {})\n`;
}

/** Tests that hold where each deed has met its error, and so got that far and no further. */
function refusing(deeds: typeof DEEDS): string {
  return `def check(f):\n    for i, error in enumerate([${deeds.map(([, error]) => error)}]):\n` +
    "        try: f(i)\n        except error: continue\n        assert False\n";
}

/** Says at once, or in place of an answer, what is given as an expression: KEY is the call's, in quotes. */
const saying = (line: string) =>
  "import __main__\ndef say(message):\n    KEY = __main__.json.dumps(message[0])\n" +
  `    __main__.outgoing.write(${line})\n    __main__.outgoing.flush()\n__main__.send = say\nf = lambda x: x\n`;
/** Writes to every descriptor there may be. */
const everywhere = (bytes: string) =>
  `import os\nfor fd in range(3, 64):\n    try: os.write(fd, ${bytes})\n    except OSError: pass\n`;
/** Returns an object of a class that has this body and is made of `base`. */
const liar = (base: string, body: string) => `class Liar(${base}):\n    ${body}\nf = lambda x: Liar(x)\n`;

/** Programs whose function is wrong and that are to pass all the same. */
const FORGERIES: readonly string[] = [
  // Verdicts of all kinds, and of the sandbox before this one.
  "import __main__; __main__.code = 0; raise SystemExit",
  `import __main__\nword = getattr(__main__, 'word', b'')\n${everywhere("word")}os._exit(0)`,
  "import __main__, os\n__main__.kinds = frozenset()\nos.remove(FILE)",
  ...["os._exit(0)", "os._exit(10)", "sys.exit(10)", "os.abort()"].map((exit) => `import os, sys\n${exit}`),
  "import os\ndef f(x): os._exit(10)",
  "import atexit, os\natexit.register(os._exit, 10)\nraise SystemExit",
  "import __main__; __main__.PASSED = __main__.FAILED = 10; f = lambda x: x",
  "import sys; sys.excepthook = lambda *_: __import__('os')._exit(10)\nraise ValueError",
  "import os\nclass Last:\n    def __del__(self): os._exit(10)\nlast = Last()\nf = lambda x: x",
  "import sys\nsys.settrace(lambda *_: None); sys.setprofile(lambda *_: None); sys.addaudithook(lambda *_: None)\nf = lambda x: x",
  "import builtins; builtins.AssertionError = builtins.Exception = type('E', (BaseException,), {})\nf = lambda x: x",
  "import builtins; builtins.exec = builtins.compile = builtins.getattr = lambda *_: None\nf = lambda x: x",
  "import sys; sys.modules.clear()\nf = lambda x: x",
  "import json; json.loads = json.dumps = lambda *_, **__: '[]'\nf = lambda x: x",
  "import gc\nfor o in gc.get_objects():\n    if isinstance(o, dict) and 'FAILED' in o: o['FAILED'] = 10\nf = lambda x: x",
  "import ctypes; ctypes.string_at(0)\nf = lambda x: x",
  "import ctypes; ctypes.pythonapi.Py_Exit(10)",
  "import ctypes; ctypes.CDLL(None)._exit(10)",
  // Objects that lie about themselves.
  liar("object", "__init__ = lambda *_: None; __eq__ = lambda *_: True"),
  liar("object", "__init__ = lambda *_: None; __class__ = int; __eq__ = lambda *_: True"),
  liar("int", "__eq__ = lambda *_: True; __hash__ = int.__hash__"),
  liar("int", "__repr__ = lambda _: '3'; __int__ = __index__ = lambda _: 3"),
  liar("float", "__eq__ = lambda *_: True; __hash__ = float.__hash__"),
  "class Liar(list):\n    __eq__ = lambda *_: True\nf = lambda x: Liar([x])",
  "class Liar(dict):\n    __eq__ = lambda *_: True\nf = lambda x: Liar()",
  "class Liar(type):\n    __eq__ = lambda *_: True; __hash__ = type.__hash__\nf = lambda x: Liar('L', (), {})",
  "f = lambda x: float('nan')",
  "from unittest.mock import ANY\nf = lambda x: ANY",
  ...[
    "lambda: 3",
    "range(3)",
    "iter([3])",
    "(i for i in [3])",
    "type",
    "f",
    "__import__('sys')",
    "Ellipsis",
    "NotImplemented",
  ]
    .map((value) => `f = lambda x: ${value}`),
  "async def f(x): return x + 1",
  "def f(x):\n    xs = []\n    xs.append(xs)\n    return xs",
  "def f(x):\n    xs = []\n    for _ in range(10**5): xs = [xs]\n    return xs",
  "f = lambda x: ' ' * 10**7",
  "f = lambda x: 'x' * 10**10",
  "f = lambda x: '\\ud800'",
  // Lines that are none of an answer.
  ...[
    "b'\\n'",
    "b'\\0\\n'",
    "b'\\xff\\n'",
    "b'null\\n'",
    "b'{}\\n'",
    "b'[]\\n'",
    "b'3\\n'",
    "b'ready\\n'",
    "b'\"ready\"\\n'",
  ]
    .map(saying),
  ...["b'[' * 10**6 + b'\\n'", "b'[' * 10**6 + b']' * 10**6 + b'\\n'", "b'9' * 10**6 + b'\\n'"].map(
    saying,
  ),
  ...["b'x' * 10**7", "b' ' * 10**7 + b'\\n'", "b'\"' + b'x' * 10**7 + b'\"\\n'"].map(saying),
  // UTF-16, and two values on a line.
  ...["'[1]\\n'.encode('utf-16')", '(f\'[{KEY}, "returned", 3] [{KEY}, "returned", 3]\\n\').encode()'].map(
    saying,
  ),
  ...[
    // Answers that are wrong in what they are called or in their number.
    ...[
      '{}, "passed", 3',
      "{}, 0, 3",
      '{}, "returned"',
      '{}, "returned", 3, 3',
      '{}, ["returned"], 3',
      '[{}], "returned", 3',
    ],
    ...['0, "returned", 3', 'null, "returned", 3', 'true, "returned", 3', '"", "returned", 3'],
    // Errors that are none, or that would end the side of the tests.
    ...[
      "SystemExit",
      "KeyboardInterrupt",
      "GeneratorExit",
      "BaseException",
      "object",
      "quit",
      "__import__",
      "no.name",
      "",
    ]
      .map((name) => `{}, "raised", "${name}"`),
    ...[
      '{}, "raised", 3',
      '{}, "raised", null',
      '{}, "raised", ["ValueError"]',
      `{}, "raised", "${"x".repeat(2000)}"`,
    ],
    // Values of no kind, or not what their kind says.
    ...[
      '{"int": "3"}',
      '{"object": []}',
      '{"__class__": "int"}',
      '{"tuple": 3}',
      '{"tuple": "3"}',
      '{"set": [[3]]}',
    ]
      .map((value) => `{}, "returned", ${value}`),
    ...[
      '{"dict": [3]}',
      '{"dict": {"dict": []}}',
      '{"dict": [[[], 3]]}',
      '{"bytes": "zz"}',
      '{"bytes": [3]}',
      '{"complex": [3]}',
    ]
      .map((value) => `{}, "returned", ${value}`),
    ...[
      '{"complex": ["3", 0]}',
      '{"fraction": [3, 0]}',
      '{"fraction": ["3"]}',
      '{"decimal": "x"}',
      '{"decimal": "sNaN"}',
    ]
      .map((value) => `{}, "returned", ${value}`),
    ...[
      '{"decimal": "1e999999999"}',
      '{"tuple": [], "set": []}',
      '{"tuple": [], "tuple": []}',
      "{}",
      "NaN",
      "Infinity",
    ]
      .map((value) => `{}, "returned", ${value}`),
  ].map((answer) => saying(`('[' + ${JSON.stringify(answer)}.replace('{}', KEY, 1) + ']\\n').encode()`)),
  // Answers ahead of the call, and to the call before.
  `${everywhere(`b'["", "returned", 3]\\n["", "returned", 41]\\n'`)}f = lambda x: x`,
  `${everywhere(`b'["", "returned", 3]\\n' * 1000`)}os._exit(10)`,
  saying(`(f'[{KEY}, "returned", 3]\\n[{KEY}, "returned", 41]\\n').encode()`),
  // It reads the calls itself, and answers twice or not at all.
  "import __main__\nwhile True:\n    key, *_ = __main__.receive()\n    __main__.send([key, 'returned', 3])\n    __main__.send([key, 'returned', 41])",
  "import os\nos.closerange(0, 64)\nf = lambda x: x",
  "import os\nfor fd in range(3, 64):\n    try: os.dup2(1, fd)\n    except OSError: pass\nf = lambda x: x",
];

/** Programs that use up what there is, and how each ends. */
const FLOODS: readonly (readonly [program: string, outcome: PythonOutcome])[] = [
  ["while True: print('x' * 10**6)", "endless"],
  ["import sys\nwhile True: sys.stderr.write('x' * 10**6)", "endless"],
  ["import os\nwhile True: os.write(1, b'x' * 10**6)", "endless"],
  [`${everywhere("b'x' * 10**9")}f = lambda x: x`, "threw"],
  [`while True:\n    ${everywhere("b'x' * 10**6").replaceAll("\n", "\n    ")}`, "threw"],
  [saying(`b'["", "returned", 3]\\n' * 10**7`), "threw"],
  ["import os\nwhile True: os.fork()", "threw"],
  ["import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", "endless"],
  ["xs = []\nwhile True: xs.append('x' * 10**6 + str(len(xs)))", "threw"],
  ["xs = []\nwhile True:\n    try: xs.append(bytearray(10**6))\n    except MemoryError: pass", "endless"],
  ["import mmap\nmaps = []\nwhile True: maps.append(mmap.mmap(-1, 2**24))", "threw"],
  ["import os\nn = 0\nwhile True:\n    open(f'/tmp/{n}', 'w'); n += 1", "threw"],
  ["import os\nfor n in range(10**6): os.dup(0)", "threw"],
  [
    "import signal\nfor n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n    except (OSError, ValueError): pass\nwhile True: pass",
    "endless",
  ],
  ["import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass", "endless"],
  ["import re\nre.match('(a+)+$', 'a' * 100 + 'b')", "endless"],
  ["import sys\nsys.setrecursionlimit(10**9)\ndef f(x): return f(x)", "threw"],
  ["f = lambda x: x.append", "threw"],
];

/** Programs that would never end and use next to nothing. */
const WAITING = [
  "import time\ntime.sleep(1000)",
  "import __main__\n__main__.receive(); __main__.receive()",
  saying("b''"),
  saying("b'['"),
];

testWithPython("judgePython() lets no hostile program pass, reach a user's file or stay", async () => {
  const folder = await Deno.makeTempDir(), file = `${folder}/canary`;
  await Deno.writeTextFile(file, "the user's");
  using server = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const fill = (program: string) =>
    program.replaceAll("FILE", `'${file}'`).replaceAll("FOLDER", `'${folder}'`)
      .replaceAll("PORT", String(server.addr.port));
  /** What came out otherwise than it should. */
  const through: string[] = [];
  const judge = async (program: string, wanted: PythonOutcome, tests = RIGHT, within = limits) => {
    const outcome = await judgePython({ program: fill(program), tests, entryPoint: "f" }, within);
    if (outcome !== wanted) through.push(`${outcome}, not ${wanted}: ${program}`);
  };
  try {
    await judge(doing(DEEDS), "passed", refusing(DEEDS), PLENTY);
    // Which of them did it.
    if (through.length > 0) {
      for (const deed of DEEDS) await judge(doing([deed]), "passed", refusing([deed]), PLENTY);
    }
    for (const program of FORGERIES) await judge(program, "threw");
    for (const [program, outcome] of FLOODS) await judge(program, outcome);
    for (const program of WAITING) await judge(program, "late", RIGHT, { ...limits, milliseconds: 500 });
    assertEquals(through, []);
    assertGreater(DEEDS.length + FORGERIES.length + FLOODS.length + WAITING.length, 150);
    assertEquals(await Deno.readTextFile(file), "the user's");
    assertEquals([...Deno.readDirSync(folder)].length, 1);
    assertEquals(await survivors(), []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

testWithPython("judgePython() makes no value of what is not written as its kind is", async () => {
  for (
    const [written, value] of [
      ['{"tuple": "3"}', "('3',)"],
      ['{"set": "3"}', "{'3'}"],
      ['{"dict": ["ab"]}', "{'a': 'b'}"],
      ['{"fraction": "3"}', "3"],
      ['{"fraction": ["3"]}', "3"],
      ['{"complex": ["3"]}', "3"],
      ['{"decimal": 3}', "3"],
      ['{"tuple": [1], "tuple": [3]}', "(3,)"],
    ]
  ) {
    const program = saying(`(f'[{KEY}, "returned", ' + '${written}' + ']\\n').encode()`);
    const outcome = await judgePython({
      program,
      tests: `def check(f): assert f() == ${value}`,
      entryPoint: "f",
    }, limits);
    assertEquals(outcome, "threw", written);
  }
});

testWithPython("judgePython()'s processes end with the one that called it, however that ends", async () => {
  const script = `
    import { judgePython } from ${JSON.stringify(new URL("./python_sandbox.ts", import.meta.url).href)};
    const trial = ${JSON.stringify({ program: WAITING[0], tests: RIGHT, entryPoint: "f" })};
    await judgePython(trial, ${JSON.stringify(limits)});
  `;
  const root = decodeURIComponent(new URL("../..", import.meta.url).pathname);
  const child = new Deno.Command("deno", {
    args: ["run", "--no-prompt", `--allow-run=${BUBBLEWRAP}`, "--config", `${root}deno.json`, "-"],
    cwd: root,
    stdin: "piped",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(script));
  await writer.close();
  const ended = child.status.then(() => true);
  while ((await processes()).length === 0) {
    const early = await Promise.race([
      ended,
      new Promise<false>((resolve) => setTimeout(resolve, 100, false)),
    ]);
    assert(!early, "it ended before it was killed");
  }
  child.kill("SIGKILL");
  await ended;
  assertEquals(await survivors(), []);
});

/** Command lines of this test's processes that are still there, once the kernel has had time to take them away. */
async function survivors(): Promise<string[]> {
  let found = await processes();
  for (let attempt = 0; attempt < 100 && found.length > 0; attempt++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    found = await processes();
  }
  return found;
}

/** Command lines of this test's processes: Python's, and bubblewrap's around it. */
async function processes(): Promise<string[]> {
  const { stdout } = await new Deno.Command("sh", {
    args: ["-c", `for f in /proc/[0-9]*/cmdline; do tr '\\0\\n' '  ' <$f; echo; done 2>/dev/null`],
  }).output();
  return new TextDecoder().decode(stdout).split("\n").filter((line) => line.includes(` ${memory} `));
}
