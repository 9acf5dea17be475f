/** @file What a stored run trained, as changes of the weights that it began with. */
import { system } from "../../system/mod.ts";
import { UserError } from "../../errors/user_error.ts";
import { type Checkpoint, CheckpointError } from "../../models/checkpoints/checkpoint.ts";
import { openSafetensors } from "../../models/checkpoints/read_safetensors.ts";
import {
  type HostValues,
  joined,
  type LowRankChange,
  type TrainedWeights,
} from "../../models/adapters/low_rank_change.ts";
import type { ModelEntry } from "../../models/entry.ts";
import type { Options } from "../../optimizers/optimizer.ts";
import type { RunResult } from "../run.ts";

/**
 * Reads what a run trained.
 *
 * @param path of the file that `--keep trained` wrote
 * @param entry the run's model
 * @throws {UserError} where there is no such file, where it is of another run, and where the run's method trained what is no
 * change of this kind
 * @throws {CheckpointError} where the file can't be read
 */
export async function readTrained(
  path: string,
  { id, config }: Pick<RunResult, "id" | "config">,
  entry: Pick<ModelEntry, "parameters" | "targetModules">,
): Promise<TrainedWeights> {
  let file: Checkpoint;
  try {
    file = await openSafetensors(path);
  } catch (error) {
    if (!(error instanceof CheckpointError) || system.faultOf(error.cause) !== "missing") throw error;
    throw new UserError(
      `Cannot read what run ${id} trained: it was not kept, there is no ${path}; --keep trained keeps it while a sweep runs`,
    );
  }
  if (file.metadata["run"] !== id) {
    throw new UserError(`Cannot read what run ${id} trained: ${path} is of run ${file.metadata["run"]}`);
  }
  const scales = JSON.parse(file.metadata["scales"] ?? "{}") as Readonly<Record<string, number>>;
  const names = new Set(file.tensors.keys()), parameters = entry.parameters.map(({ name }) => name);
  const take = (name: string): HostValues | undefined => {
    const tensor = file.tensors.get(name);
    if (!tensor) return undefined;
    names.delete(name);
    return { shape: tensor.shape, data: tensor.data };
  };
  const whole = new Map(parameters.flatMap((name) => {
    const tensor = take(name);
    return tensor ? [[name, tensor] as const] : [];
  }));
  const changes = entry.targetModules().flatMap(({ name }): LowRankChange[] => {
    const a = take(`${name}.A`),
      b = take(`${name}.B`),
      e = take(`${name}.E`),
      magnitude = take(`${name}.magnitude`);
    const a0 = take(`${name}.A0`), b0 = take(`${name}.B0`);
    // diag(E) A, which is in the file for those that look at products alone.
    take(`${name}.EA`);
    if (!a || !b) return [];
    const parameter = parameters.find((one) => one === `${name}.weight` || one.endsWith(`.${name}.weight`));
    return [{
      path: parameter!.slice(0, -".weight".length),
      a,
      b,
      scale: scales[name] ?? scaleOf(config.optimizer.options),
      ...(a0 && b0 && { start: { a: a0, b: b0 } }),
      ...(e && { e }),
      ...(magnitude && { magnitude }),
    }];
  });
  const [other] = names;
  if (other !== undefined) {
    throw new UserError(
      `Cannot take what run ${id} trained: "${config.optimizer.id}" trained "${other}", which is no part of a low-rank change of a weight`,
    );
  }
  if (changes.length + whole.size === 0) {
    throw new UserError(`Cannot read what run ${id} trained: ${path} is empty`);
  }
  return { changes, whole };
}

/** s of a method whose factors alone do not give the change. */
function scaleOf({ alpha = 1, rank = 1, scaling }: Options): number {
  return Number(alpha) / (scaling === "alpha/sqrt(r)" ? Math.sqrt(Number(rank)) : Number(rank));
}

/** What an adapter and what was trained on top of it are together; why there is no such adapter where lengths of rows are in the way. */
export function onTopOf(start: TrainedWeights, own: TrainedWeights): TrainedWeights | string {
  if (own.changes.length === 0) return own;
  const paths = new Set([...start.changes, ...own.changes].map(({ path }) => path));
  const changes = Array.from(paths, (path) => {
    const first = start.changes.find((one) => one.path === path),
      second = own.changes.find((one) => one.path === path);
    return first && second ? joined(first, second) : first ?? second!;
  });
  if (!changes.every((change) => change !== null)) {
    return "it began with an adapter, and DoRA's lengths of rows keep the two apart";
  }
  return { changes, whole: new Map([...start.whole, ...own.whole]) };
}
