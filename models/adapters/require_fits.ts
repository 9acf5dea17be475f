/** @file Whether an adapter is of a model. */
import { quote, showShape } from "../../errors/quote.ts";
import { CheckpointError } from "../checkpoints/checkpoint.ts";
import type { ParameterList } from "../weights.ts";
import type { PeftFolder } from "./read_peft.ts";

/** Holds an adapter against a model's parameters. @throws {CheckpointError} where it changes what the model has not, or not so */
export function requireFits(
  { name: folder, changes, whole }: PeftFolder,
  { id, parameters }: { readonly id: string; readonly parameters: ParameterList },
): void {
  const shapes = new Map(parameters.map(({ name, shape }) => [name, shape]));
  const fault = (reason: string) =>
    new CheckpointError(`Cannot use adapter "${folder}" with model "${id}": ${reason}`);
  for (const { path, a, b } of changes) {
    const shape = shapes.get(`${path}.weight`);
    if (!shape) throw fault(`it changes ${quote(path)}, which the model has not`);
    const own = [b.shape[0]!, a.shape[1]!];
    if (String(own) !== String(shape)) {
      throw fault(`${quote(path)} is ${showShape(own)} in it, ${showShape(shape)} is needed`);
    }
  }
  for (const [name, { shape: own }] of whole) {
    const shape = shapes.get(name);
    if (!shape) throw fault(`it replaces ${quote(name)}, which the model has not`);
    if (String(own) !== String(shape)) {
      throw fault(`${quote(name)} is ${showShape(own)} in it, ${showShape(shape)} is needed`);
    }
  }
}
