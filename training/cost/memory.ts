/** @file Bytes that a run takes on the GPU, by formula and without one: what sweeps are planned with. */
import type { Category } from "../../gpu/pool.ts";
import {
  alignBytes,
  allocatedBytes,
  byteLength,
  type DType,
  ELEMENT_BYTES,
  elementCount,
  LOW_PRECISIONS,
  type LowPrecision,
} from "../../gpu/tensor.ts";
import { isOfKind } from "../../models/parameter_kind.ts";
import type { Kept, TapeTensors } from "../../models/tape_tensors.ts";
import type { Footprint, PackSizes } from "../../optimizers/optimizer.ts";
import { allOptions, type KnownModel, type KnownOptimizer, matchTargetModules } from "../configuration.ts";
import { alsoTrained } from "../also_trained.ts";
import { momentGroups } from "../loop/moment_groups.ts";
import type { MemoryOptions, RunConfig } from "../run.ts";

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
 * The memory that a complete config will take on a model as it will be: with its head, and for rows as long as its
 * `memory` is of.
 *
 * What outlives a step is exact, as long as it fits the adapter's largest buffers. Activations are counted tensor by
 * tensor; partial sums that a kernel frees at once are left out, and where only upper blocks are adapted, all of the
 * lowest adapted block is counted. Training is predicted, validation and telemetry are not, as in `Cost`.
 */
