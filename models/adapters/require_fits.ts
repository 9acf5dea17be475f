/** @file Whether an adapter is of a model. */
import { quote, showShape } from "../../errors/quote.ts";
import { CheckpointError } from "../checkpoints/checkpoint.ts";
import type { ModelFamily } from "../model.ts";
import type { AdapterHead } from "../entry.ts";
import type { ParameterList } from "../weights.ts";
import type { PeftFolder } from "./read_peft.ts";

/** What an adapter is held against. */
interface Fitted {
  readonly id: string;
  readonly family: ModelFamily;
  readonly parameters: ParameterList;
  readonly tables?: readonly string[];
  withNewHead?(classes: number): { readonly parameters: ParameterList; readonly newHead?: ParameterList };
}

/**
 * Holds an adapter against a model's parameters. A head may be of other classes: a new one takes its place, or `baseWeights`
 * refuses it where the model's own is asked for.
 *
 * @throws {CheckpointError} where it changes what the model has not, or not so
 */
export function requireFits(adapter: PeftFolder, model: Fitted): void {
  const { name: folder, changes, whole, tiesWeights } = adapter;
  // Of some models only a new head is one.
  const shapes = new Map([...shapesOf(model.withNewHead?.(2) ?? model), ...shapesOf(model)]);
  const heads = headsOf(model);
  const fault = (reason: string) =>
    new CheckpointError(`Cannot use adapter "${folder}" with model "${model.id}": ${reason}`);
  for (const { path, a, b } of changes) {
    const shape = shapes.get(`${path}.weight`);
    if (!shape) throw fault(`it changes ${quote(path)}, which the model has not`);
    requireShape(fault, path, [b.shape[0]!, a.shape[1]!], shape);
  }
  for (const [name, { shape: own }] of whole) {
    const shape = shapes.get(name);
    if (!shape) throw fault(`it replaces ${quote(name)}, which the model has not`);
    if (!heads.has(name)) requireShape(fault, name, own, shape);
    if (!tiesWeights && isShared(name, model)) {
      throw fault(
        `it replaces ${
          quote(name)
        } in one of the places where the model uses it, "ensure_weight_tying": true is needed`,
      );
    }
  }
}

/** True of an embedding that the model uses in a second place: as its head, or as the embedding of a second part. */
function isShared(name: string, { family, tables = [] }: Pick<Fitted, "family" | "tables">): boolean {
  const hasHead = tables.includes("lm_head.weight");
  return tables.includes(name) && name !== "lm_head.weight" &&
    (family === "encoder-decoder" || (family === "decoder" && !hasHead));
}

/** The classifier that an adapter of a model brings; null where it brings none. */
export function adapterHead({ whole }: Pick<PeftFolder, "whole">, model: Fitted): AdapterHead | null {
  const name = [...headsOf(model)].find((name) => whole.has(name));
  if (name === undefined) return null;
  const classes = whole.get(name)!.shape[0] ?? 0;
  const lacking = model.withNewHead!(classes).newHead!.find(({ name, shape }) =>
    String(whole.get(name)?.shape) !== String(shape)
  );
  return { classes, lacks: lacking?.name ?? null };
}

/** @throws {CheckpointError} where an adapter's tensor has another shape than is asked for */
export function requireShape(
  fault: (reason: string) => CheckpointError,
  name: string,
  own: readonly number[],
  wanted: readonly number[],
): void {
  if (String(own) === String(wanted)) return;
  throw fault(`${quote(name)} is ${showShape(own)} in it, ${showShape(wanted)} is needed`);
}

function shapesOf({ parameters }: Pick<Fitted, "parameters">): ReadonlyMap<string, readonly number[]> {
  return new Map(parameters.map(({ name, shape }) => [name, shape]));
}

/** Parameters of which there are more where there are more classes. */
function headsOf(model: Fitted): ReadonlySet<string> {
  if (!model.withNewHead) return new Set();
  const two = shapesOf(model.withNewHead(2)), three = shapesOf(model.withNewHead(3));
  return new Set(
    [...two].flatMap(([name, shape]) => String(shape) === String(three.get(name)) ? [] : [name]),
  );
}
