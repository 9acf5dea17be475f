/** @file LoRA-GA: LoRA from a start at which its first step follows the full gradient. */
import { truncatedSvd } from "../kernels/mod.ts";
import {
  attachLowRank,
  foldProductOut,
  lowRankDefaults,
  lowRankFootprint,
  type LowRankOptions,
  lowRankWork,
  refuseLowRank,
} from "./low_rank.ts";
import { defineOptimizer, type OptimizerModule } from "./optimizer.ts";

/** Settings of LoRA-GA. */
export type LoraGaOptions = LowRankOptions & {
  /** Divides the start: both factors are m^(1/4) / √gamma times singular vectors. */
  gamma: number;
  /** Training batches whose mean gradient the start takes. */
  gradientBatches: number;
};
const defaults: LoraGaOptions = {
  ...lowRankDefaults,
  scaling: "alpha/sqrt(r)",
  gamma: 16,
  gradientBatches: 8,
};

/**
 * LoRA-GA, the reference rule (direction ArB2r, scale "stable"): with G = U S Vᵀ the mean full gradient over
 * `gradientBatches` training batches, A = V[:, 0:r]ᵀ and B = U[:, r:2r], both times m^(1/4) / √gamma, and the base
 * weight reduced by s B A. `scaling` is alpha/√r by default, as in the published command; "alpha/r" is the other one in
 * use, and the two rank differently against other methods at a shared learning rate, so reports name it.
 *
 * A and B come from different singular pairs, so their signs matter: the largest entry of each right vector is positive.
 * Source: Wang et al., arXiv 2407.05000, theorem 3.1 and section 3.3, and the authors' code.
 */
export const loraGa: OptimizerModule<LoraGaOptions> = defineOptimizer({
  id: "lora-ga",
  title: "LoRA-GA",
  source: "https://arxiv.org/abs/2407.05000",
  defaults,
  refuse(options, sites) {
    const { gamma, gradientBatches } = options;
    if (!(gamma > 0 && Number.isFinite(gamma))) return `gamma is ${gamma}, a positive number is needed`;
    if (!(Number.isInteger(gradientBatches) && gradientBatches >= 1)) {
      return `gradientBatches is ${gradientBatches}, a whole number of 1 or more is needed`;
    }
    // B takes the second r left vectors, so 2 r of them must exist.
    return refuseLowRank(options, sites, (site) => Math.floor(Math.min(site.in, site.out) / 2));
  },
  describe: (options) => options.scaling,
  stepWork: (options, sizes) => lowRankWork(options, sizes),
  footprint: (options, model) => lowRankFootprint(options, model, { fullGradients: true }),
  attach: (setup, options) =>
    attachLowRank(setup, options, {
      async initialize({ gpu, fullGradients, random }, factors) {
        const bySite = new Map(factors.map((pair) => [pair.site, pair]));
        for await (const { site, gradient } of fullGradients(options.gradientBatches)) {
          const pair = bySite.get(site)!, { rank } = options;
          const svd = await truncatedSvd(gpu, gradient, 2 * rank, random.fork(`svd ${site.name}`));
          const size = site.out ** 0.25 / Math.sqrt(options.gamma);
          gpu.write(
            pair.a.value,
            Float32Array.from(svd.right.subarray(0, rank * site.in), (value) => size * value),
          );
          const b = Float32Array.from({ length: site.out * rank }, (_, i) => {
            const row = Math.floor(i / rank), column = i % rank;
            return size * svd.left[row * 2 * rank + rank + column]!;
          });
          gpu.write(pair.b.value, b);
          foldProductOut(gpu, pair);
        }
      },
    }),
});
