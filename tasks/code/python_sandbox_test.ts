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
    "import os; assert 'HOME' not in os.environ": "passed",
    "x = bytearray(2**31)": "threw",
    "while True: pass": "endless",
  };
  for (const [source, outcome] of Object.entries(wanted)) {
    assertEquals(await runPython(source, limits), outcome, source);
  }
  assertEquals(await runPython("import time; time.sleep(1000)", { ...limits, milliseconds: 1000 }), "late");
});

/** What programs import. */
const LIBRARY =
  "bisect, collections, copy, dataclasses, datetime, decimal, enum, fractions, functools, hashlib, " +
  "heapq, itertools, json, math, operator, random, re, statistics, string, typing";

Deno.test("runPython() lets programs import the standard library, and touch no other file, process or network", async () => {
  if (!hasPython()) return;
  const wanted: Record<string, string> = {
    [`import ${LIBRARY}`]: "passed",
    "import os; assert 'def ' in open(os.__file__).read()": "passed",
    "import os; open(os.__file__, 'a')": "threw",
    "import os; open(os.path.dirname(os.__file__) + '/../../../etc/passwd')": "threw",
    "open('/etc/passwd').read()": "threw",
    "open(b'/etc/passwd').read()": "threw",
    "import io; io.FileIO('/etc/passwd')": "threw",
    "import os; os.open('/etc/passwd', os.O_RDONLY)": "threw",
    "import pathlib; pathlib.Path('/etc/passwd').read_text()": "threw",
    "open(3)": "threw",
    "open('big', 'w')": "threw",
    "import os; os.mkdir('folder')": "threw",
    "import os; os.listdir('/')": "threw",
    "import os; os.system('true')": "threw",
    "import os; os.fork()": "threw",
    "import subprocess; subprocess.run(['true'])": "threw",
    "import socket; socket.create_connection(('127.0.0.1', 1), 1)": "threw",
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1:1')": "threw",
    "import ctypes; ctypes.CDLL(None)": "threw",
    "import ctypes; ctypes.pythonapi.PyErr_Clear()": "threw",
    "import numpy": "threw",
    "try:\n  open('/etc/passwd')\n  raise SystemExit\nexcept PermissionError: pass": "passed",
    "import os; os.path.normpath = lambda path: os.__file__\nopen('/etc/passwd')": "threw",
  };
  for (const [source, outcome] of Object.entries(wanted)) {
    assertEquals(await runPython(source, limits), outcome, source);
  }
});
