import { assert, assertEquals, assertRejects } from "@std/assert";
import { sharedData } from "../../tests/shared_data.ts";
import { PYTHON, PYTHON_LIMITS, runPython } from "./python_sandbox.ts";

Deno.test("runPython() refuses by name where running Python is not allowed", {
  permissions: { read: true, write: true },
}, async () => {
  await assertRejects(() => runPython("1"), Error, `--allow-run=${PYTHON} is needed`);
});

const limits = { ...PYTHON_LIMITS, cpuSeconds: 1, milliseconds: 4000 };

/** Runs a test's body in a process that may run Python, as `deno task` would; returns what it prints. */
async function outcomesOf(sources: readonly string[]): Promise<string[]> {
  const module = new URL("./python_sandbox.ts", import.meta.url).href;
  const script = `import { runPython } from ${JSON.stringify(module)};
    const out = [];
    for (const source of ${JSON.stringify(sources)}) out.push(await runPython(source, ${
    JSON.stringify(limits)
  }));
    console.log(JSON.stringify(out));`;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, script);
    const { stdout, stderr } = await new Deno.Command("deno", {
      args: [
        ...["run", "--no-prompt", "--no-config", "--no-lock", "--allow-read", "--allow-write"],
        ...[`--allow-run=${PYTHON}`, file],
      ],
    }).output();
    assertEquals(new TextDecoder().decode(stderr).match(/error.*/)?.[0], undefined);
    return JSON.parse(new TextDecoder().decode(stdout));
  } finally {
    await Deno.remove(file);
  }
}

function hasPython(): boolean {
  try {
    return Deno.statSync(PYTHON).isFile;
  } catch {
    return false;
  }
}

Deno.test("runPython() contains what fails, hangs, leaves early or lies about it", async () => {
  if (!hasPython()) return;
  const wanted: Record<string, string> = {
    "assert 1 + 1 == 2": "passed",
    "assert 1 + 1 == 3": "threw",
    "x = ": "threw",
    "import os; os._exit(0)": "threw",
    "import sys; sys.exit(0)": "threw",
    "print('passed'); raise ValueError": "threw",
    "import os; os.kill(os.getppid(), 9)": "threw",
    "import socket; socket.create_connection(('127.0.0.1', 1), 1)": "threw",
    "import os; assert os.listdir('.') == [] and 'HOME' not in os.environ": "passed",
    "with open('big', 'w') as f: f.write('x')": "threw",
    "x = bytearray(2**31)": "threw",
    "import time; time.sleep(100)": "late",
  };
  assertEquals(await outcomesOf(Object.keys(wanted)), Object.values(wanted));
  // Which of its limits a busy loop meets first depends on how busy the machine is.
  const [loop] = await outcomesOf(["while True: pass"]);
  assert(loop === "endless" || loop === "late", loop);
});

Deno.test("runPython() passes HumanEval's own solutions and no broken ones", async () => {
  const path = sharedData("humaneval/HumanEval.jsonl.gz");
  if (path === null || !hasPython()) return;
  const file = await Deno.open(path);
  const text = await new Response(file.readable.pipeThrough(new DecompressionStream("gzip"))).text();
  const problems = text.trim().split("\n").map((line) => JSON.parse(line)).filter((_, i) => i % 20 === 0);
  const program = (problem: Record<string, string>, body: string) =>
    `${problem.prompt}${body}\n${problem.test}\ncheck(${problem.entry_point})\n`;
  const right = problems.map((problem) => program(problem, problem.canonical_solution));
  const broken = problems.map((problem) => program(problem, "    return object()\n"));
  const outcomes = await outcomesOf([...right, ...broken]);
  assertEquals(outcomes, [...right.map(() => "passed"), ...broken.map(() => "threw")]);
});
