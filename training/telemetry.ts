/** @file How a method's step compares with the full gradient, site by site. */
import type { Gradients } from "../autodiff/tape.ts";
import type { Gpu } from "../gpu/gpu.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { add, createComparisons, FactorPairs, groupPairs, matmul } from "../kernels/mod.ts";
import type { LinearSite } from "../models/model.ts";
import type { Optimizer } from "../optimizers/optimizer.ts";
import type { Discrepancy } from "./run.ts";

/** A measurement of one step; its tensors live in the scope that it was begun in. */
export interface Measurement {
  /** After the method's step: compares, waits for the GPU, returns what is finite. */
  finish(step: number): Promise<Discrepancy[]>;
}

/** Takes what is needed before the method's step, from raw gradients (before clipping) at the current weights. */
export function beginMeasurement(
  gpu: Gpu,
  optimizer: Optimizer,
  full: ReadonlyMap<LinearSite, Tensor>,
  gradients: Gradients,
): Measurement {
  const comparisons = createComparisons(gpu, 3 * full.size);
  const equivalents = optimizer.equivalentGradients(gradients);
  const beyond = beyondReach(gpu, optimizer, full);
  const sites = [...full].map(([site, gradient]) => {
    // For full fine-tuning the effective weight is the weight itself, which the step will change.
    const before = gpu.empty([site.out, site.in], `${site.name} before`);
    gpu.copy(optimizer.effectiveWeight(site), before);
    comparisons.add(equivalents.get(site)!, gradient);
    const rest = beyond.get(site);
    comparisons.add(rest ?? gradient, rest ?? gradient);
    return { site, gradient, before, hasFactors: rest !== undefined };
  });
  return {
    async finish(step) {
      for (const { site, before, gradient } of sites) {
        comparisons.add(add(gpu, before, optimizer.effectiveWeight(site), 1, -1), gradient);
      }
      const found = await comparisons.read();
      return sites.flatMap(({ site, hasFactors }, i): Discrepancy[] => {
        const equivalent = found[2 * i]!, rest = found[2 * i + 1]!, move = found[2 * sites.length + i]!;
        const norm = Math.sqrt(equivalent.yy);
        const discrepancy = {
          step,
          site: site.name,
          gradientError: Math.sqrt(equivalent.distance) / norm,
          lowerBound: hasFactors ? Math.sqrt(rest.xx) / norm : null,
          gradientCosine: equivalent.xy / (norm * Math.sqrt(equivalent.xx)),
          updateCosine: move.xy / (norm * Math.sqrt(move.xx)),
        };
        return Object.values(discrepancy).every((value) =>
            typeof value !== "number" || Number.isFinite(value)
          )
          ? [discrepancy]
          : [];
      });
    },
  };
}

/** (I − P_B) G (I − P_A) of each site with factors: the part of the gradient that no change of them can follow. */
function beyondReach(
  gpu: Gpu,
  optimizer: Optimizer,
  full: ReadonlyMap<LinearSite, Tensor>,
): ReadonlyMap<LinearSite, Tensor> {
  const factored = [...full].flatMap(([site, gradient]) => {
    const factors = optimizer.factors(site);
    return factors
      ? [{ site, gradient, pair: { a: factors.a.value, b: factors.b.value, scale: factors.scale } }]
      : [];
  });
  const out = new Map<LinearSite, Tensor>();
  for (const group of groupPairs(factored.map(({ pair }) => pair))) {
    const pairs = new FactorPairs(gpu, group.map((i) => factored[i]!.pair));
    const { left } = pairs.decompose();
    for (const i of group) {
      const { site, gradient, pair } = factored[i]!;
      const columns = { ...left.b, offset: pair.b.offset - pairs.flats.b.offset, shape: pair.b.shape };
      const rows = { ...left.a, offset: pair.a.offset - pairs.flats.a.offset, shape: pair.a.shape };
      const rest = gpu.empty(gradient.shape, `${site.name} beyond reach`);
      gpu.copy(gradient, rest);
      const inColumns = matmul(gpu, columns, gradient, { transposeA: true, seldom: true });
      matmul(gpu, columns, inColumns, { scale: -1, into: rest, accumulate: true, seldom: true });
      const inRows = matmul(gpu, rest, rows, { transposeB: true, seldom: true });
      out.set(site, matmul(gpu, inRows, rows, { scale: -1, into: rest, accumulate: true, seldom: true }));
    }
  }
  return out;
}
