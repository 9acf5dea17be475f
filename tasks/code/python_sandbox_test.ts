import { assertEquals, assertRejects } from "@std/assert";
import { hasPython } from "../../tests/python.ts";
import { DataError } from "../data/data_error.ts";
import { PYTHON, PYTHON_LIMITS, runPython } from "./python_sandbox.ts";

Deno.test("runPython() refuses by name where running Python is not allowed", {
  permissions: { read: true, write: true },
}, async () => {
  await assertRejects(() => runPython("1"), DataError, `(--allow-run=${PYTHON})`);
});

/** A minute on the clock: a busy machine is no reason to be late. */
const limits = { ...PYTHON_LIMITS, cpuSeconds: 1, milliseconds: 60_000 };

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
    "while True: pass": "endless",
  };
  for (const [source, outcome] of Object.entries(wanted)) {
    assertEquals(await runPython(source, limits), outcome, source);
  }
  assertEquals(await runPython("import time; time.sleep(1000)", { ...limits, milliseconds: 1000 }), "late");
});
