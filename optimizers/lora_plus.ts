/** @file LoRA+: LoRA whose B learns faster than its A. */
import { accumulate } from "../kernels/mod.ts";
import { adamwState, createAdamw } from "./adamw.ts";
import {
  attachLowRank,
  lowRankDefaults,
  lowRankFootprint,
  type LowRankOptions,
  lowRankWork,
  validateLowRank,
} from "./low_rank.ts";
import { defineOptimizer, noHostState, type OptimizerModule } from "./optimizer.ts";

/** Settings of LoRA+. */
export type LoraPlusOptions = LowRankOptions & {
  /** Learning rate of B divided by that of A. */
  ratio: number;
};
const defaults: LoraPlusOptions = { ...lowRankDefaults, ratio: 16 };

/**
 * LoRA+: LoRA, but AdamW's learning rate of B is `ratio` times the run's, which A and the head follow. So is B's
 * weight decay, which AdamW multiplies by the rate. `ratio` is 16 by default, as in the paper's and LoRA-GA's runs; 1
 * is LoRA.
 *
 * The equivalent gradient is per unit of A's rate, s (B dA + ratio · dB A): that is how W moves.
 * Source: Hayou, Ghosh and Yu, arXiv 2402.12354; PEFT's `create_loraplus_optimizer`.
 */
export const loraPlus: OptimizerModule<LoraPlusOptions> = defineOptimizer({
  id: "lora-plus",
  title: "LoRA+",
  source: "https://arxiv.org/abs/2402.12354",
  paper: {
    title: "LoRA+: Efficient Low Rank Adaptation of Large Models",
    authors: ["Soufiane Hayou", "Nikhil Ghosh", "Bin Yu"],
    year: 2024,
  },
  defaults,
  validate(options, targetModules) {
    const { ratio } = options;
    if (!(ratio > 0 && Number.isFinite(ratio))) return `ratio is ${ratio}, a positive number is needed`;
    return validateLowRank(options, targetModules);
  },
  describe: ({ scaling, ratio }) => `${scaling}, ratio ${ratio}`,
  stepWork: (options, sizes) => lowRankWork(options, sizes),
  footprint(options, model) {
    const { rank } = options;
    const a = model.targetModules.map((targetModule) => rank * targetModule.in),
      b = model.targetModules.map((targetModule) => rank * targetModule.out);
    return lowRankFootprint(options, model, { state: [...adamwState(a), ...adamwState(b)] });
  },
  takesLoftq: true,
  attach: (setup, options) =>
    attachLowRank(setup, options, {
      rule({ gpu }, factors, options, added) {
        const ofA = createAdamw(gpu, [...factors.map(({ a }) => a), ...added], options);
        const ofB = createAdamw(gpu, factors.map(({ b }) => b), options);
        return {
          state: [...ofA.state, ...ofB.state],
          hostState: noHostState,
          adjust: (gradients) =>
            factors.map(({ a, b }) => {
              const faster = gpu.zeros(b.value.shape, `${b.name} followed`);
              accumulate(gpu, faster, gradients.of(b), options.ratio);
              return { a: gradients.of(a), b: faster };
            }),
          step(gradients, { step, learningRate }) {
            ofA.step(gradients, { step, learningRate });
            ofB.step(gradients, { step, learningRate: options.ratio * learningRate });
          },
        };
      },
    }),
});
