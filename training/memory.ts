/** @file Bytes that a run takes on the GPU, by formula and without one: what sweeps are planned with. */
import type { Category } from "../gpu/pool.ts";
import {
  alignBytes,
  allocatedBytes,
  byteLength,
  type DType,
  ELEMENT_BYTES,
  elementCount,
} from "../gpu/tensor.ts";
import type { Kept, TapeTensors } from "../models/tape_tensors.ts";
import type { Footprint, PackSizes } from "../optimizers/optimizer.ts";
import { type KnownModel, type KnownOptimizer, matchSites } from "./configuration.ts";
import type { RunConfig } from "./run.ts";

/** Bytes as `Cost` has them: of live tensors while attaching and training. */
export interface PredictedMemory {
  /** Bytes of the method's state alone, without what lies between its tensors. */
  readonly stateBytes: number;
  /** Most bytes at a time. */
  readonly peakBytes: number;
  /** Most bytes of each category; they need not be reached at the same moment. */
  readonly peakBytesByCategory: Readonly<Record<Exclude<Category, "data">, number>>;
}

/**
 * The memory that a complete config will take with examples of the model's full length.
 *
 * What outlives a step is exact, as long as it fits the adapter's largest buffers. Activations are counted tensor by
 * tensor; partial sums that a kernel frees at once are left out, and where only upper blocks are adapted, all of the
 * lowest adapted block is counted. Training is predicted, validation and telemetry are not, as in `Cost`.
 */
export function predictMemory(config: RunConfig, model: KnownModel, method: KnownOptimizer): PredictedMemory {
  const sites = matchSites(config.sites, model.sites());
  const parameters = model.parameters.map(({ shape }) => elementCount(shape));
  const footprint = method.footprint(config.optimizer.options, { sites, parameters, head: [] });
  const tape = model.memory.tape(Math.ceil(config.batchSize / config.accumulate));
  const firstBlock = footprint.trainsAll ? -1 : Math.min(...sites.map(({ name }) => blockOf(name)));
  const checkpointing = config.memory?.checkpointing === "blocks";
  const passOf = (firstTrained: number, linear: Footprint["linear"]) =>
    passBytes(
      tape,
      model.memory.layers,
      { firstTrained, checkpointing },
      (block) =>
        keptBytes(
          sites.filter(({ name }) => blockOf(name) === block).flatMap((site) =>
            linear(site).map((numbers) => [1, numbers * tape.rows] as const)
          ),
        ),
    );

  const half = new Set(
    config.memory?.frozenWeights === "f16" ? sites.map(({ name }) => name) : [],
  );
  const isHalf = (parameter: string) =>
    sites.some(({ name }) => half.has(name) && parameter.endsWith(`.${name}.weight`));
  const numbersOf = (halves: boolean) =>
    model.parameters.filter(({ name }) => isHalf(name) === halves).map(({ shape }) => elementCount(shape));
  const weights = packBytes(numbersOf(false)) + packBytes(numbersOf(true), "f16") +
    sum(model.memory.constants, (numbers) => packBytes([numbers]));
  const adapters = packsBytes(footprint.adapters);
  const state = packsBytes([...footprint.state, ...footprint.tables]);
  // Beside the gradients: the loss's own, the norm, where the run diverged, and every step's loss.
  const gradients = packBytes(footprint.trained) + packsBytes([[1], [1], [1], [config.steps]]);
  const activations = passOf(firstBlock, footprint.linear);
  const scratch = packsBytes(footprint.scratch);
  const attaching = footprint.fullGradients
    ? {
      gradients: packBytes(sites.map((site) => site.in * site.out)) + packBytes([1]),
      activations: passOf(Math.min(...sites.map(({ name }) => blockOf(name))), () => []),
    }
    : { gradients: 0, activations: 0 };
  return {
    stateBytes: ELEMENT_BYTES * sum(footprint.state.flat(), (numbers) => numbers),
    peakBytes: weights + adapters + Math.max(
      state + gradients + Math.max(activations, scratch),
      attaching.gradients + attaching.activations,
    ),
    peakBytesByCategory: {
      weights,
      adapters,
      state,
      gradients: Math.max(gradients, attaching.gradients),
      activations: Math.max(activations, attaching.activations),
      scratch,
    },
  };
}

/** Most bytes of a forward and a backward pass. `own` are those that the method adds to a block. */
function passBytes(
  tape: TapeTensors,
  blocks: number,
  { firstTrained, checkpointing }: { readonly firstTrained: number; readonly checkpointing: boolean },
  own: (block: number) => number,
): number {
  const trainsBelow = firstTrained < 0, lowest = Math.max(0, firstTrained), trained = blocks - lowest;
  const around = keptBytes(tape.around), below = trainsBelow ? keptBytes(tape.below) : 0;
  const stream = keptBytes([[1, tape.stream]]);
  const backward = keptBytes(tape.backward), unwanted = trainsBelow ? 0 : keptBytes(tape.inputGradient);
  const forward = keptBytes(tape.forward);
  if (!checkpointing) {
    const all = Array.from({ length: blocks }, (_, block) => own(block));
    return around + below + blocks * forward + trained * backward - unwanted + sum(all, (bytes) => bytes);
  }
  // When a block is computed again, the outputs of all blocks are there, and the gradients of the outputs above it.
  const again = (block: number, saved: number) =>
    (blocks + blocks - 1 - block) * stream + forward + backward - saved + own(block);
  const most = Math.max(again(lowest, unwanted), trained > 1 ? again(lowest + 1, 0) : 0);
  return around + Math.max(most, (blocks + trained) * stream + below);
}

/** The block that a site lies in: sites are named "layers.<block>.<map>" in every family. */
function blockOf(site: string): number {
  return Number(/^layers\.(\d+)\./.exec(site)?.[1]);
}

/** Bytes of tensors that lie side by side, as `gpu.pack` allocates them. */
export function packBytes(sizes: PackSizes, dtype: DType = "f32"): number {
  return sizes.length === 0
    ? 0
    : allocatedBytes(sum(sizes, (numbers) => alignBytes(byteLength({ shape: [numbers], dtype }))));
}

/** Bytes of several packs. */
export function packsBytes(packs: readonly PackSizes[]): number {
  return sum(packs, (sizes) => packBytes(sizes));
}

/** Bytes of tensors by themselves. */
function keptBytes(tensors: Kept): number {
  return sum(tensors, ([count, numbers]) => count * allocatedBytes(ELEMENT_BYTES * numbers));
}

function sum<T>(items: readonly T[], measure: (item: T) => number): number {
  return items.reduce((total, item) => total + measure(item), 0);
}
