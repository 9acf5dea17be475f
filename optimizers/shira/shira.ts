/** @file SHiRA: a few entries of each weight are trained, and no more. */
import type { Parameter } from "../../autodiff/tape.ts";
import type { TargetModule } from "../../models/model.ts";
import {
  ADAMW_WORK,
  adamwDefaults,
  type AdamwOptions,
  adamwState,
  createAdamw,
  validateAdamw,
} from "../adamw.ts";
import { defineOptimizer, noHostState, type OptimizerModule, type PackSizes } from "../optimizer.ts";
import {
  type DenseSum,
  denseSum,
  drawSupport,
  scatterSparse,
  sparseLinear,
  supportWords,
  uploadSupport,
} from "./sparse.ts";

/** Settings of SHiRA. */
export type ShiraOptions = AdamwOptions & {
  /** r: r (in + out) entries of each weight are trained, as many as LoRA has numbers. */
  rank: number;
};
const defaults: ShiraOptions = { rank: 8, ...adamwDefaults };

/** Entries of a target module that are trained. */
export function entriesOf(
  { rank }: ShiraOptions,
  { in: columns, out }: { readonly in: number; readonly out: number },
): number {
  return Math.min(rank * (columns + out), columns * out);
}

/** Words of the table that says where they lie. */
function wordsOf(options: ShiraOptions, targetModule: { readonly in: number; readonly out: number }): number {
  return supportWords(targetModule, entriesOf(options, targetModule));
}

/** True where products read W + S: see `shira`. */
function isDense(
  options: ShiraOptions,
  targetModule: { readonly in: number; readonly out: number },
): boolean {
  return 16 * entriesOf(options, targetModule) > targetModule.in * targetModule.out;
}

/** W + S of each map that is dense, and room for the gradient of one. */
function denseTables(
  options: ShiraOptions,
  targetModules: readonly { readonly in: number; readonly out: number }[],
): readonly PackSizes[] {
  const sizes = targetModules.filter((targetModule) => isDense(options, targetModule))
    .map(({ in: columns, out }) => columns * out);
  return sizes.length > 0 ? [[Math.max(...sizes)], ...sizes.map((size) => [size])] : [];
}

/**
 * SHiRA: W + S, where S is 0 but at r (in + out) places, drawn once without replacement and named by the target module; all
 * places where there are no more. S starts at 0, AdamW follows its entries, and `weightDecay` shrinks them. So the change has
 * high rank and few numbers. At its entries it is full fine-tuning of the adapted maps, whose rate it has.
 *
 * The mask is the paper's random one; those by magnitude and by gradient are not offered. The gradient of S and products with
 * S are formed entry by entry where its entries are at most a sixteenth of all: PEFT forms W + S and the whole gradient
 * anywhere. Above that share W + S is kept beside W, and the gradient of one W at a time is formed whole, since dense
 * products are sooner formed.
 *
 * The equivalent gradient is the full gradient at the places of S, and 0 elsewhere.
 * Source: Bhardwaj et al., arXiv 2406.13175; PEFT's `ShiraConfig`.
 */
