/** @file What training a model takes under each choice that saves memory, by formula: before any weight is there. */
import type { RowLengths } from "../../models/architecture.ts";
import type { Options } from "../../optimizers/optimizer.ts";
import { bytesOfTables, predictMemory } from "../../training/cost/memory.ts";
import type { KnownModel, KnownOptimizer } from "../../training/configuration.ts";
import type { MemoryOptions, RunConfig } from "../../training/run.ts";

/** What frozen weights can be kept as, the most bits first. */
export const PRECISIONS = [
  "f32",
  "f16",
  "int8",
  "nf4",
] as const satisfies readonly MemoryOptions["frozenWeights"][];

/** Memory of cards that are sold, in 10⁹ bytes. */
export const CARDS = [8, 12, 16, 24, 32, 48, 80, 141] as const;
/** What of a card's memory a run may take: the driver and the desktop have the rest. */
const SHARE = 0.9;

/** What can be done about activations: kept as they are, kept in 16 bits, or computed again in two ways. */
const ACTIVATIONS = [
  { checkpointing: "none", activations: "f32" },
  { checkpointing: "none", activations: "f16" },
  { checkpointing: "blocks", activations: "f32" },
  { checkpointing: "blocks-f16", activations: "f32" },
] as const satisfies readonly MemoryOptions[];

/** A method to train with. */
export interface AskedMethod {
  readonly module: KnownOptimizer;
  /** Complete, the rank among them. */
  readonly options: Options;
}

/** What a run takes at most, by what frozen weights are kept as; null where the method trains those weights. */
export type PeakBytes = Readonly<Record<typeof PRECISIONS[number], number | null>>;

/** What a method takes. */
export interface MemoryChoices {
  readonly method: string;
  /** Null for a method without. */
  readonly rank: number | null;
  readonly checkpointing: NonNullable<MemoryOptions["checkpointing"]>;
  readonly activations: NonNullable<MemoryOptions["activations"]>;
  readonly peakBytes: PeakBytes;
}

/**
 * Peak bytes of training on batches of `batchSize` examples of such lengths, with all linear maps adapted. As
 * `predictMemory` counts: validation, scoring and measurements are left out.
 */
export function memoryChoices(
  model: KnownModel,
  methods: readonly AskedMethod[],
  { lengths, batchSize }: { readonly lengths: RowLengths; readonly batchSize: number },
): MemoryChoices[] {
  const shaped = { ...model, ...model.ofLengths(lengths) };
  return methods.flatMap(({ module, options }) =>
    ACTIVATIONS.map((kept) => {
      const peakOf = (frozenWeights: typeof PRECISIONS[number]) => {
        const config = {
          ...{
            targetModules: ["*"],
            optimizer: { id: module.id, options },
            steps: 1,
            batchSize,
            accumulate: 1,
          },
          memory: { frozenWeights, ...kept },
        } as unknown as RunConfig;
        const sizes = { targetModules: model.targetModules(), parameters: [], head: [] };
        const { trainsWeights } = module.footprint(options, sizes);
        if (trainsWeights && frozenWeights !== "f32") return null;
        return predictMemory(config, shaped, module).peakBytes;
      };
      const peakBytes = Object.fromEntries(PRECISIONS.map((one) => [one, peakOf(one)])) as PeakBytes;
      const { rank = null } = options as { readonly rank?: number };
      return { method: module.id, rank, ...kept, peakBytes };
    })
  );
}

/** The smallest card that holds so many bytes with a tenth to spare, in 10⁹ bytes; null where none does. */
export function cardFor(bytes: number): number | null {
  return CARDS.find((card) => bytes <= SHARE * card * 1e9) ?? null;
}

/** Bytes of a model's tables, embedding and output map, by what they are kept in; null where they always take 32 bits. */
export function tableBytes(
  model: Pick<KnownModel, "tables" | "parameters">,
): Readonly<Record<typeof PRECISIONS[number], number>> | null {
  if (!model.tables?.length) return null;
  const bytes = PRECISIONS.map((one) => [one, bytesOfTables(model, one)]);
  return Object.fromEntries(bytes) as Record<typeof PRECISIONS[number], number>;
}
