/** @file OFT: the inputs of each map are turned, block by block, by trained rotations. */
import { matmul } from "../../autodiff/mod.ts";
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
import { copyWeight } from "../module_weight.ts";
import { defineOptimizer, type ModelShapes, noHostState, type OptimizerModule } from "../optimizer.ts";
import { cayley, cayleyChange, MAX_BLOCK, rotateBlocks, rotateColumns } from "./rotations.ts";

/** Settings of OFT. */
export type OftOptions = AdamwOptions & {
  /** Most columns of a block, from 2 to 32. */
  block: number;
};
const defaults: OftOptions = { block: 32, ...adamwDefaults };

/** Columns of a target module's blocks: the largest divisor of its inputs that is at most `block`. */
export function blockOf({ block }: OftOptions, { in: columns }: { readonly in: number }): number {
  for (let size = Math.min(block, columns); size > 1; size--) if (columns % size === 0) return size;
  return 1;
}

/**
 * OFT, in the form that turns inputs (OFTv2): W_eff = W Rᵀ, y = (x R) Wᵀ, R being diagonal of in/b rotations of b columns each,
 * R = (I − Q)(I + Q)⁻¹ for skew Q of b (b − 1)/2 trained numbers, which start at 0. AdamW follows them. W W^T stays as it is: the
 * lengths of rows, the angles between them, and all singular values. So a change that is no rotation is out of reach.
 *
 * `block` is b, where it divides the inputs, and its largest divisor below where it doesn't. PEFT's default is the first terms
 * of a series in the place of the inverse, and those of −Q: its switch `use_cayley_neumann` turns trained rotations around,
 * and its series moves W Wᵀ. The inverse here is exact. Rates are LoRA's.
 *
 * The equivalent gradient is W dRᵀ with dR = −(I + R) dQ (I + R) / 2: how W_eff moves where q follows its gradient.
 * Source: Qiu et al., arXiv 2306.07280; OFTv2, arXiv 2506.19847; PEFT's `OFTConfig`.
 */
