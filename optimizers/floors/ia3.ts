/** @file IA³: what attention and feed-forward parts pass on, scaled by trained numbers. */
import { matmul } from "../../autodiff/mod.ts";
import type { Parameter } from "../../autodiff/tape.ts";
import type { TargetModule } from "../../models/model.ts";
import { weightKindOf } from "../../models/weight_kind.ts";
import {
  ADAMW_WORK,
  adamwDefaults,
  type AdamwOptions,
  adamwState,
  createAdamw,
  validateAdamw,
} from "../adamw.ts";
import { scaleColumns as scaledColumns, scaleRows } from "../dora/magnitude.ts";
import { scaleColumns } from "../dora/scale_columns.ts";
import { copyWeight } from "../module_weight.ts";
import {
  defineOptimizer,
  type Footprint,
  type ModelShapes,
  noHostState,
  type Optimizer,
  type OptimizerModule,
  type Setup,
  type StepSizes,
  type StepWork,
} from "../optimizer.ts";

/** Which of the target modules are scaled. */
const MAPS = ["paper", "all"] as const;
/** Settings of IA³. */
export type Ia3Options = AdamwOptions & {
  /** "paper" or "all". */
  maps: string;
};
const defaults: Ia3Options = { maps: "paper", ...adamwDefaults };

/** What of a linear map is scaled. */
type Side = "inputs" | "outputs";

/** Names of a feed-forward part's second map, in any family. */
const SECOND = /\.(down_proj|fc2|wo|mlp\.c_proj|lin2|output\.dense)$/;

/**
 * What of a target module is scaled: the inputs of a feed-forward part's second map, the outputs of others; null where it is left
 * as it is. By "paper" only the outputs of keys and values are, or of queries, keys and values where they are one map.
 */
export function scaledSide({ maps }: Pick<Ia3Options, "maps">, name: string): Side | null {
  const kind = weightKindOf(name);
  if (kind === "mlp" && SECOND.test(name)) return "inputs";
  return maps === "all" || kind === "k" || kind === "v" || kind === "qkv" ? "outputs" : null;
}

/** A target module with what of it is scaled, and by how many numbers. */
interface Scaled<M> {
  readonly targetModule: M;
  readonly side: Side;
  readonly size: number;
}

/** The target modules that are scaled, in their order. */
function scaledOf<M extends { readonly name: string; readonly in: number; readonly out: number }>(
  options: Ia3Options,
  targetModules: readonly M[],
): Scaled<M>[] {
  return targetModules.flatMap((targetModule) => {
    const side = scaledSide(options, targetModule.name);
    return side ? [{ targetModule, side, size: side === "inputs" ? targetModule.in : targetModule.out }] : [];
  });
}

/**
 * IA³: trained numbers l, which start at 1 and which AdamW follows, scale what maps pass on: W_eff = diag(l) W for outputs, W diag(l)
 * for inputs.
 *
 * `maps` "paper" (default) scales keys, values and what comes out of a feed-forward part's activation, the inputs of its second map, as
 * far as these are target modules. The run's other target modules stay as they are; where none is one of the three, a run is
 * refused. "all" scales the outputs of the others too. PEFT is told both lists, `target_modules` and `feedforward_modules`: its
 * own lists have these three, and GPT-2's map of queries, keys and values as one, whose outputs are then all scaled.
 *
 * Biases are added afterwards, as the harness has it for all methods, and are not scaled; PEFT scales them with the outputs. T5, which
 * the paper trains, and Llama have none. Weight decay would draw l to 0, so that the weight itself would vanish.
 *
 * Rates are 1e-3 to 1e-2 over thousands of steps (the paper has 3e-3), to 0.1 over a hundred: l moves an entry of W by its own size
 * times the rate.
 *
 * The equivalent gradient is diag(gl) W, or W diag(gl).
 * Source: Liu et al., arXiv 2205.05638, section 3.3; PEFT's `IA3Config`.
 */
export const ia3: OptimizerModule<Ia3Options> = defineOptimizer({
  id: "ia3",
  title: "IA³",
  source: "https://arxiv.org/abs/2205.05638",
  paper: {
    title: "Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context Learning",
    authors: [
      "Haokun Liu",
      "Derek Tam",
      "Mohammed Muqeeth",
      "Jay Mohta",
      "Tenghao Huang",
      "Mohit Bansal",
      "Colin Raffel",
    ],
    year: 2022,
  },
  defaults,
  validate(options, targetModules) {
    const { maps } = options;
    if (!MAPS.some((known) => known === maps)) return `maps is "${maps}", known are ${MAPS.join(", ")}`;
    if (scaledOf(options, targetModules).length === 0) {
      return `maps is "${maps}", and no target module is a map of keys or values or the second of a feed-forward part; "all" scales the outputs of others`;
    }
    return validateAdamw(options);
  },
  describe: ({ maps }) => maps === "paper" ? "keys, values, feed-forward" : "all target modules",
  stepWork,
  footprint,
  attach: (setup, options) => Promise.resolve(attach(setup, options)),
});

