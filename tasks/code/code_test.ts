import { assert, assertAlmostEquals, assertEquals, assertNotEquals } from "@std/assert";
import { writingPredictor } from "../../tests/support/scripted_predictor.ts";
import { READING, testNeeding } from "../../tests/support/test_needing.ts";
import { code } from "./code.ts";
import { binary, choice, evaluate, type Expression, toJavaScript } from "./expressions.ts";
import { HIDDEN_INPUTS, hiddenOutputs } from "./hidden_inputs.ts";
import { runPrograms } from "./javascript_sandbox.ts";
import { drawSpecification } from "./specifications.ts";
import { createRandom } from "../../numerics/random.ts";
import { decode, encode } from "../text/tokenizer.ts";
import { scoreExamples } from "../../training/scoring/score_examples.ts";

const test = testNeeding(READING);

const options = { seed: 0, trainExamples: 8000, validationExamples: 300, testExamples: 1000 };

/** Prompts and answers of the validation examples, read off their batches. */
async function answers(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const batch of (await code.load(options)).validationBatches(300)) {
    assert(batch.family === "decoder");
    for (let row = 0; row < batch.tokens.shape[0]!; row++) {
      const text = decode(batch.tokens.data.subarray(row * 64, (row + 1) * 64)).split("\n")[0]!;
      const cut = text.indexOf(":") + 1;
      found.set(text.slice(0, cut), text.slice(cut));
    }
  }
  return found;
}

/** The mean score where each answer is rewritten. */
async function scoreOf(rewrite: (answer: string) => string): Promise<number> {
  const known = await answers();
  const predictor = writingPredictor((prompt) => encode(`${rewrite(known.get(decode(prompt))!)}\n`));
  const scores = await (await code.load(options)).score(predictor, "validation");
  return scores.reduce((sum, score) => sum + score, 0) / scores.length;
}

test("code counts programs that do the same as right, however they are written", async () => {
  assertEquals(await scoreOf((answer) => answer), 1);
  assertEquals(await scoreOf((answer) => `((${answer}))`), 1);
  assertEquals(await scoreOf((answer) => `1?${answer}:x`), 1);
});

test("code counts as wrong what is off, of another type, broken or endless", async () => {
  for (
    const rewrite of [
      (answer: string) => `(${answer})+1`,
      (answer: string) => `''+(${answer})`,
      (answer: string) => `(${answer}`,
      () => "",
      () => "(f=>f(f))(f=>f(f))",
    ]
  ) {
    assertEquals(await scoreOf(rewrite), 0);
  }
});

test("code estimates pass@5 from ten drawn programs an example, greedy ones aside", async () => {
  const known = await answers();
  const data = await code.load({ ...options, validationExamples: 4 }), order: string[] = [];
  // Of the first prompt no sample passes, of the second one, of the third five, of the fourth all.
  const passing = [0, 1, 5, 10];
  const predictor = writingPredictor((prompt, sample) => {
    const text = decode(prompt);
    if (!order.includes(text)) order.push(text);
    if (sample === "greedy") throw new Error("a greedy text was asked for");
    return encode(`${sample < passing[order.indexOf(text)]! ? known.get(text)! : "x+.5"}\n`);
  });
  const measured = await data.measure!(predictor, "validation");
  assertEquals(Object.keys(measured), code.measures!.map(({ name }) => name));
  // 1 - C(9, 5) / C(10, 5) and 1 - C(5, 5) / C(10, 5).
  const wanted = [0, 1 / 2, 251 / 252, 1];
  Array.from(measured["pass@5"]!.values).forEach((value, i) => assertAlmostEquals(value, wanted[i]!, 1e-12));
  assertEquals(order.length, 4);
});

/** In the task's alphabet and length: what a model could write. */
const ATTEMPTS = [
  "eval('for(;;);')",
  "eval('try(')",
  "(f=>f(f))(f=>f(f))",
  "'a'.repeat(9**9)",
  "import('/etc/passwd')",
  "import('fs')",
  "require('fs')",
  "fetch('http://1.1.1.1')",
  "process.exit()",
  "close()",
  "eval.constructor('x')()",
];

test("code contains what programs attempt: each is wrong, and a run's other programs are judged as ever", async () => {
  const known = await answers();
  for (const attempt of ATTEMPTS) assert(encode(attempt).length <= 24, attempt);
  const data = await code.load({ ...options, validationExamples: 3 * ATTEMPTS.length });
  const prompts: string[] = [];
  // Every third example is right; of the ten samples of the others one is.
  const predictor = writingPredictor((tokens, sample) => {
    const prompt = decode(tokens);
    if (!prompts.includes(prompt)) prompts.push(prompt);
    const example = prompts.indexOf(prompt), right = example % 3 === 2 || sample === 9;
    return encode(`${right ? known.get(prompt)! : ATTEMPTS[example % ATTEMPTS.length]!}\n`);
  });
  const everySplit = code.measures!.map(({ name, better }) => ({ name, better }));
  const { scores, measures } = await scoreExamples(
    { id: code.id, measures: everySplit },
    data,
    predictor,
    "validation",
  );
  assertEquals(scores, scores.map((_, i) => Number(i % 3 === 2)));
  measures!["pass@5"]!.values.forEach((value, i) => assertAlmostEquals(value, i % 3 === 2 ? 1 : 0.5, 1e-12));
});

test("expressions give in the sandbox what evaluate() gives, with the parentheses that they have", async () => {
  const random = createRandom(3);
  const drawn = Array.from({ length: 400 }, (_, i) => drawSpecification(random.fork(`${i}`)).expression);
  const deep: Expression[] = [
    binary("-", "x", binary("-", "y", 3)),
    binary("**", binary("**", "x", 2), 2),
    binary("*", choice(binary("<", "x", "y"), 2, 3), binary("%", "x", binary("*", "y", 5))),
    choice(choice(binary("==", "x", "y"), binary("<", "x", 3), binary(">", "x", 3)), "x", choice("y", 1, 2)),
  ];
  const outcomes = await runPrograms([...drawn, ...deep].map((expression) => ({
    source: `(x,y)=>${toJavaScript(expression)}`,
    calls: HIDDEN_INPUTS,
  })));
  [...drawn, ...deep].forEach((expression, i) => {
    const outcome = outcomes[i]!;
    assert(outcome.kind === "returned");
    assertEquals(outcome.values.map((v) => v || +v), hiddenOutputs(expression).map((v) => v || +v));
  });
  assertEquals(evaluate("x", 7, 8), 7);
});

Deno.test("the hidden inputs tell a comparison from its neighbours", () => {
  for (let n = 2; n <= 15; n++) {
    for (const parameter of ["x", "y"] as const) {
      const outputs = [n, n - 1, n + 1].flatMap((k) =>
        (["<", ">", "=="] as const).map((operator) => hiddenOutputs(binary(operator, parameter, k)).join())
      );
      assertEquals(new Set(outputs).size, 9, `${parameter} ${n}`);
    }
  }
  assertNotEquals(hiddenOutputs(binary("<", "x", "y")), hiddenOutputs(binary("<", "x", binary("+", "y", 1))));
});
