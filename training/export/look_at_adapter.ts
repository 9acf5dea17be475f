/** @file What an adapter does to each weight of its base model: ranks, norms, directions, and how far it is from a run's. */
import { UserError } from "../../errors/user_error.ts";
import { addChange, type LowRankChange, pairOf } from "../../models/adapters/low_rank_change.ts";
import { type PeftFolder, readPeftFolder } from "../../models/adapters/read_peft.ts";
import { requireFits } from "../../models/adapters/require_fits.ts";
import { baseWeights } from "../../models/base_weights.ts";
import type { ModelEntry } from "../../models/entry.ts";
import { effectiveRank } from "../../numerics/effective_rank.ts";
import { type Matrix, multiply, transpose } from "../../numerics/matrix.ts";
import { orthonormalBasis, singularValuesOnHost } from "../../numerics/svd.ts";
import { countIntruders, normOf } from "../telemetry/change.ts";

/** What is known of an adapter's change of one linear map. */
export interface MapLook {
  /** Name of the map in the whole model. */
  readonly path: string;
  /** Block of the model, from 0; null where the name has no number. */
  readonly layer: number | null;
  /** The last part of the name, e.g. "q_proj". */
  readonly kind: string;
  /** Rank of the factors. */
  readonly rank: number;
  /** Singular values of the change, descending; of DoRA's null where a side is longer than 512. */
  readonly singularValues: readonly number[] | null;
  /** How many of them are above a millionth of the largest. */
  readonly used: number | null;
  /** exp of the entropy of their shares: see numerics/effective_rank.ts. */
  readonly effectiveRank: number | null;
  /** Frobenius norm of the change. */
  readonly norm: number;
  /** The same over that of the base weight. */
  readonly relativeNorm: number;
  /** How many of the first 10 left singular vectors of the tuned weight are none of the base weight's; null beyond sides of 512. */
  readonly intruders: number | null;
  /** How it compares with the same map's change in a run; null without one. */
  readonly toRun: { readonly cosine: number; readonly distance: number } | null;
}

/** What is known of an adapter. */
export interface AdapterLook {
  readonly adapter: Pick<PeftFolder, "name" | "base" | "method">;
  readonly model: string;
  readonly maps: readonly MapLook[];
  /** Parameters that it replaces, e.g. a head. */
  readonly whole: readonly string[];
  /** Numbers that it has. */
  readonly count: number;
}

/** Sides up to which whole weights are decomposed. */
export const MOST_SIDE = 512;
/** Share of the largest singular value below which one is rounding. */
const ROUNDING = 1e-6;

/**
 * Looks at an adapter beside its base model.
 *
 * Intruder dimensions are those of `countIntruders`.
 *
 * @param run changes of a run on the same model, to compare with
 * @throws {CheckpointError} where the adapter or the model can't be read, or don't fit each other
 */
export async function lookAtAdapter(
  folder: string,
  entry: ModelEntry,
  run: readonly LowRankChange[] = [],
): Promise<AdapterLook> {
  const adapter = await readPeftFolder(folder);
  // A head of other classes is no part of what is looked at.
  requireFits({ ...adapter, whole: new Map() }, entry);
  if (run.length > 0 && !adapter.changes.some(({ path }) => run.some((own) => own.path === path))) {
    throw new UserError(`Cannot compare ${folder} with the run: they change no weight in common`);
  }
  const weights = await baseWeights(entry),
    shapes = new Map(entry.parameters.map(({ name, shape }) => [name, shape]));
  const maps = adapter.changes.map((change): MapLook => {
    const name = `${change.path}.weight`,
      shape = shapes.get(name)!,
      [rows, columns] = shape as [number, number];
    const base = weights(name, shape), small = Math.min(rows, columns) <= MOST_SIDE;
    const tuned = base.slice();
    addChange(tuned, change);
    const matrix = (data: ArrayLike<number>) => ({ rows, columns, data });
    const difference = () => matrix(Float64Array.from(tuned, (value, i) => value - base[i]!));
    const values = change.magnitude
      ? small ? singularValuesOnHost(difference()) : null
      : productValues(change) ?? singularValuesOnHost(difference());
    const norm = values ? normOf(values) : normOf(difference().data), [first] = values ?? [];
    const other = run.find(({ path }) => path === change.path);
    const kept = values &&
      Array.from(values).slice(0, change.magnitude ? undefined : pairOf(change).a.shape[0]);
    return {
      path: change.path,
      layer: layerOf(change.path),
      kind: change.path.split(".").at(-1)!,
      rank: change.a.shape[0]!,
      singularValues: kept,
      used: values && Array.from(values).filter((value) => value > ROUNDING * first!).length,
      effectiveRank: values && effectiveRank(values, ROUNDING * first!),
      norm,
      relativeNorm: norm / normOf(base),
      intruders: small ? countIntruders(matrix(base), matrix(tuned)) : null,
      toRun: other ? compare(difference().data, changeOf(base, other), norm) : null,
    };
  });
  const count = [
    ...adapter.changes.flatMap(({ a, b, e, magnitude }) => [a, b, e, magnitude]),
    ...adapter.whole.values(),
  ]
    .reduce((sum, values) => sum + (values?.data.length ?? 0), 0);
  return { adapter, model: entry.id, maps, whole: [...adapter.whole.keys()], count };
}

/** The first number of a name. */
function layerOf(path: string): number | null {
  const number = path.split(".").find((part) => /^\d+$/.test(part));
  return number === undefined ? null : Number(number);
}

/** Singular values of s·B·A by the small product of its triangular parts; null where a factor is wider than long. */
function productValues(change: LowRankChange): Float64Array | null {
  const { a, b } = pairOf(change),
    [rank, columns] = a.shape as [number, number],
    [rows] = b.shape as [number];
  if (rank > Math.min(rows, columns)) return null;
  const left: Matrix = { rows, columns: rank, data: Float64Array.from(b.data) };
  const right = transpose({ rows: rank, columns, data: Float64Array.from(a.data) });
  const triangle = (tall: Matrix) => multiply(transpose({ ...tall, data: orthonormalBasis(tall) }), tall);
  const core = multiply(triangle(left), transpose(triangle(right)));
  return singularValuesOnHost(core).map((value) => change.scale * value);
}

function changeOf(base: Float32Array, change: LowRankChange): Float64Array {
  const tuned = base.slice();
  addChange(tuned, change);
  return Float64Array.from(tuned, (value, i) => value - base[i]!);
}

/** Cosine of two changes, and the norm of their difference over that of the second. */
function compare(own: ArrayLike<number>, other: Float64Array, norm: number): NonNullable<MapLook["toRun"]> {
  let inner = 0, apart = 0;
  other.forEach((value, i) => {
    inner += value * own[i]!;
    apart += (value - own[i]!) ** 2;
  });
  const length = normOf(other);
  return {
    cosine: norm * length === 0 ? 0 : inner / (norm * length),
    distance: length === 0 ? Infinity : Math.sqrt(apart) / length,
  };
}