/** What is scaled is read and written; on the way back its gradient too, with what it was, for the sum by column. */
function stepWork(options: Ia3Options, { targetModules, parts }: StepSizes): StepWork {
  const scaled = scaledOf(options, targetModules);
  const sum = (count: (one: typeof scaled[number]) => number) =>
    scaled.reduce((total, one) => total + count(one), 0);
  const numbers = sum(({ size }) => size), moved = sum(({ targetModule, size }) => targetModule.rows * size);
  return {
    trainsAll: false,
    // The gradient of inputs that are scaled is needed even where that of x isn't.
    weightFlops: sum(({ side, targetModule: { rows, in: columns, out, inputGradient } }) =>
      side === "outputs" || inputGradient ? 0 : 2 * rows * columns * out
    ),
    factorFlops: 4 * moved,
    updateFlops: ADAMW_WORK.flops * numbers,
    elements: 5 * moved + 4 * parts * numbers,
    updateElements: ADAMW_WORK.elements * numbers,
    activations: moved,
    trained: numbers,
    added: numbers,
    state: ADAMW_WORK.state * numbers,
  };
}

/** The numbers with their moments, and ones. */
function footprint(options: Ia3Options, { targetModules, head }: ModelShapes): Footprint {
  const numbers = scaledOf(options, targetModules).map(({ size }) => size), trained = [...numbers, ...head];
  return {
    adapters: [numbers],
    trained,
    state: adamwState(trained),
    tables: [[Math.max(...numbers)]],
    scratch: [],
    // What is scaled, and its gradient.
    linear(targetModule) {
      const [scaled] = scaledOf(options, [targetModule]);
      const sizes = scaled ? [scaled.size] : [];
      return { forward: sizes, backward: sizes };
    },
    trainsWeights: false,
    trainsAll: false,
    fullGradients: false,
  };
}

function attach({ gpu, targetModules, head }: Setup, options: Ia3Options): Optimizer {
  const scaled = scaledOf(options, targetModules);
  const values = (() => {
    using _ = gpu.countAs("adapters");
    const entries = scaled.map(({ targetModule, size }) => ({
      label: `${targetModule.name}.l`,
      shape: [size],
    }));
    return gpu.pack(entries, "l").parts;
  })();
  const parameters = values.map((value): Parameter => ({ name: value.label, value }));
  scaled.forEach(({ size }, i) => gpu.write(values[i]!, new Float32Array(size).fill(1)));
  using _ = gpu.countAs("state");
  const most = Math.max(...scaled.map(({ size }) => size));
  const ones = gpu.upload(new Float32Array(most).fill(1), "f32", [most], "ones");
  const trainable = [...parameters, ...head], adamw = createAdamw(gpu, trainable, options);
  const places = new Map(
    scaled.map(({ targetModule, side, size }, i) => [
      targetModule,
      // DoRA's kernels divide by norms, which are 1 here.
      { side, parameter: parameters[i]!, norms: { ...ones, shape: [size] } },
    ]),
  );
  return {
    trainable,
    state: adamw.state,
    hostState: noHostState,
    changesWhole: true,
    linear(tape, targetModule, x) {
      const place = places.get(targetModule), weight = tape.parameter(targetModule.weight);
      if (!place) return matmul(tape, x, weight, { transposeB: true });
      const { side, parameter, norms } = place, l = tape.parameter(parameter);
      return side === "inputs"
        ? matmul(tape, scaleColumns(tape, x, l, norms), weight, { transposeB: true })
        : scaleColumns(tape, matmul(tape, x, weight, { transposeB: true }), l, norms);
    },
    step: (gradients, at) => adamw.step(gradients, at),
    effectiveWeight(targetModule) {
      const place = places.get(targetModule);
      if (!place) return copyWeight(gpu, targetModule);
      const by = { magnitude: place.parameter.value, norms: place.norms };
      return scaledWeight(targetModule, place.side, by);
    },
    equivalentGradients: (gradients) =>
      new Map(targetModules.map((targetModule) => {
        const place = places.get(targetModule);
        if (!place) {
          return [targetModule, gpu.zeros([targetModule.out, targetModule.in], "equivalent gradient")];
        }
        const by = { magnitude: gradients.of(place.parameter), norms: place.norms };
        return [targetModule, scaledWeight(targetModule, place.side, by)];
      })),
    factors: () => null,
    inspect: () => Promise.resolve({}),
  };

  /** The weight with its columns scaled, or its rows, in the caller's scope. */
  function scaledWeight(targetModule: TargetModule, side: Side, by: Parameters<typeof scaleRows>[2]) {
    using scope = gpu.scope("scaled weight");
    const weight = copyWeight(gpu, targetModule);
    return scope.keep(side === "inputs" ? scaledColumns(gpu, weight, by) : scaleRows(gpu, weight, by));
  }
}
