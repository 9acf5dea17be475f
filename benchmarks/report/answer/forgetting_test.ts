import { assertEquals } from "@std/assert";
import type { EqualScore, Forgot } from "../../study/forgetting.ts";
import { forgettingAnswer } from "./forgetting.ts";

const digits = { title: "Digits" }, sums = { title: "Sums" };

function forgot(
  label: string,
  task: { readonly title: string },
  equal: Partial<EqualScore> | null,
  rank = 8,
): Forgot {
  const cell = { method: methods.get(label) ?? methods.set(label, { label }).get(label), task, rank };
  const atEqualScore = equal && {
    ...{ score: 0.5, ours: 0.1, theirs: 0.2, difference: -0.1, interval: { low: -0.4, high: 0.2 }, seeds: 8 },
    ...{ verdict: "undecided", ...equal },
  };
  return {
    cell,
    corpus: "c",
    before: 1,
    rise: 0.1,
    interval: null,
    seeds: 8,
    atEqualScore,
  } as unknown as Forgot;
}
const methods = new Map<string, { readonly label: string }>();

Deno.test("forgettingAnswer() names who forgets less and who more, with numbers, and counts the rest", () => {
  const answer = forgettingAnswer([
    forgot("LoRA", digits, null),
    forgot("Pro", digits, { verdict: "less", difference: -0.5, interval: { low: -0.75, high: -0.25 } }),
    forgot("PiSSA", digits, { verdict: "more", difference: 0.25, interval: { low: 0.125, high: 0.375 } }),
    forgot("DoRA", digits, {}),
    forgot("DoRA", sums, {}),
  ]);
  assertEquals(
    answer,
    "Of what the base checkpoint knew, at a score that both reach, less than LoRA is forgotten by Pro on Digits (−0.500 nats a " +
      "target, 95%: −0.750 to −0.250); more by PiSSA on Digits (+0.250 nats a target, 95%: +0.125 to +0.375); the other 2 " +
      "comparisons are undecided (8 seeds, corrected for all comparisons of a task).",
  );
});

Deno.test("forgettingAnswer() is a sentence where methods forget more and none less", () => {
  const worse = forgot("PiSSA", digits, {
    ...{ verdict: "more", difference: 0.25, interval: { low: 0.125, high: 0.375 } },
  });
  assertEquals(
    forgettingAnswer([worse]),
    "Of what the base checkpoint knew, at a score that both reach, none is shown to forget less than LoRA; more is forgotten " +
      "by PiSSA on Digits (+0.250 nats a target, 95%: +0.125 to +0.375) (8 seeds, corrected for all comparisons of a task).",
  );
});

Deno.test("forgettingAnswer() says that nothing was shown, or that seeds are too few, and what is furthest apart", () => {
  const furthest = forgot("Pro", sums, { difference: 0.3, interval: { low: -0.25, high: 0.85 } }, 2);
  const both = [forgot("Pro", digits, {}), furthest, forgot("Pro", sums, {}, 8)];
  const end = "Furthest apart: Pro on Sums at rank 2 (+0.300 nats a target, 95%: −0.250 to +0.850).";
  assertEquals(
    forgettingAnswer(both),
    "Of what the base checkpoint knew, at a score that both reach, no method is shown to forget less than LoRA, or more, in " +
      `3 comparisons of 8 seeds. ${end}`,
  );
  const few = both.map((one) => ({
    ...one,
    atEqualScore: { ...one.atEqualScore!, verdict: null, seeds: 3 },
  }));
  assertEquals(
    forgettingAnswer(few),
    "Of what the base checkpoint knew, at a score that both reach, 3 seeds cannot tell which method forgets less than LoRA, or " +
      `more. ${end}`,
  );
  assertEquals(forgettingAnswer([forgot("LoRA", digits, null)]), null);
});