export const shira: OptimizerModule<ShiraOptions> = defineOptimizer({
  id: "shira",
  title: "SHiRA",
  source: "https://arxiv.org/abs/2406.13175",
  paper: {
    title: "Sparse High Rank Adapters",
    authors: [
      "Kartikeya Bhardwaj",
      "Nilesh Prasad Pandey",
      "Sweta Priyadarshi",
      "Viswanath Ganapathy",
      "Shreya Kadambi",
      "Rafael Esteves",
      "Shubhankar Borse",
      "Paul Whatmough",
      "Risheek Garrepalli",
      "Mart van Baalen",
      "Harris Teague",
      "Markus Nagel",
    ],
    year: 2024,
  },
  defaults,
  validate(options, targetModules) {
    const { rank } = options;
    if (!(Number.isInteger(rank) && rank >= 1)) {
      return `rank is ${rank}, a whole number of 1 or more is needed`;
    }
    const narrow = targetModules.find((targetModule) => rank > Math.min(targetModule.in, targetModule.out));
    if (narrow) {
      const most = Math.min(narrow.in, narrow.out);
      return `rank is ${rank}, at most ${most} is possible at target module "${narrow.name}" [${narrow.out}, ${narrow.in}]`;
    }
    return validateAdamw(options);
  },
  describe: () => "random entries",
  stepWork(options, { targetModules, parts }) {
    const sum = (count: (targetModule: typeof targetModules[number]) => number) =>
      targetModules.reduce((total, targetModule) => total + count(targetModule), 0);
    const entries = sum((targetModule) => entriesOf(options, targetModule));
    const { flops, elements, state } = ADAMW_WORK;
    return {
      trainsAll: false,
      weightFlops: 0,
      factorFlops: sum((targetModule) => {
        const { rows, in: columns, out, inputGradient } = targetModule;
        return 2 * rows *
          (isDense(options, targetModule)
            ? columns * out
            : (inputGradient ? 3 : 2) * entriesOf(options, targetModule));
      }),
      updateFlops: flops * entries,
      elements: sum((targetModule) => {
        const dense = isDense(options, targetModule), { rows, in: columns, out } = targetModule;
        return rows * (columns + out) * (dense ? 1 : 4) +
          parts * (8 * entriesOf(options, targetModule) + (dense ? 4 * columns * out : 0));
      }),
      updateElements: elements * entries,
      activations: 0,
      trained: entries,
      added: entries,
      state: state * entries + sum((targetModule) => wordsOf(options, targetModule)),
    };
  },
  footprint(options, { targetModules, head }) {
    const entries = targetModules.map((targetModule) => entriesOf(options, targetModule));
    const trained = [...entries, ...head];
    return {
      adapters: [entries],
      trained,
      // Moments, and where the entries lie.
      state: [
        ...adamwState(trained),
        ...targetModules.map((targetModule) => [wordsOf(options, targetModule)]),
      ],
      tables: denseTables(options, targetModules),
      scratch: [],
      linear: () => ({ forward: [], backward: [] }),
      trainsWeights: false,
      trainsAll: false,
      fullGradients: false,
    };
  },
  attach({ gpu, targetModules, head, random }, options) {
    const values = (() => {
      using _ = gpu.countAs("adapters");
      const entries = targetModules.map((targetModule) => ({
        label: `${targetModule.name}.S`,
        shape: [entriesOf(options, targetModule)],
      }));
      return gpu.pack(entries, "sparse changes").parts;
    })();
    const parameters = values.map((value): Parameter => ({ name: value.label, value }));
    using _ = gpu.countAs("state");
    const supports = targetModules.map((targetModule) => {
      const places = drawSupport(
        random.fork(`${targetModule.name}.S`),
        targetModule,
        entriesOf(options, targetModule),
      );
      return uploadSupport(gpu, targetModule, places, `${targetModule.name}.support`);
    });
    const trainable = [...parameters, ...head], adamw = createAdamw(gpu, trainable, options);
    // A run can't go on without its places, which are words and not numbers.
    const kept = supports.map(({ table }): Parameter => ({
      name: table.label,
      value: { ...table, dtype: "f32" },
    }));
    const wholes = targetModules.filter((targetModule) => isDense(options, targetModule));
    const most = Math.max(...wholes.map(({ in: columns, out }) => columns * out));
    const room = wholes.length > 0 ? gpu.empty([most], "gradient of a sum") : null;
    const sums = targetModules.map((targetModule): DenseSum | null => {
      if (!room || !isDense(options, targetModule)) return null;
      const shape = [targetModule.out, targetModule.in];
      return { sum: gpu.empty(shape, `${targetModule.name} sum`), gradient: { ...room, shape } };
    });
    const indices = new Map(targetModules.map((targetModule, i) => [targetModule, i]));
    const placeOf = (targetModule: TargetModule): number => {
      const i = indices.get(targetModule);
      if (i !== undefined) return i;
      throw new Error(
        `Cannot find the entries of target module "${targetModule.name}": it is not adapted in this run`,
      );
    };
    return Promise.resolve({
      trainable,
      state: [...adamw.state, ...kept],
      hostState: noHostState,
      changesWhole: true,
      linear(tape, targetModule, x) {
        const i = placeOf(targetModule), support = supports[i]!, dense = sums[i]!;
        if (dense) denseSum(gpu, support, targetModule, values[i]!, dense.sum);
        return sparseLinear(tape, x, targetModule, tape.parameter(parameters[i]!), { support, dense });
      },
      step: (gradients, at) => adamw.step(gradients, at),
      effectiveWeight(targetModule) {
        const i = placeOf(targetModule), { out, in: columns } = targetModule;
        const weight = gpu.empty([out, columns], `${targetModule.name} effective`);
        return denseSum(gpu, supports[i]!, targetModule, values[i]!, weight);
      },
      equivalentGradients: (gradients) =>
        new Map(targetModules.map((targetModule, i) => {
          const into = gpu.zeros(targetModule.weight.value.shape, `${targetModule.name} equivalent gradient`);
          scatterSparse(gpu, supports[i]!, gradients.of(parameters[i]!), into);
          return [targetModule, into];
        })),
      factors: () => null,
      inspect: () => Promise.resolve({}),
    });
  },
});