export function predictMemory(config: RunConfig, model: KnownModel, method: KnownOptimizer): PredictedMemory {
  const targetModules = matchTargetModules(config.targetModules, model.targetModules());
  const parameters = model.parameters.map(({ shape }) => elementCount(shape));
  const also = alsoTrained(config, method, model, targetModules);
  const footprint = method.footprint(allOptions(method, config), {
    targetModules,
    parameters,
    head: [...model.newHead ?? [], ...also].map(({ shape }) => elementCount(shape)),
  });
  // Counted as if it lay below all blocks, unless it is the head.
  const trainsBelow = footprint.trainsAll || also.some(({ name }) => !isOfKind("head", name));
  const tape = model.memory.tape(Math.ceil(config.batchSize / config.accumulate));
  const targetModulesIn = (block: number) =>
    targetModules.filter(({ name }) => model.memory.blockOf(name) === block);
  const { checkpointing = "none", activations: kept = "f32" } = config.memory ?? {};
  const passOf = (trainsBelow: boolean, linear: Footprint["linear"] | null) =>
    passBytes(
      tape,
      { trainsBelow, trains: (block) => targetModulesIn(block).length > 0, checkpointing, kept },
      (block, pass) =>
        targetModulesIn(block).flatMap((targetModule) =>
          (linear?.(targetModule)[pass] ?? [])
            .map((numbers) => [1, numbers * tape.rows(targetModule.name)] as const)
        ),
    );

  const { frozenWeights = "f32", frozenEmbeddings = "f32" } = config.memory ?? {};
  const isAdapted = (parameter: string) =>
    targetModules.some(({ name }) => `.${parameter}`.endsWith(`.${name}.weight`));
  const typeOf = (name: string) =>
    model.tables?.includes(name) ? frozenEmbeddings : isAdapted(name) ? frozenWeights : "f32";
  const numbersIn = (type: typeof frozenWeights) =>
    model.parameters.filter(({ name }) => typeOf(name) === type).map(({ shape }) => elementCount(shape));
  const weights = sum(["f32", ...LOW_PRECISIONS] as const, (type) => packBytes(numbersIn(type), type)) +
    sum(model.memory.constants, (numbers) => packBytes([numbers]));
  const adapters = packsBytes(footprint.adapters);
  const state = packsBytes([...footprint.state, ...footprint.tables]);
  // Beside the gradients: the loss's own, the norm, where the run diverged, and every step's loss.
  const gradients = packBytes(footprint.trained) + packsBytes([[1], [1], [1], [config.steps]]);
  const activations = passOf(trainsBelow, footprint.linear);
  const scratch = packsBytes(footprint.scratch);
  const attaching = footprint.fullGradients || footprint.inputMoments
    ? {
      gradients: packBytes([1]) + Math.max(
        footprint.fullGradients ? packBytes(targetModules.map((one) => one.in * one.out)) : 0,
        ...footprint.inputMoments
          ? momentGroups(targetModules).map((group) => packBytes(group.map((one) => one.in ** 2)))
          : [],
      ),
      // Inputs of all maps have gradients where moments are taken.
      activations: passOf(footprint.inputMoments !== undefined, null),
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

/** What of a pass is differentiated, and how. */
interface Trained {
  /** True where embeddings are trained. */
  readonly trainsBelow: boolean;
  /** Whether something of a block is trained. */
  trains(block: number): boolean;
  readonly checkpointing: NonNullable<MemoryOptions["checkpointing"]>;
  /** What blocks keep is kept as. */
  readonly kept: NonNullable<MemoryOptions["activations"]>;
}

/** Most bytes of a forward and a backward pass. `own` are those that the method adds to a block's pass. */
function passBytes(
  tape: TapeTensors,
  { trainsBelow, trains, checkpointing, kept }: Trained,
  own: (block: number, pass: "forward" | "backward") => Kept,
): number {
  const { blocks, between } = tape;
  // Blocks come in the order of the forward pass: those that one reads are decided before it.
  const differentiated: boolean[] = [];
  /** Whether the gradient of what a block takes in is needed. */
  const wantsInput = (block: number) => {
    const { input } = blocks[block]!;
    return trainsBelow || (input !== null && differentiated[input]!);
  };
  blocks.forEach(({ source }, block) => {
    const wantsSource = source !== undefined && differentiated[source.block]!;
    differentiated.push(trains(block) || wantsInput(block) || wantsSource);
  });
  /** What of a block is differentiated for the stack that it looks at alone; null for other blocks. */
  const onlySource = (block: number) =>
    trains(block) || wantsInput(block) ? null : blocks[block]!.source ?? null;
  const backwardOf = (block: number): number => {
    if (!differentiated[block]) return 0;
    const { backward, inputGradient } = blocks[block]!;
    const unwanted = wantsInput(block) ? 0 : keptBytes(inputGradient);
    return keptBytes(backward) + keptBytes(own(block, "backward")) - unwanted -
      keptBytes(onlySource(block)?.before ?? []);
  };
  const streamOf = (block: number) => keptBytes([[1, blocks[block]!.stream]]);
  const { part, backward: afterLoss } = tape.loss ?? { part: [], backward: [] };
  const around = keptBytes(tape.around);
  const behind = keptBytes(afterLoss) +
    (between && differentiated[between.block] ? keptBytes(between.backward) : 0) +
    (trainsBelow ? keptBytes(tape.shared ?? []) : 0);
  const again = checkpointing !== "none", halves = !again && kept === "f16";
  // What a block's forward pass makes, and what of it the backward pass reads: its output is neither kept nor freed with it.
  const forwardOf = (block: number) => {
    const { forward, exact, unkept = [] } = blocks[block]!;
    return keptBytes([...forward, ...own(block, "forward"), ...exact, ...unkept]);
  };
  const readBack = (block: number, bytes: (tensors: Kept) => number) => {
    const { forward, exact, stream } = blocks[block]!;
    const unkept = bytes([[1, stream], ...onlySource(block)?.unkept ?? []]);
    return bytes([...forward, ...own(block, "forward")]) - unkept + keptBytes(exact);
  };
  const keptOf = (block: number) =>
    again || !differentiated[block] ? 0 : readBack(block, halves ? halfBytes : keptBytes);
  // Of the output of the block that it reads: what stays in 16 bits, and what is there in 32 only while it is computed.
  const inputOf = (block: number) => {
    const { input } = blocks[block]!;
    if (input === null || !(halves || checkpointing === "blocks-f16")) return { half: 0, whole: 0 };
    const isKept = !halves || wantsInput(block);
    return { half: isKept ? halfBytes([[1, blocks[input]!.stream]]) : 0, whole: streamOf(input) };
  };
  let left = 0, most = 0;
  for (const block of blocks.keys()) {
    const { half, whole } = inputOf(block);
    most = Math.max(most, left + (again ? half : 0) + forwardOf(block));
    left += keptOf(block) + streamOf(block) + half - whole;
  }
  most = Math.max(most, left + keptBytes(part));
  // From the top down; a block gives back what its forward pass left.
  for (const block of [...blocks.keys()].reverse()) {
    if (!differentiated[block]) continue;
    const given = blocks.some(({ input }, above) => input === block && wantsInput(above))
      ? streamOf(block)
      : 0;
    const { half, whole } = inputOf(block), below = left + behind + given;
    if (again) most = Math.max(most, below + whole + forwardOf(block));
    // In the place of what was kept in 16 bits comes the same in 32; what is computed again comes beside its input.
    left -= keptOf(block) + (halves ? half : 0);
    const inputInWhole = half > 0 ? whole : 0;
    most = Math.max(
      most,
      left + behind + given + inputInWhole + readBack(block, keptBytes) + backwardOf(block),
    );
  }
  const lowest = wantsInput(0) ? streamOf(0) : 0;
  return around + Math.max(most, left + behind + lowest + (trainsBelow ? keptBytes(tape.below) : 0));
}

/** Bytes of a vocabulary's tables, embedding and output map, that are kept in a precision. */
export function bytesOfTables(
  { tables = [], parameters }: Pick<KnownModel, "tables" | "parameters">,
  type: "f32" | LowPrecision,
): number {
  const kept = parameters.filter(({ name }) => tables.includes(name));
  return packBytes(kept.map(({ shape }) => elementCount(shape)), type);
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

/** Bytes of tensors by themselves where each is in 16 bits, unless that saves nothing. */
function halfBytes(tensors: Kept): number {
  return sum(
    tensors,
    ([count, numbers]) => count * allocatedBytes(byteLength({ shape: [numbers], dtype: "f16" })),
  );
}

/** Bytes of tensors by themselves. */
function keptBytes(tensors: Kept): number {
  return sum(tensors, ([count, numbers]) => count * allocatedBytes(ELEMENT_BYTES * numbers));
}

function sum<T>(items: readonly T[], measure: (item: T) => number): number {
  return items.reduce((total, item) => total + measure(item), 0);
}
