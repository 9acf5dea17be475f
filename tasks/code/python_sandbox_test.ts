import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { testWithPython } from "../../tests/support/python.ts";
import { DataError } from "../data/data_error.ts";
import { BUBBLEWRAP, judgePython, PYTHON_LIMITS, requirePython } from "./python_sandbox.ts";

/** A minute on the clock: a busy machine is no reason to be late. */
const limits = { ...PYTHON_LIMITS, cpuSeconds: 1, milliseconds: 60_000 };
const tests = "def check(candidate):\n    assert candidate(2) == 3\n    assert candidate(40) == 41\n";
const judge = (program: string, of = tests) => judgePython({ program, tests: of, entryPoint: "f" }, limits);

testWithPython("judgePython() tells programs that pass from those that fail, hang or leave", async () => {
  const wanted: Record<string, string> = {
    "f = lambda x: x + 1": "passed",
    "def f(x):\n  print('x' * 10**6)\n  return x + 1": "passed",
    "import os; print(dict(os.environ))\ndef f(x): return x + ('HOME' not in os.environ)": "passed",
    "f = lambda x: x": "threw",
    "f = lambda x: 3": "threw",
    "f = lambda x: x // 0": "threw",
    "g = lambda x: x + 1": "threw",
    "f = 3": "threw",
    "def f(x): return input()": "threw",
    "async def f(x): return x + 1": "threw",
    "x = ": "threw",
    "\0": "threw",
    "'\ud800'\nf = lambda x: x": "threw",
    "": "threw",
    "import sys; sys.exit(0)": "threw",
    "raise KeyboardInterrupt": "threw",
    "while True: pass": "endless",
    "def f(x):\n  while True: pass": "endless",
  };
  for (const [source, outcome] of Object.entries(wanted)) {
    assertEquals(
      await judge(source),
      outcome,
      source,
    );
  }
  const sleep = { program: "import time\ndef f(x): time.sleep(1000)", tests, entryPoint: "f" };
  assertEquals(await judgePython(sleep, { ...limits, milliseconds: 500 }), "late");
});

testWithPython("judgePython() lets plain data cross both ways, exact to the type and the bit", async () => {
  const values = [
    ...["None", "True", "False", "0", "-1", "2**200", "10**5000", "1.5", "-0.0", "1e-320", "float('inf')"],
    ...[
      "0.1 + 0.2",
      "1j",
      "complex(-0.0, 2)",
      "''",
      "'a\\nb\\0'",
      "'\\ud800'",
      "'\\U0001f600'",
      "b'\\0\\xff'",
    ],
    ...["[]", "[[1], [2.0, [True]]]", "()", "(1, (2,))", "{}", "{1: 'a', (2, 3): [4], None: {}}", "set()"],
    ...[
      "{1, 2, 3}",
      "frozenset({1})",
      "{'dict': 1}",
      "{'tuple': [1]}",
      "Fraction(1, 3)",
      "Decimal('1.10')",
    ],
  ];
  const imports = "from decimal import Decimal\nfrom fractions import Fraction\n";
  const program = `${imports}values = [${values}]\ndef f(i, value, **named):\n` +
    "    assert type(value) is type(values[i]) and repr(value) == repr(values[i]) == repr(named['again'])\n" +
    "    return values[i]\n";
  const check = `${imports}def check(candidate):\n    for i, value in enumerate([${values}]):\n` +
    "        got = candidate(i, value, again=value)\n" +
    "        assert type(got) is type(value) and repr(got) == repr(value)\n" +
    "    nan = candidate(0, None, again=None)\n";
  assertEquals(await judge(program, check), "passed");
  assertEquals(await judge("f = lambda: float('nan')", "def check(f): assert f() != f()"), "passed");
});

testWithPython("judgePython() takes of a subclass what its base holds, of an object nothing", async () => {
  const same: Record<string, string> = {
    "from collections import Counter; f = lambda: Counter('aab')": "{'a': 2, 'b': 1}",
    "from collections import defaultdict; f = lambda: defaultdict(list, a=[1])": "{'a': [1]}",
    "from collections import namedtuple; f = lambda: namedtuple('P', 'x y')(1, 2)": "(1, 2)",
    "from enum import IntEnum; f = lambda: IntEnum('E', 'a b').b": "2",
    "f = lambda: bytearray(b'a')": "b'a'",
  };
  for (const [program, value] of Object.entries(same)) {
    assertEquals(await judge(program, `def check(f): assert f() == ${value}`), "passed", program);
  }
  for (const value of ["object()", "range(3)", "iter([1])", "{1: 2}.keys()", "print", "int", "f"]) {
    const refused = "def check(f):\n  try: f()\n  except TypeError: pass\n  else: assert False";
    assertEquals(await judge(`f = lambda: ${value}`, refused), "passed", value);
  }
});

