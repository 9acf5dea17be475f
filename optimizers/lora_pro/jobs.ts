/** @file The parts into which passes over whole moments with staged factors are cut. */
import { MAX_GROUPS } from "../../gpu/kernel.ts";
import { TILE_ROWS, tilesOf } from "../../kernels/mod.ts";

/** Rows and columns of a layer's moments. */
export interface MomentSizes {
  readonly rows: number;
  readonly columns: number;
}

/** Jobs of one pass in one list of words, those that have the most inner steps first. */
export interface JobPlace {
  /** Word of the first one, counted from the first job of all. */
  readonly at: number;
  /** Inner steps of each. */
  readonly inner: readonly number[];
}

/** All jobs, and where those of each pass lie. */
export interface Jobs {
  readonly jobs: readonly number[];
  /** Tiles of moments: layer, tile of rows and tile of columns. */
  readonly moments: JobPlace;
  /** For U^T D: layer and tile of columns. */
  readonly ofA: JobPlace;
  /** For D L^T: layer and tile of rows. */
  readonly ofB: JobPlace;
}

/** Layers, and tiles along a side, that a job's word has room for. */
const MOST_LAYERS = 2 ** 12, MOST_TILES = 2 ** 10;

/** The jobs of some layers; none where a word or a dispatch has no room for them. */
export function jobsOf(sizes: readonly MomentSizes[]): Jobs {
  const range = (count: number) => Array.from({ length: count }, (_, i) => i);
  const tiles = sizes.reduce((sum, { rows, columns }) => sum + tilesOf(rows) * tilesOf(columns), 0);
  const fits = sizes.length <= MOST_LAYERS && tiles <= MAX_GROUPS &&
    sizes.every(({ rows, columns }) => Math.max(rows, columns) <= MOST_TILES * TILE_ROWS);
  const layers = fits ? range(sizes.length) : [];
  const moments = layers.flatMap((layer) =>
    range(tilesOf(sizes[layer]!.rows)).flatMap((row) =>
      range(tilesOf(sizes[layer]!.columns)).map((column) => ({
        word: layer + MOST_LAYERS * (row + MOST_TILES * column),
        inner: 0,
      }))
    )
  );
  const along = (width: "rows" | "columns", inner: "rows" | "columns") =>
    layers.toSorted((i, j) => sizes[j]![inner] - sizes[i]![inner] || i - j).flatMap((layer) =>
      range(tilesOf(sizes[layer]![width])).map((tile) => ({
        word: layer + MOST_LAYERS * tile,
        inner: sizes[layer]![inner],
      }))
    );
  const ofA = along("columns", "rows"), ofB = along("rows", "columns");
  const place = (jobs: typeof moments, at: number) => ({ at, inner: jobs.map(({ inner }) => inner) });
  return {
    jobs: [...moments, ...ofA, ...ofB].map(({ word }) => word),
    moments: place(moments, 0),
    ofA: place(ofA, moments.length),
    ofB: place(ofB, moments.length + ofA.length),
  };
}
