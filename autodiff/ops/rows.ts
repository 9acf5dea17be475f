/** @file Choosing and placing rows on the tape: embeddings, class tokens, positions. */
import type { Gpu } from "../../gpu/gpu.ts";
import { type RowChoice, sparseRows } from "../../kernels/mod.ts";
import type { Tape, Var } from "../tape.ts";

/** A choice of rows and its transpose, which the backward pass needs. */
export interface RowMap {
  /** Which rows make up each row of the result. */
  readonly forward: RowChoice;
  /** Which rows of the result each row went into. */
  readonly backward: RowChoice;
}

/**
 * out[r] = x[index[r]]: `index` holds rows of a table with `tableRows` rows.
 *
 * @throws {RangeError} where an index lies outside the table
 */
export function pickRows(gpu: Gpu, index: ArrayLike<number>, tableRows: number): RowMap {
  const wrong = Array.prototype.findIndex.call(index, (row: number) => !(row >= 0 && row < tableRows));
  if (wrong >= 0) {
    throw new RangeError(
      `Cannot pick row ${index[wrong]} (position ${wrong}): the table has ${tableRows} rows`,
    );
  }
  const ones = {
    rows: index.length,
    offsets: Uint32Array.from({ length: index.length + 1 }, (_, i) => i),
    sources: Uint32Array.from(index),
  };
  return { forward: upload(gpu, ones), backward: upload(gpu, transpose(ones, tableRows)) };
}

/** out[place[i]] = x[i] for a result of `rows` rows; rows that no place names are 0, rows named twice add up. */
export function placeRows(gpu: Gpu, place: ArrayLike<number>, rows: number): RowMap {
  const { forward, backward } = pickRows(gpu, place, rows);
  return { forward: backward, backward: forward };
}

/** Applies a row map to `x` `[rows, columns]`. */
export function mapRows(tape: Tape, x: Var, map: RowMap): Var {
  return tape.record({
    name: "mapRows",
    inputs: [x],
    output: sparseRows(tape.gpu, x.value, map.forward),
    backward(gradient, inputs) {
      sparseRows(tape.gpu, gradient, map.backward, inputs.target(0));
    },
  });
}

interface HostChoice {
  readonly rows: number;
  readonly offsets: Uint32Array<ArrayBuffer>;
  readonly sources: Uint32Array<ArrayBuffer>;
}

/** For each row of the table the places that name it, in order: sums are then the same on every run. */
function transpose(choice: HostChoice, tableRows: number): HostChoice {
  const offsets = new Uint32Array(tableRows + 1);
  for (const row of choice.sources) offsets[row + 1]!++;
  for (let row = 0; row < tableRows; row++) offsets[row + 1]! += offsets[row]!;
  const next = offsets.slice(), sources = new Uint32Array(choice.sources.length);
  choice.sources.forEach((row, place) => sources[next[row]!++] = place);
  return { rows: tableRows, offsets, sources };
}

function upload(gpu: Gpu, choice: HostChoice): RowChoice {
  return {
    rows: choice.rows,
    offsets: gpu.upload(choice.offsets, "u32", [choice.offsets.length], "row offsets"),
    sources: gpu.upload(choice.sources, "u32", [choice.sources.length], "row sources"),
  };
}
