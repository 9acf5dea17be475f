/** @file How a method's step compares with the full gradient, site by site. */
import type { Gradients } from "../autodiff/tape.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { type Tensor, withShape } from "../gpu/tensor.ts";
import { add, dot, FactorPairs, matmul } from "../kernels/mod.ts";
import type { LinearSite } from "../models/model.ts";
import type { Factors, Optimizer } from "../optimizers/optimizer.ts";
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
  const sites = [...full].map(([site, gradient]) => {
    const equivalent = optimizer.equivalentGradient(site, gradients);
    const factors = optimizer.factors(site);
    // For full fine-tuning the effective weight is the weight itself, which the step will change.
    const before = gpu.empty([site.out, site.in], `${site.name} before`);
    gpu.copy(optimizer.effectiveWeight(site), before);
    return {
      site,
      gradient,
      before,
      hasFactors: factors !== null,
      squared: dot(gpu, gradient, gradient),
      equivalentSquared: dot(gpu, equivalent, equivalent),
      overlap: dot(gpu, equivalent, gradient),
      error: squaredNorm(gpu, add(gpu, equivalent, gradient, 1, -1)),
      beyond: squaredNorm(gpu, factors ? beyondReach(gpu, gradient, factors) : gradient),
    };
  });
  return {
    async finish(step) {
      const moves = sites.map(({ site, before, gradient }) => {
        const move = add(gpu, before, optimizer.effectiveWeight(site), 1, -1);
        return { squared: squaredNorm(gpu, move), overlap: dot(gpu, move, gradient) };
      });
      const scalars = sites.flatMap((site, i) => [
        site.squared,
        site.equivalentSquared,
        site.overlap,
        site.error,
        site.beyond,
        moves[i]!.squared,
        moves[i]!.overlap,
      ]);
      const values = (await gpu.downloadAll(scalars)).map((value) => value[0]!);
      return sites.flatMap(({ site, hasFactors }, i): Discrepancy[] => {
        const [squared, equivalentSquared, overlap, error, beyond, moved, along] = values.slice(7 * i) as [
          number,
          number,
          number,
          number,
          number,
          number,
          number,
        ];
        const norm = Math.sqrt(squared);
        const found = {
          step,
          site: site.name,
          gradientError: Math.sqrt(error) / norm,
          lowerBound: hasFactors ? Math.sqrt(beyond) / norm : null,
          gradientCosine: overlap / (norm * Math.sqrt(equivalentSquared)),
          updateCosine: along / (norm * Math.sqrt(moved)),
        };
        return Object.values(found).every((value) => typeof value !== "number" || Number.isFinite(value))
          ? [found]
          : [];
      });
    },
  };
}

function squaredNorm(gpu: Gpu, x: Tensor): Tensor {
  return dot(gpu, x, x);
}

/** (I − P_B) G (I − P_A): the part of the gradient that no change of the factors can follow. */
function beyondReach(gpu: Gpu, gradient: Tensor, { a, b, scale }: Factors): Tensor {
  const { left } = new FactorPairs(gpu, [{ a: a.value, b: b.value, scale }]).decompose();
  const columns = withShape(left.b, b.value.shape), rows = withShape(left.a, a.value.shape);
  const rest = gpu.empty(gradient.shape, "beyond B's columns");
  gpu.copy(gradient, rest);
  matmul(gpu, columns, matmul(gpu, columns, gradient, { transposeA: true }), {
    scale: -1,
    into: rest,
    accumulate: true,
  });
  const inRows = matmul(gpu, rest, rows, { transposeB: true });
  return matmul(gpu, inRows, rows, { scale: -1, into: rest, accumulate: true });
}
