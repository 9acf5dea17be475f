/** @file DoRA: directions of rows adapted as by LoRA, and their lengths trained by themselves. */
import { adaptedLinear } from "../../autodiff/mod.ts";
import type { Parameter } from "../../autodiff/tape.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { matmul } from "../../kernels/mod.ts";
import { ADAMW_WORK, adamwState } from "../adamw.ts";
import {
  attachLowRank,
  lowRankDefaults,
  lowRankFootprint,
  type LowRankOptions,
  lowRankWork,
  productGradient,
  validateLowRank,
  type WeightForm,
} from "../low_rank.ts";
import {
  defineOptimizer,
  type Factors,
  type ModelShapes,
  type OptimizerModule,
  type Setup,
  type StepSizes,
  type StepWork,
} from "../optimizer.ts";
import { copyWeight } from "../module_weight.ts";
import { magnitudeChange, rowNorms, scaleRows } from "./magnitude.ts";
import { scaleColumns } from "./scale_columns.ts";

/** Settings of DoRA. */
export type DoraOptions = LowRankOptions;
const defaults: DoraOptions = { ...lowRankDefaults };

/**
 * DoRA: W_eff = magnitude · V / ‖V‖ with V = W + s B A, row by row: a norm over the inputs and one trained magnitude for
 * each output, as in PEFT, which starts at the norm. Norms are constants to the backward pass, as in the paper's section
 * 4.3. AdamW follows A, B and magnitudes alike, its weight decay included.
 *
 * They are taken anew in every forward pass, by a kernel that forms V and stores nothing of it, so that they always
 * belong to the factors of the moment. A row whose norm is 0, a pruned one, has no direction: its output and its
 * gradients are 0, and it stays as it is (PEFT divides 0 by 0).
 *
 * The equivalent gradient is how W_eff moves, to first order, where A, B and magnitudes follow their gradients, which
 * regard norms as constants, while the norms themselves move with V.
 * Source: Liu et al., arXiv 2402.09353, equations 5 and 11; PEFT's `use_dora`.
 */
export const dora: OptimizerModule<DoraOptions> = defineOptimizer({
  id: "dora",
  title: "DoRA",
  source: "https://arxiv.org/abs/2402.09353",
  paper: {
    title: "DoRA: Weight-Decomposed Low-Rank Adaptation",
    authors: [
      "Shih-Yang Liu",
      "Chien-Yi Wang",
      "Hongxu Yin",
      "Pavlo Molchanov",
      "Yu-Chiang Frank Wang",
      "Kwang-Ting Cheng",
      "Min-Hung Chen",
    ],
    year: 2024,
  },
  defaults,
  validate: (options, targetModules) => validateLowRank(options, targetModules),
  describe: (options) => options.scaling,
  stepWork,
  footprint,
  attach: (setup, options) => attachLowRank(setup, options, { form: normalizedForm }),
});

/**
 * Beside LoRA's: the norms, 2 (r + 2) FLOPs a number of the weight in each part, which is read again; y rescaled on
 * the way forward and its gradient on the way back, where the magnitudes' gradient takes two more FLOPs a number.
 */
function stepWork(options: DoraOptions, sizes: StepSizes): StepWork {
  const work = lowRankWork(options, sizes), { rank } = options, { targetModules, parts } = sizes;
  const sum = (count: (targetModule: StepSizes["targetModules"][number]) => number) =>
    targetModules.reduce((total, targetModule) => total + count(targetModule), 0);
  const magnitudes = sum((targetModule) => targetModule.out),
    weights = sum((targetModule) => targetModule.in * targetModule.out);
  const outputs = sum((targetModule) => targetModule.rows * targetModule.out);
  return {
    ...work,
    factorFlops: work.factorFlops + 2 * (rank + 2) * parts * weights + 4 * outputs,
    updateFlops: work.updateFlops + ADAMW_WORK.flops * magnitudes,
    // Magnitudes and norms are read twice in a part, norms written once, the magnitudes' gradient read and written.
    elements: work.elements + 5 * outputs +
      parts * (weights + sum((targetModule) => rank * (targetModule.in + targetModule.out)) + 7 * magnitudes),
    updateElements: work.updateElements + ADAMW_WORK.elements * magnitudes,
    activations: work.activations + outputs,
    trained: work.trained + magnitudes,
    added: work.added + magnitudes,
    state: work.state + ADAMW_WORK.state * magnitudes,
  };
}