testWithPython("judgePython() raises a program's errors among its tests, by name", async () => {
  const raises = (program: string, error: string) =>
    judge(program, `def check(f):\n  try: f(1)\n  except ${error}: return\n  assert False`);
  assertEquals(await raises("def f(x): raise ValueError('no')", "ValueError"), "passed");
  assertEquals(await raises("def f(x): raise KeyError('no')", "LookupError"), "passed");
  assertEquals(await raises("def f(x): return ''.encode('ascii') + b'\\xff'.decode()", "TypeError"), "threw");
  assertEquals(await raises("def f(x): return b'\\xff'.decode()", "UnicodeDecodeError"), "passed");
  assertEquals(await raises("class Own(Exception): pass\ndef f(x): raise Own", "Exception"), "passed");
  assertEquals(await raises("class Own(Exception): pass\ndef f(x): raise Own", "ValueError"), "threw");
  assertEquals(await raises("class Own(ValueError): pass\ndef f(x): raise Own", "ValueError"), "passed");
  assertEquals(await raises("def f(x): raise SystemExit", "BaseException"), "threw");
});

testWithPython("judgePython() judges what hangs on the order of a set the same each time", async () => {
  assertEquals(await judge("f = hash", "def check(f): assert f('a') == hash('a')"), "passed");
});

testWithPython("judgePython() hands arguments by value, and keeps state between calls", async () => {
  const check =
    "def check(f):\n  xs = [2, 1]\n  assert f(xs) == 1\n  assert xs == [2, 1]\n  assert f(xs) == 2";
  assertEquals(
    await judge("n = 0\ndef f(xs):\n  global n\n  xs.clear()\n  n += 1\n  return n", check),
    "passed",
  );
});

/** What programs import. */
const LIBRARY =
  "bisect, collections, copy, dataclasses, datetime, decimal, enum, fractions, functools, hashlib, " +
  "heapq, itertools, json, math, operator, random, re, statistics, string, typing";

testWithPython("judgePython() lets programs import the standard library alone", async () => {
  assertEquals(await judge(`import ${LIBRARY}\ndef f(x): return x + 1`), "passed");
  assertEquals(await judge("import numpy\ndef f(x): return x + 1"), "threw");
});

/** What a script says that asks whether programs can be judged here: with no permission but to run bubblewrap. */
async function asked(inside: readonly string[]): Promise<{ code: number; stdout: string }> {
  const script = `
    import { requirePython } from ${JSON.stringify(new URL("./python_sandbox.ts", import.meta.url).href)};
    try { await requirePython("go on"); console.log("it can"); } catch (error) { console.log(String(error)); }
  `;
  const root = decodeURIComponent(new URL("../..", import.meta.url).pathname);
  const deno = [
    Deno.execPath(),
    "run",
    "--no-prompt",
    `--allow-run=${BUBBLEWRAP}`,
    "--config",
    `${root}deno.json`,
    "-",
  ];
  const child = new Deno.Command(BUBBLEWRAP, {
    args: ["--dev-bind", "/", "/", ...inside, "--", ...deno],
    cwd: root,
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(script));
  await writer.close();
  const { code, stdout } = await child.output();
  return { code, stdout: new TextDecoder().decode(stdout) };
}

testWithPython("requirePython() needs leave to run bubblewrap and nothing else", async () => {
  assertEquals(await asked([]), { code: 0, stdout: "it can\n" });
});

testWithPython("requirePython() refuses where there is no bubblewrap, Python or sandbox", async () => {
  const cannot = "DataError: Cannot go on: Python programs are to be run in a sandbox, and ";
  const refused = async (inside: readonly string[], reason: string) => {
    const { stdout } = await asked(inside);
    assertEquals(stdout.match(/\n/g)?.length, 1, stdout);
    assertStringIncludes(stdout, cannot + reason);
  };
  await refused(
    ["--tmpfs", "/usr/bin"],
    `${BUBBLEWRAP} can't be started, there is no such file or folder: install `,
  );
  const makesNone = `${BUBBLEWRAP} makes none with Python here; it said: `;
  await refused(["--tmpfs", "/usr/bin", "--ro-bind", BUBBLEWRAP, BUBBLEWRAP], makesNone);
  await refused(["--unshare-user", "--disable-userns"], `${makesNone}bwrap: `);
});

Deno.test("requirePython() refuses by name where running bubblewrap is not allowed", {
  permissions: "none",
}, async () => {
  await assertRejects(() => requirePython("go on"), DataError, `(--allow-run=${BUBBLEWRAP})`);
});
