import { assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import { collect } from "../../tests/support/data_folder.ts";
import { lacking, PYTHON } from "../../tests/support/python.ts";
import { testOnPublic } from "../../tests/support/public_files.ts";
import type { Program } from "../data/contents.ts";
import { findData } from "../data/load.ts";
import { isSkip } from "../skip.ts";
import { programExample } from "../text/prompt_templates.ts";
import { type PythonProblem, pythonTrial } from "./python_program.ts";
import { judgePython } from "./python_sandbox.ts";

const problem: PythonProblem = {
  specification: "import math\n\ndef one():\n    return 1\n\ndef f(x):\n    '''Add one.'''\n",
  check: { id: "made-up/0", entryPoint: "f", test: "def check(candidate):\n    assert candidate(2) == 3\n" },
};
const ahead = "import math\n\ndef one():\n    return 1\n\n";
const trial = (program: string) => ({
  program: `${program}\n`,
  tests: `${ahead}def check(candidate):\n    assert candidate(2) == 3\n\n`,
  entryPoint: "f",
});

Deno.test("pythonTrial() takes the first fence that defines the function, to its end or the text's", () => {
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
    assertEquals(pythonTrial(answer, problem), trial(`${ahead}${whole}`), answer);
  }
  for (
    const other of ["async def f(x):\n    return 3\n", "f = lambda x: x + 1\n", "x = 1\ndef f (x): pass\n"]
  ) {
    assertEquals(pythonTrial(other, problem), trial(`${ahead}${other}`));
  }
});

Deno.test("pythonTrial() takes code without the function for its body", () => {
  for (
    const [answer, body] of [
      ["    return x + 1\n", "    return x + 1\n"],
      ["```python\n    return x + 1\n```", "    return x + 1\n"],
      ["", ""],
      ["    def f(y): return y\n    return f(x) + 1", "    def f(y): return y\n    return f(x) + 1"],
      ["def f2(x):\n    return 3", "def f2(x):\n    return 3"],
    ] as const
  ) {
    assertEquals(pythonTrial(answer, problem), trial(`${problem.specification}${body}`));
  }
});

testOnPublic(
  ["humaneval"],
  "pythonTrial()s of HumanEval's own solutions pass its tests, as a body and whole, and no broken ones",
  async (path) => {
    const { parts } = await findData("code", path);
    const all = (await collect(parts[0]!.read())).filter((item): item is Program => !isSkip(item));
    assertGreater(all.length, 160);
    for (const [i, program] of all.entries()) {
      const { specification, solution, check } = program;
      const judge = (answer: string) => judgePython(pythonTrial(answer, { specification, check: check! }));
      assertEquals(await judge(solution), "passed", check!.id);
      // Among them those that stand behind imports and behind other functions.
      if (![0, 10, 32, 33, 38, 50, 106, 163].includes(i)) continue;
      const whole = programExample(program).answer;
      assertStringIncludes(whole, "```python\n");
      assertEquals(await judge(whole), "passed", check!.id);
      for (const wrong of ["    return object()\n", ""]) {
        assertEquals(await judge(wrong), "threw", check!.id);
      }
    }
  },
  { more: PYTHON, others: lacking },
);