/** Beside LoRA's: magnitudes with their moments, norms; and at a target module y before it is rescaled, and its gradient. */
function footprint(options: DoraOptions, model: ModelShapes) {
  const magnitudes = model.targetModules.map((targetModule) => targetModule.out);
  const { adapters, trained, linear } = lowRankFootprint(options, { ...model, head: [] });
  return lowRankFootprint(options, model, {
    adapters: [...adapters, magnitudes],
    trained: [...trained, ...magnitudes, ...model.head],
    state: adamwState([...trained, ...magnitudes]),
    tables: [magnitudes],
    linear(targetModule) {
      const { forward, backward } = linear(targetModule), { out } = targetModule;
      return { forward: [...forward, out], backward: [...backward, out] };
    },
  });
}

/** Magnitudes times the rows of W + s·B·A, each divided by its norm. */
function normalizedForm({ gpu }: Setup, factors: readonly Factors[]): WeightForm {
  const magnitudes = packRows(gpu, factors, "adapters", "magnitude");
  const norms = packRows(gpu, factors, "state", "norm");
  const places = new Map(factors.map((pair, i) => [pair, i]));
  const added = magnitudes.map((value): Parameter => ({ name: value.label, value }));
  const measure = ({ targetModule, a, b, scale }: Factors, into: Tensor) =>
    rowNorms(gpu, targetModule.weight.value, { a: a.value, b: b.value, scale }, into);
  factors.forEach((pair, i) => measure(pair, magnitudes[i]!));

  /** The target module's magnitude, and its norms at the factors of this moment. */
  const measured = (pair: Factors) => {
    const place = places.get(pair)!;
    measure(pair, norms[place]!);
    return { magnitude: added[place]!, norms: norms[place]! };
  };
  const unscaled = ({ targetModule, a, b, scale }: Factors) =>
    matmul(gpu, b.value, a.value, { scale, into: copyWeight(gpu, targetModule), accumulate: true });

  return {
    added,
    linear(tape, pair, x) {
      const { targetModule, a, b, scale } = pair, { magnitude, norms } = measured(pair);
      const y = adaptedLinear(
        tape,
        x,
        tape.parameter(targetModule.weight),
        tape.parameter(a),
        tape.parameter(b),
        scale,
      );
      return scaleColumns(tape, y, tape.parameter(magnitude), norms);
    },
    effectiveWeight(pair) {
      using scope = gpu.scope("effective weight");
      const { magnitude, norms } = measured(pair);
      return scope.keep(scaleRows(gpu, unscaled(pair), { magnitude: magnitude.value, norms }));
    },
    equivalentGradient(pair, followed, gradients) {
      using scope = gpu.scope("equivalent gradient");
      const { magnitude, norms } = measured(pair);
      return scope.keep(
        magnitudeChange(gpu, unscaled(pair), { magnitude: magnitude.value, norms }, {
          change: productGradient(gpu, pair, followed),
          magnitudeChange: gradients.of(magnitude),
        }),
      );
    },
    // Norms and magnitudes move rows beyond the spans of B and A.
    factors: () => null,
  };
}

/** A number for each row of each weight, side by side. */
function packRows(
  gpu: Gpu,
  factors: readonly Factors[],
  category: "adapters" | "state",
  kind: string,
): readonly Tensor[] {
  using _ = gpu.countAs(category);
  return gpu.pack(
    factors.map(({ targetModule }) => ({ label: `${targetModule.name}.${kind}`, shape: [targetModule.out] })),
    kind,
  )
    .parts;
}
