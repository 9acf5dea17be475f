/** @file What a model's weights are kept in, and whether an adapter takes them: asked before they are read. */
import type { Gpu } from "../../gpu/gpu.ts";
import { byteLength, type LowPrecision } from "../../gpu/tensor.ts";
import type { ModelEntry } from "../../models/entry.ts";
import type { Precisions } from "../../models/weights.ts";
import { UserError } from "../../errors/user_error.ts";
import { matchTargetModules } from "../configuration.ts";
import type { MemoryOptions } from "../run.ts";

/**
 * What weights are kept in, by name: adapted target modules, where frozen weights have less than 32 bits, and tables of a
 * vocabulary where embeddings have.
 */
export function precisionsOf(
  targetModules: readonly string[],
  { frozenWeights = "f32", frozenEmbeddings = "f32" }: Pick<
    MemoryOptions,
    "frozenWeights" | "frozenEmbeddings"
  > = {},
  entry: Pick<ModelEntry, "targetModules" | "tables">,
): Precisions {
  const adapted = frozenWeights === "f32" ? [] : matchTargetModules(targetModules, entry.targetModules());
  return new Map([
    ...adapted.map(({ name }) => [name, frozenWeights as LowPrecision] as const),
    ...frozenEmbeddings === "f32"
      ? []
      : (entry.tables ?? []).map((name) => [name, frozenEmbeddings] as const),
  ]);
}

/**
 * Refuses a model with a weight that no kernel could bind on this adapter.
 *
 * @throws {UserError} naming the weight, its size and what the adapter allows
 */
export function requireBindings(
  gpu: Gpu,
  { id, parameters }: Pick<ModelEntry, "id" | "parameters">,
  precisions: Precisions,
): void {
  const most = gpu.mostTensorBytes;
  for (const { name, shape } of parameters) {
    const [, dtype = "f32"] = precisions.entries().find(([targetModule]) =>
      name === targetModule || `.${name}`.endsWith(`.${targetModule}.weight`)
    ) ?? [];
    const bytes = byteLength({ shape, dtype });
    if (bytes > most) {
      throw new UserError(
        `Cannot use model "${id}" on adapter "${gpu.info.adapter}": its weight "${name}" [${shape}] has ${bytes} bytes, the adapter binds at most ${most}`,
      );
    }
  }
}
