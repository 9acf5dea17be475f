/** @file The ways a model's linear maps are computed: as they are, adapted by a method, merged, or watched. */
import { addRow, matmul } from "../autodiff/mod.ts";
import type { Tape, Var } from "../autodiff/tape.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { Forward, LinearSite } from "../models/model.ts";
import type { Optimizer } from "../optimizers/optimizer.ts";

/** x W_effᵀ + b, with the product formed by `product`. */
function forwardWith(tape: Tape, product: (site: LinearSite, x: Var) => Var): Forward {
  return {
    tape,
    linear(site, x) {
      const y = product(site, x);
      return site.bias ? addRow(tape, y, tape.parameter(site.bias)) : y;
    },
  };
}

/** The model's own weights. */
export function plainForward(tape: Tape): Forward {
  return forwardWith(tape, (site, x) => matmul(tape, x, tape.parameter(site.weight), { transposeB: true }));
}

/** The method's linear maps at its sites, the model's own elsewhere. */
export function adaptedForward(tape: Tape, optimizer: Optimizer, sites: ReadonlySet<LinearSite>): Forward {
  const plain = (site: LinearSite, x: Var) =>
    matmul(tape, x, tape.parameter(site.weight), { transposeB: true });
  return forwardWith(tape, (site, x) => sites.has(site) ? optimizer.linear(tape, site, x) : plain(site, x));
}

/** Weights that were merged once, for evaluation: as fast for every method. */
export function mergedForward(tape: Tape, weights: ReadonlyMap<LinearSite, Tensor>): Forward {
  return forwardWith(tape, (site, x) => {
    const weight = weights.get(site);
    return matmul(tape, x, weight ? tape.constant(weight) : tape.parameter(site.weight), {
      transposeB: true,
    });
  });
}

/** What went through a site: y = x W_effᵀ. */
export interface Tap {
  readonly site: LinearSite;
  readonly x: Var;
  readonly y: Var;
}

/** A forward that also keeps input and output of each of `sites`, from which dL/dW_eff = dYᵀ X follows. */
export function tappedForward(
  inner: Forward,
  sites: ReadonlySet<LinearSite>,
): { readonly forward: Forward; readonly taps: Tap[] } {
  const taps: Tap[] = [];
  return {
    taps,
    forward: {
      tape: inner.tape,
      linear(site, x) {
        const y = inner.linear(site, x);
        if (sites.has(site)) taps.push({ site, x, y });
        return y;
      },
    },
  };
}
