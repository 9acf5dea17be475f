/** @file ReLoRA: LoRA whose product is merged into the weight now and then, and starts anew. */
import { matmul } from "../../kernels/mod.ts";
import { createAdamw } from "../adamw.ts";
import {
  attachLowRank,
  drawA,
  lowRankDefaults,
  lowRankFootprint,
  type LowRankOptions,
  lowRankWork,
  productForm,
  type Rule,
  validateLowRank,
} from "../low_rank.ts";
import { trainableWeight } from "../module_weight.ts";
import {
  defineOptimizer,
  type Factors,
  noHostState,
  type OptimizerModule,
  type Setup,
  type StepInfo,
} from "../optimizer.ts";

/** Settings of ReLoRA. */
export type ReloraOptions = LowRankOptions & {
  /** Steps from one merge to the next; 0 for none, which is LoRA. */
  mergeEvery: number;
  /** Steps after a merge in which the learning rate rises from 0 to what the schedule says. */
  warmupAgain: number;
};
const defaults: ReloraOptions = { ...lowRankDefaults, mergeEvery: 50, warmupAgain: 5 };

/**
 * ReLoRA: after every `mergeEvery` steps but the last, W ← W + s B A, A is drawn anew, B is 0 again, and so are the moments of both, whose
 * correction begins with the first step again. For `warmupAgain` steps the learning rate rises linearly to what it would be. The
 * weight itself doesn't move at a merge, but what is merged stays: after k merges W differs from where it began by up to k + 1 times r
 * ranks. Between merges it is LoRA, with `mergeEvery` 0 in every bit.
 *
 * Published runs are of pre-training, with merges 1,000 to 5,000 steps apart and 50 to 100 steps of warm-up; fine-tuning is shorter, and
 * so are the defaults. Published code clears 90 to 99.9 % of the moments, at random or the smallest, and its correction of moments goes
 * on; a head that is trained beside the factors is never reset here either.
 *
 * Weights that are merged into are kept in 32-bit floats: others would round most of a merge away. What a run keeps is the trained
 * weight itself.
 * Source: Lialin et al., arXiv 2307.05695, algorithm 1.
 */
export const relora: OptimizerModule<ReloraOptions> = defineOptimizer({
  id: "relora",
  title: "ReLoRA",
  source: "https://arxiv.org/abs/2307.05695",
  paper: {
    title: "ReLoRA: High-Rank Training Through Low-Rank Updates",
    authors: ["Vladislav Lialin", "Namrata Shivagunde", "Sherin Muckatira", "Anna Rumshisky"],
    year: 2023,
  },
  defaults,
  validate(options, targetModules) {
    const { mergeEvery, warmupAgain } = options;
    for (const [name, value] of Object.entries({ mergeEvery, warmupAgain })) {
      if (!(Number.isInteger(value) && value >= 0)) {
        return `${name} is ${value}, a whole number of 0 or more is needed`;
      }
    }
    if (mergeEvery > 0 && warmupAgain > mergeEvery) {
      return `warmupAgain is ${warmupAgain}, at most mergeEvery, ${mergeEvery}, is needed`;
    }
    return validateLowRank(options, targetModules);
  },
  describe: ({ scaling, mergeEvery, warmupAgain }) =>
    [
      scaling,
      ...mergeEvery === defaults.mergeEvery
        ? []
        : [mergeEvery === 0 ? "never merged" : `merged every ${mergeEvery}`],
      ...warmupAgain === defaults.warmupAgain ? [] : [`warm-up again ${warmupAgain}`],
    ].join(", "),
  // The last step of a run is followed by no merge.
  notice: ({ mergeEvery }, steps) =>
    mergeEvery > 0 && steps <= mergeEvery
      ? `is plain LoRA in runs of ${steps} steps: it merges after every ${mergeEvery}, and never after the last`
      : null,
  stepWork(options, sizes) {
    const work = lowRankWork(options, sizes), { rank, mergeEvery } = options;
    if (mergeEvery === 0) return work;
    // A step's share of a merge: the product is added to the weight, A drawn, B and the moments cleared.
    const share = (count: (of: { readonly in: number; readonly out: number }) => number) =>
      sizes.targetModules.reduce((sum, targetModule) => sum + count(targetModule), 0) / mergeEvery;
    return {
      ...work,
      updateFlops: work.updateFlops + share((of) => 2 * rank * of.in * of.out),
      updateElements: work.updateElements + share((of) => 2 * of.in * of.out + 4 * rank * (of.in + of.out)),
    };
  },
  footprint: (options, model) => lowRankFootprint(options, model, { trainsWeights: options.mergeEvery > 0 }),
  attach: (setup, options) =>
    attachLowRank(setup, options, {
      rule: mergingRule,
      form: (setup) => ({
        ...productForm(setup),
        ...options.mergeEvery > 0 && { changesWhole: true },
      }),
    }),
});

/** AdamW on the gradients as they are, and a merge after every `mergeEvery` steps. */
function mergingRule(setup: Setup, factors: readonly Factors[], options: ReloraOptions): Rule {
  const { gpu, steps } = setup, { mergeEvery, warmupAgain } = options;
  const weights = mergeEvery > 0 ? factors.map(({ targetModule }) => trainableWeight(targetModule)) : [];
  const adamw = createAdamw(gpu, [...factors.map(({ a }) => a), ...factors.map(({ b }) => b)], options);
  const merge = (count: number) => {
    factors.forEach(({ a, b, scale }, i) => {
      matmul(gpu, b.value, a.value, { scale, into: weights[i]!.value, accumulate: true, reuse: true });
      gpu.clear(b.value);
    });
    drawA(setup, factors, count);
    for (const { value } of adamw.state) gpu.clear(value);
  };
  /** A step as it counts since the last merge. */
  const sinceMerge = ({ step, learningRate }: StepInfo): StepInfo => {
    if (mergeEvery === 0) return { step, learningRate };
    const since = (step - 1) % mergeEvery + 1, isWarmingUp = step > mergeEvery && since < warmupAgain;
    return { step: since, learningRate: isWarmingUp ? learningRate * since / warmupAgain : learningRate };
  };
  return {
    state: adamw.state,
    // Which merge is next follows from the step.
    hostState: noHostState,
    adjust: (gradients) => factors.map(({ a, b }) => ({ a: gradients.of(a), b: gradients.of(b) })),
    step(gradients, at) {
      adamw.step(gradients, sinceMerge(at));
      if (mergeEvery > 0 && at.step % mergeEvery === 0 && at.step < steps) merge(at.step / mergeEvery);
    },
  };
}
