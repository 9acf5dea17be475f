import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { createRandom } from "../../numerics/random.ts";
import {
  distinctWordProblems,
  drawTwoSteps,
  drawWordProblem,
  signedVerbs,
  workings,
} from "./word_problems.ts";

const verbs = signedVerbs("finds", "drops spends");

Deno.test("workings() shows both steps", () => {
  assertEquals(workings({ start: 17, signs: ["+", "-"], amounts: [7, 9] }), "17+7=24-9=15.");
  assertEquals(workings({ start: 20, signs: ["-", "-"], amounts: [19, 1] }), "20-19=1-1=0.");
});

Deno.test("drawTwoSteps() keeps every value from 0 to 99, for all seeds and signs", () => {
  const sign = fc.constantFrom("+" as const, "-" as const);
  fc.assert(fc.property(fc.nat(), sign, sign, (seed, first, second) => {
    const { start, amounts } = drawTwoSteps(createRandom(seed), [first, second]);
    const middle = first === "+" ? start + amounts[0] : start - amounts[0];
    const end = second === "+" ? middle + amounts[1] : middle - amounts[1];
    return [start, middle, end, ...amounts].every((value) => value >= 0 && value <= 99);
  }));
});

Deno.test("drawWordProblem() tells the numbers that its answer works with", () => {
  for (let seed = 0; seed < 200; seed++) {
    const { prompt, answer, key } = drawWordProblem(createRandom(seed), verbs);
    const found = prompt.match(/^[a-z]+ has (\d+) [a-z]+, ([a-z]+) (\d+), ([a-z]+) (\d+):$/);
    assert(found, prompt);
    const [start, first, second] = [Number(found[1]), Number(found[3]), Number(found[5])];
    const [firstSign, secondSign] = [verbs[found[2]!]!, verbs[found[4]!]!];
    assertEquals(workings({ start, signs: [firstSign, secondSign], amounts: [first, second] }), answer);
    assertEquals(key, `${start} ${found[2]} ${first} ${found[4]} ${second}`);
  }
});

Deno.test("distinctWordProblems() repeats no key, and a longer list begins with the shorter", () => {
  const random = createRandom(1);
  const many = distinctWordProblems(random, verbs, 3000);
  assertEquals(new Set(many.map(({ key }) => key)).size, 3000);
  assertEquals(distinctWordProblems(random, verbs, 10), many.slice(0, 10));
});
