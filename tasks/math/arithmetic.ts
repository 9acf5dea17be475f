/**
 * @file Fine-tuning on arithmetic: word problems whose verbs the base checkpoint has never met.
 *
 * Settings were chosen on full fine-tuning and LoRA alone: see docs/results.md.
 */
import { createRandom } from "../../numerics/random.ts";
import { realDataOf } from "../data/load.ts";
import { takeDrawn } from "../examples.ts";
import { realArithmetic } from "./real_arithmetic.ts";
import { MEASURES, METRIC, solvedProblems } from "./solved_problems.ts";
import type { Task } from "../task.ts";
import { characterForm } from "../text/text_form.ts";
import { distinctWordProblems, signedVerbs, type Verbs } from "./word_problems.ts";

/** Rows: three steps with the longest words and numbers, and the stop token, are 80 tokens. */
const FORM = characterForm(80);

/** The verbs to learn: half add, half take away. None is in the corpus of `arithmeticBase`. */
export const NEW_VERBS: Verbs = signedVerbs(
  "finds wins earns gains picks adds collects receives borrows gathers catches grabs saves bakes grows",
  "drops spends burns breaks wastes donates tosses lends mails discards pays uses ruins spills gives",
);

/** Sizes of the fixed pools that the examples are taken from. */
const POOL = { test: 2000, validation: 2000, train: 16000, moreTest: 8000 };

/** Pools of which no two problems share verbs and numbers, the same whatever the options. */
const take = takeDrawn(
  "arithmetic",
  POOL,
  () => distinctWordProblems(createRandom(0).fork("arithmetic"), NEW_VERBS),
);

/**
 * Word problems of one, two and three steps, a third each, with 30 new verbs, answered with the working: "tom has 17 nuts,
 * gets 7, eats 9:" by "17+7=24-9=15.". Real questions by path: see real_arithmetic.ts.
 */
export const arithmetic: Task = {
  id: "arithmetic",
  title: "Word problems with new verbs",
  family: "math",
  metric: METRIC,
  measures: MEASURES,
  source: "generated",
  realData: realDataOf("math"),
  shipped: {
    model: "decoder-tiny",
    steps: 150,
    batchSize: 8,
    trainExamples: 4000,
    validationExamples: 128,
    testExamples: 200,
  },
  async load(options, model) {
    const { data } = options;
    if (data !== undefined) return await realArithmetic({ ...options, data }, model, FORM);
    return solvedProblems(take(options), options.seed, FORM);
  },
};
