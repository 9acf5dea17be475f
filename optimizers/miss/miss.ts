/** @file MiSS: one small matrix, repeated along the inputs. */
import { ADAMW_WORK, adamwDefaults, type AdamwOptions, adamwState } from "../adamw.ts";
import { sideSizes } from "../factor_sides.ts";
import {
  attachLowRank,
  lowRankDefaults,
  lowRankFootprint,
  type LowRankOptions,
  lowRankWork,
  validateLowRank,
} from "../low_rank.ts";
import { defineOptimizer, type OptimizerModule } from "../optimizer.ts";

/** Settings of MiSS. */
export type MissOptions = AdamwOptions & {
  /** r: columns that D has, and inputs that share one of them. */
  rank: number;
};
const defaults: MissOptions = { rank: 8, ...adamwDefaults };

/** As a member of the LoRA family with s = 1. */
function asLowRank(options: MissOptions): LowRankOptions {
  return { ...lowRankDefaults, ...options, alpha: options.rank, scaling: "alpha/r" };
}

/**
 * MiSS, formerly Bone: W + [D D D …], D `[out, r]` repeated along the inputs and cut at their end; D starts at 0 and AdamW
 * follows it. So it is LoRA-FA without correction, at s = 1, whose A is not random but [I I I …] `[r, in]`: y gains D times the
 * sum of x's parts of r inputs. The first step moves every entry of W by the rate, as full fine-tuning does, where LoRA-FA's and
 * LoRA's move it by about s · rate · √(r / 3 in): at one rate the methods are not compared, but their steps' lengths.
 *
 * PEFT's `init_weights` "bat", which makes W (I + D) + D of blocks, and "mini" are not offered; its default rank is 64. A is
 * fixed, and counts as state as LoRA-FA's does.
 *
 * The equivalent gradient is G Aᵀ A.
 * Source: Kang and Yin, arXiv 2409.15371; PEFT's `MissConfig`.
 */
export const miss: OptimizerModule<MissOptions> = defineOptimizer({
  id: "miss",
  title: "MiSS",
  source: "https://arxiv.org/abs/2409.15371",
  paper: {
    title: "MiSS: Revisiting the Trade-off in LoRA with an Efficient Shard-Sharing Structure",
    authors: ["Jiale Kang", "Qingyu Yin"],
    year: 2024,
  },
  defaults,
  validate: (options, targetModules) => validateLowRank(asLowRank(options), targetModules),
  describe: () => "D repeated along the inputs",
  stepWork(options, sizes) {
    const { rank } = options, { flops, elements, state } = ADAMW_WORK;
    const sum = (count: (targetModule: typeof sizes.targetModules[number]) => number) =>
      sizes.targetModules.reduce((total, targetModule) => total + count(targetModule), 0);
    const work = lowRankWork(asLowRank(options), sizes, ({ in: columns, out }) => ({
      flops: flops * rank * out,
      elements: elements * rank * out,
      state: state * rank * out + rank * columns,
    }));
    const trained = sum((targetModule) => rank * targetModule.out);
    return {
      ...work,
      // Nothing asks for A's gradient, nor, below the first adapted map, for that of x Aᵀ.
      factorFlops: work.factorFlops -
        sum((targetModule) =>
          2 * rank * targetModule.rows *
          (targetModule.in + (targetModule.inputGradient ? 0 : targetModule.out))
        ),
      elements: work.elements -
        sum((targetModule) =>
          sizes.parts * rank * targetModule.in + targetModule.rows * (targetModule.in + rank)
        ),
      trained,
      added: trained,
    };
  },
  footprint(options, model) {
    const { rank } = options, { targetModules, head } = model;
    const a = sideSizes(targetModules, rank, "a"), b = sideSizes(targetModules, rank, "b");
    return lowRankFootprint(asLowRank(options), model, {
      adapters: [b],
      trained: [...b, ...head],
      state: [a, ...adamwState(b)],
    });
  },
  attach: (setup, options) =>
    attachLowRank(setup, asLowRank(options), {
      trainsA: false,
      initialize({ gpu }, factors) {
        for (const { targetModule, a } of factors) {
          const values = new Float32Array(options.rank * targetModule.in);
          for (let column = 0; column < targetModule.in; column++) {
            values[column % options.rank * targetModule.in + column] = 1;
          }
          gpu.write(a.value, values);
        }
      },
    }),
});
