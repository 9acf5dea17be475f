import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { createRandom } from "../../numerics/random.ts";
import {
  distinctWordProblems,
  drawSteps,
  drawWordProblem,
  MOST_STEPS,
  type Sign,
  signedVerbs,
  workings,
} from "./word_problems.ts";

const verbs = signedVerbs("finds", "drops spends");

Deno.test("workings() shows every step", () => {
  assertEquals(workings({ start: 60, signs: ["+"], amounts: [2] }), "60+2=62.");
  assertEquals(workings({ start: 17, signs: ["+", "-"], amounts: [7, 9] }), "17+7=24-9=15.");
  assertEquals(workings({ start: 20, signs: ["-", "-", "+"], amounts: [19, 1, 5] }), "20-19=1-1=0+5=5.");
});

Deno.test("drawSteps() keeps amounts from 2 to 19 and values from 0 to 98, for all seeds and signs", () => {
  const signs = fc.array(fc.constantFrom("+" as const, "-" as const), {
    minLength: 1,
    maxLength: MOST_STEPS,
  });
  fc.assert(fc.property(fc.nat(), signs, (seed, signs) => {
    const steps = drawSteps(createRandom(seed), signs);
    const values = [steps.start];
    steps.amounts.forEach((amount, i) => values.push(values[i]! + (signs[i] === "+" ? amount : -amount)));
    return steps.signs === signs && steps.amounts.length === signs.length &&
      steps.start >= 2 && steps.start <= 60 && values.every((value) => value >= 0 && value <= 98) &&
      steps.amounts.every((amount) => amount >= 2 && amount <= 19);
  }));
});

Deno.test("drawSteps() reaches every start that its amounts allow, and no other", () => {
  const starts = (signs: readonly Sign[]) => {
    const found = Array.from({ length: 3000 }, (_, seed) => drawSteps(createRandom(seed), signs).start);
    return [Math.min(...found), Math.max(...found)];
  };
  assertEquals(starts(["+"]), [2, 60]);
  assertEquals(starts(["-", "+", "-"]), [2, 60]);
  const upwards = Array.from({ length: 3000 }, (_, seed) => drawSteps(createRandom(seed), ["+", "+", "+"]));
  const ends = upwards.map(({ start, amounts }) => amounts.reduce((sum, amount) => sum + amount, start));
  assertEquals(Math.max(...ends), 98);
});

Deno.test("drawWordProblem() tells the numbers that its answer works with, and the last of them", () => {
  for (let seed = 0; seed < 300; seed++) {
    const count = seed % MOST_STEPS + 1;
    const { prompt, answer, final, key } = drawWordProblem(createRandom(seed), verbs, count);
    const found = prompt.match(/^[a-z]+ has (\d+) [a-z]+((?:, [a-z]+ \d+)+):$/);
    assert(found, prompt);
    const steps = [...found[2]!.matchAll(/, ([a-z]+) (\d+)/g)].map(([, verb, amount]) => ({ verb, amount }));
    assertEquals(steps.length, count);
    const start = Number(found[1]), amounts = steps.map(({ amount }) => Number(amount));
    const signs = steps.map(({ verb }) => verbs[verb!]!);
    assertEquals(workings({ start, signs, amounts }), answer);
    assertEquals(final, /(\d+)\.$/.exec(answer)![1]);
    assertEquals(key, `${start} ${steps.map(({ verb, amount }) => `${verb} ${amount}`).join(" ")}`);
  }
});

Deno.test("drawWordProblem() is as long as it says at most: 19 characters and 13 a step, 3 and 6 to answer", () => {
  const longest = signedVerbs("receives", "discards");
  for (let count = 1; count <= MOST_STEPS; count++) {
    const problems = Array.from({ length: 4000 }, (_, i) => drawWordProblem(createRandom(i), longest, count));
    assertEquals(Math.max(...problems.map(({ prompt }) => prompt.length)), 19 + 13 * count);
    assertEquals(Math.max(...problems.map(({ answer }) => answer.length)), 3 + 6 * count);
  }
});

Deno.test("distinctWordProblems() repeats no key, has each number of steps as often, and begins with shorter lists", () => {
  const random = createRandom(1);
  const many = distinctWordProblems(random, verbs).take(3000).toArray();
  assertEquals(new Set(many.map(({ key }) => key)).size, 3000);
  const steps = many.map(({ answer }) => answer.split("=").length - 1);
  assertEquals(steps, Array.from({ length: 3000 }, (_, i) => i % 3 + 1));
  assertEquals(distinctWordProblems(random, verbs).take(10).toArray(), many.slice(0, 10));
});