export const oft: OptimizerModule<OftOptions> = defineOptimizer({
  id: "oft",
  title: "OFT",
  source: "https://arxiv.org/abs/2306.07280",
  paper: {
    title: "Controlling Text-to-Image Diffusion by Orthogonal Finetuning",
    authors: [
      "Zeju Qiu",
      "Weiyang Liu",
      "Haiwen Feng",
      "Yuxuan Xue",
      "Yao Feng",
      "Zhen Liu",
      "Dan Zhang",
      "Adrian Weller",
      "Bernhard Schölkopf",
    ],
    year: 2023,
  },
  defaults,
  validate(options, targetModules) {
    const { block } = options;
    if (!(Number.isInteger(block) && block >= 2 && block <= MAX_BLOCK)) {
      return `block is ${block}, a whole number from 2 to ${MAX_BLOCK} is needed`;
    }
    const prime = targetModules.find((targetModule) => blockOf(options, targetModule) === 1);
    if (prime) {
      return `block is ${block}, and no number from 2 to ${block} divides the ${prime.in} inputs of target module "${prime.name}"`;
    }
    return validateAdamw(options);
  },
  describe: ({ block }) => `blocks of ${block}`,
  stepWork(options, { targetModules, parts }) {
    const sum = (count: (targetModule: typeof targetModules[number]) => number) =>
      targetModules.reduce((total, targetModule) => total + count(targetModule), 0);
    const numbers = sum(({ in: columns }) => columns * (blockOf(options, { in: columns }) - 1) / 2);
    const { flops, elements, state } = ADAMW_WORK;
    const size = (columns: number) => blockOf(options, { in: columns });
    return {
      trainsAll: false,
      // The gradient of what is turned is needed even where that of x isn't.
      weightFlops: sum(({ rows, in: columns, out, inputGradient }) =>
        inputGradient ? 0 : 2 * rows * columns * out
      ),
      // Forward, rotations' gradients and the input's, and the map's inverse and gradient of each block in each part.
      factorFlops: sum(({ rows, in: columns, inputGradient }) =>
        2 * rows * columns * size(columns) * (inputGradient ? 3 : 2) +
        6 * parts * columns * size(columns) ** 2
      ),
      updateFlops: flops * numbers,
      elements: sum(({ rows, in: columns, inputGradient }) =>
        rows * columns * (inputGradient ? 6 : 4) + 5 * parts * columns * size(columns)
      ),
      updateElements: elements * numbers,
      activations: sum(({ rows, in: columns }) => rows * columns),
      trained: numbers,
      added: numbers,
      state: state * numbers,
    };
  },
  footprint(options, { targetModules, head }) {
    const numbers = targetModules.map((targetModule) =>
      targetModule.in * (blockOf(options, targetModule) - 1) / 2
    );
    const rotations = rotationSizes(options, targetModules), trained = [...numbers, ...head];
    return {
      adapters: [numbers],
      trained,
      state: adamwState(trained),
      // Rotations, and room for the gradient of one module's.
      tables: [rotations, [Math.max(...rotations)]],
      scratch: [],
      // What is turned, and its gradient.
      linear: (targetModule) => ({ forward: [targetModule.in], backward: [targetModule.in] }),
      trainsWeights: false,
      trainsAll: false,
      fullGradients: false,
    };
  },
  attach({ gpu, targetModules, head }, options) {
    const shapes = targetModules.map((targetModule) => {
      const size = blockOf(options, targetModule);
      return { name: targetModule.name, blocks: targetModule.in / size, size };
    });
    const pack = (category: "adapters" | "state", kind: string, shapeOf: (size: number) => number[]) => {
      using _ = gpu.countAs(category);
      return gpu.pack(
        shapes.map(({ name, blocks, size }) => ({
          label: `${name}.${kind}`,
          shape: [blocks, ...shapeOf(size)],
        })),
        kind,
      ).parts;
    };
    const q = pack("adapters", "Q", (size) => [size * (size - 1) / 2]);
    const parameters = q.map((value): Parameter => ({ name: value.label, value }));
    const rotations = pack("state", "R", (size) => [size, size]);
    using _ = gpu.countAs("state");
    const room = gpu.empty([Math.max(...rotationSizes(options, targetModules))], "gradients of rotations");
    const trainable = [...parameters, ...head], adamw = createAdamw(gpu, trainable, options);
    const places = new Map(targetModules.map((targetModule, i) => [targetModule, i]));
    /** The module's numbers and its rotations, made of them at this moment. */
    const turned = (targetModule: TargetModule) => {
      const i = places.get(targetModule);
      if (i === undefined) {
        throw new Error(
          `Cannot find rotations of target module "${targetModule.name}": it is not adapted in this run`,
        );
      }
      cayley(gpu, q[i]!, rotations[i]!);
      return { parameter: parameters[i]!, rotations: rotations[i]! };
    };
    return Promise.resolve({
      trainable,
      state: adamw.state,
      hostState: noHostState,
      changesWhole: true,
      linear(tape, targetModule, x) {
        const { parameter, rotations } = turned(targetModule);
        const through = { rotations, room: { ...room, shape: rotations.shape } };
        const inputs = rotateColumns(tape, x, tape.parameter(parameter), through);
        return matmul(tape, inputs, tape.parameter(targetModule.weight), { transposeB: true });
      },
      step: (gradients, at) => adamw.step(gradients, at),
      effectiveWeight(targetModule) {
        using scope = gpu.scope("effective weight");
        const { rotations } = turned(targetModule);
        return scope.keep(rotateBlocks(gpu, copyWeight(gpu, targetModule), rotations, { turned: true }));
      },
      equivalentGradients: (gradients) =>
        new Map(targetModules.map((targetModule) => {
          using scope = gpu.scope("equivalent gradient");
          const { parameter, rotations } = turned(targetModule);
          const change = gpu.empty(rotations.shape, "change of rotations");
          cayleyChange(gpu, rotations, gradients.of(parameter), change);
          const weight = copyWeight(gpu, targetModule);
          return [targetModule, scope.keep(rotateBlocks(gpu, weight, change, { turned: true }))];
        })),
      factors: () => null,
      inspect: () => Promise.resolve({}),
    });
  },
});

/** Numbers of each target module's rotations. */
function rotationSizes(options: OftOptions, targetModules: ModelShapes["targetModules"]): readonly number[] {
  return targetModules.map((targetModule) => targetModule.in * blockOf(options, targetModule));
}
