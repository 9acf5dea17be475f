/** @file Gathering and scattering rows on the tape: embeddings, class tokens, positions. */
import type { Gpu } from "../../gpu/gpu.ts";
import { gatherRows, gatherStoredRows, type RowGather } from "../../kernels/mod.ts";
import type { Tape, Var } from "../tape.ts";
import { isVariable, type LowPrecisionWeight } from "./matmul.ts";

/** A gather of rows and its transpose, which the backward pass needs. */
export interface RowMap {
  /** Which rows make up each row of the result. */
  readonly forward: RowGather;
  /** Which rows of the result each row went into. */
  readonly backward: RowGather;
}

/**
 * out[r] = x[index[r]]: `index` holds rows of a table with `tableRows` rows.
 *
 * @throws {RangeError} where an index lies outside the table
 */
export function gatherMap(gpu: Gpu, index: ArrayLike<number>, tableRows: number): RowMap {
  const wrong = Array.prototype.findIndex.call(index, (row: number) => !(row >= 0 && row < tableRows));
  if (wrong >= 0) {
    throw new RangeError(
      `Cannot gather row ${index[wrong]} (position ${wrong}): the table has ${tableRows} rows`,
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
export function scatterMap(gpu: Gpu, place: ArrayLike<number>, rows: number): RowMap {
  const { forward, backward } = gatherMap(gpu, place, rows);
  return { forward: backward, backward: forward };
}

/** Applies a row map to `x` `[rows, columns]`. */
export function mapRows(tape: Tape, x: Var, map: RowMap): Var {
  return tape.record({
    name: "mapRows",
    inputs: [x],
    keeps: {},
    output: gatherRows(tape.gpu, x.value, map.forward),
    backward(gradient, inputs) {
      gatherRows(tape.gpu, gradient, map.backward, inputs.target(0));
    },
  });
}

/** The same of a table that may be frozen in low precision. */
export function embed(tape: Tape, table: Var | LowPrecisionWeight, map: RowMap): Var {
  return isVariable(table)
    ? mapRows(tape, table, map)
    : tape.constant(gatherStoredRows(tape.gpu, table.value, map.forward));
}

/** Where the rows of two tensors lie in one that has those of the first and then those of the second. */
export interface RowJoin {
  /** Takes each of the two out of the whole again. */
  readonly parts: readonly [first: RowMap, second: RowMap];
}

/** A join of `first` and `second` rows. */
export function rowJoin(gpu: Gpu, first: number, second: number): RowJoin {
  const range = (from: number, count: number) => Int32Array.from({ length: count }, (_, i) => from + i);
  const total = first + second;
  return { parts: [gatherMap(gpu, range(0, first), total), gatherMap(gpu, range(first, second), total)] };
}

/** The rows of two tensors in one, `[first + second, columns]`. */
export function joinRows(tape: Tape, first: Var, second: Var, { parts }: RowJoin): Var {
  const { gpu } = tape, [one, other] = parts;
  const into = gatherRows(gpu, first.value, one.backward);
  return tape.record({
    name: "joinRows",
    inputs: [first, second],
    keeps: {},
    output: gatherRows(gpu, second.value, other.backward, { into, accumulate: true }),
    backward(gradient, inputs) {
      parts.forEach((part, input) => {
        if (inputs.wanted(input)) gatherRows(gpu, gradient, part.forward, inputs.target(input));
      });
    },
  });
}

interface HostGather {
  readonly rows: number;
  readonly offsets: Uint32Array<ArrayBuffer>;
  readonly sources: Uint32Array<ArrayBuffer>;
}

/** For each row of the table the places that name it, in order: sums are then the same on every run. */
function transpose(gather: HostGather, tableRows: number): HostGather {
  const offsets = new Uint32Array(tableRows + 1);
  for (const row of gather.sources) offsets[row + 1]!++;
  for (let row = 0; row < tableRows; row++) offsets[row + 1]! += offsets[row]!;
  const next = offsets.slice(), sources = new Uint32Array(gather.sources.length);
  gather.sources.forEach((row, place) => sources[next[row]!++] = place);
  return { rows: tableRows, offsets, sources };
}

function upload(gpu: Gpu, gather: HostGather): RowGather {
  return {
    rows: gather.rows,
    offsets: gpu.upload(gather.offsets, "u32", [gather.offsets.length], "row offsets"),
    sources: gpu.upload(gather.sources, "u32", [gather.sources.length], "row sources"),
  };
}
