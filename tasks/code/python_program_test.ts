import { assertEquals, assertStringIncludes } from "@std/assert";
import { collect } from "../../tests/data_folder.ts";
import { hasPython } from "../../tests/python.ts";
import { testOnPublic } from "../../tests/public_files.ts";
import type { Program } from "../data/contents.ts";
import { findData } from "../data/load.ts";
import { isSkip } from "../data/read_record.ts";
import { programExample } from "../text/prompts.ts";
import { type PythonProblem, pythonProgram } from "./python_program.ts";
import { PYTHON_LIMITS, runPython } from "./python_sandbox.ts";

const problem: PythonProblem = {
  specification: "import math\n\ndef one():\n    return 1\n\ndef f(x):\n    '''Add one.'''\n",
  check: { id: "made-up/0", entryPoint: "f", test: "def check(candidate):\n    assert candidate(2) == 3\n" },
};
const tests = "\n\ndef check(candidate):\n    assert candidate(2) == 3\n\n\ncheck(f)\n";
const ahead = "import math\n\ndef one():\n    return 1\n\n";

Deno.test("pythonProgram() takes the first fence that defines the function, to its end or the text's", () => {
  const whole = "def f(x):\n    return x + 1\n";
  for (
    const answer of [
      `\`\`\`python\n${whole}\`\`\``,
      `\`\`\`\n${whole}\`\`\`\nThat was it.`,
      `Look:\n\n\`\`\`python\n${whole}`,
      `First \`\`\`sh\npip install f\n\`\`\` then\n\`\`\`py\n${whole}\`\`\`, not\n\`\`\`py\ndef f(x): pass\n\`\`\``,
      whole,
    ]
  ) {
    assertEquals(pythonProgram(answer, problem), `${ahead}${whole}${tests}`, answer);
  }
  for (
    const other of ["async def f(x):\n    return 3\n", "f = lambda x: x + 1\n", "x = 1\ndef f (x): pass\n"]
  ) {
    assertEquals(pythonProgram(other, problem), `${ahead}${other}${tests}`);
  }
});

Deno.test("pythonProgram() takes code without the function for its body", () => {
  for (
    const [answer, body] of [
      ["    return x + 1\n", "    return x + 1\n"],
      ["```python\n    return x + 1\n```", "    return x + 1\n"],
      ["", ""],
      ["    def f(y): return y\n    return f(x) + 1", "    def f(y): return y\n    return f(x) + 1"],
      ["def f2(x):\n    return 3", "def f2(x):\n    return 3"],
    ] as const
  ) {
    assertEquals(pythonProgram(answer, problem), `${problem.specification}${body}${tests}`);
  }
});

testOnPublic(
  ["humaneval"],
  "pythonProgram()s pass HumanEval's tests as they should: whole, or as a body, and no broken ones",
  async (path) => {
    if (!hasPython()) return;
    const { parts } = await findData("code", path);
    const all = (await collect(parts[0]!.read())).filter((item): item is Program => !isSkip(item));
    // Among them those that stand behind imports and behind other functions.
    const chosen = all.filter((_, i) => [0, 10, 32, 33, 38, 50, 106, 163].includes(i));
    assertEquals(chosen.length, 8);
    for (const program of chosen) {
      const { specification, solution, check } = program;
      const whole = programExample(program).answer, own = { specification, check: check! };
      assertStringIncludes(whole, "```python\n");
      for (
        const [answer, wanted] of [
          [whole, "passed"],
          [solution, "passed"],
          ["    return object()\n", "threw"],
          ["", "threw"],
        ] as const
      ) {
        assertEquals(await runPython(pythonProgram(answer, own), PYTHON_LIMITS), wanted, check!.id);
      }
    }
  },
);
