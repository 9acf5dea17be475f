/**
 * @file Products of many tall matrices and of many small ones whose right factors are staged in workgroup memory: on llvmpipe
 * three to four times as fast as the kernels that every adapter has.
 */
import type { Gpu } from "../../gpu/gpu.ts";
import { defineKernel, MAX_GROUPS } from "../../gpu/kernel.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { variantsOn } from "../matmul/choice.ts";
import { kernelsByShape } from "../wgsl/by_shape.ts";
import { tileBytes } from "../wgsl/staged_tile.ts";
import { GRAM_SCHMIDT_RANK, type SmallMatrices, type TallMatrices, TILE_ROWS, tilesOf } from "./layout.ts";
import { OPERANDS, type StagedTallShape, stagedTallSource, TABLES, termsOf } from "./staged_tall_source.ts";

/** One matrix a layer, transposed where `turned`. */
export interface StagedOperand {
  readonly of: TallMatrices | SmallMatrices;
  readonly turned?: boolean;
}

/** scale · A B. */
export interface StagedTerm {
  readonly a: StagedOperand;
  readonly b: StagedOperand;
  /** 1 where absent. */
  readonly scale?: number;
}

/** C ← keep · C + the sum of one or two terms, for every layer. */
export interface StagedProducts {
  readonly rank: number;
  readonly count: number;
  /** Rows of C, which are contiguous, are its vectors. */
  readonly c: StagedOperand;
  readonly terms: readonly [StagedTerm, StagedTerm?];
  /** Which size is that of the tall matrices, where one is; the others are the rank. */
  readonly tall: "rows" | "columns" | "inner" | null;
  /** 0 where absent. */
  readonly keep?: number;
}

/** Inner steps of a tile, and numbers of workgroup memory that tiles may take. */
const STEPS = [32, 64, 128] as const, MOST_NUMBERS = 8192;
/** Rows of C of a workgroup, and columns that a lane has of them, at ranks to 32 and above. */
const NARROW = 32;

const kernelOf = kernelsByShape((shape: StagedTallShape) => {
  const { steps, columns, two } = shape, terms = termsOf(two);
  const buffers = {
    ...Object.fromEntries(terms.flatMap((t) => [[`a${t}`, "read"], [`b${t}`, "read"]] as const)),
    c: "read_write",
    ...Object.fromEntries(TABLES.map((table) => [table, "read"] as const)),
  } as Readonly<Record<string, "read" | "read_write">>;
  const uniforms = {
    ...{ rank: "u32", firstStep: "u32", jobs: "u32", tall: "u32", zero: "u32" },
    ...{ keep: "f32", scale: "f32", scale2: "f32" },
    ...Object.fromEntries(
      [...terms.flatMap((t) => [`A${t}`, `B${t}`]), "C"].flatMap((name) =>
        OPERANDS.map((what) => [`${what}${name}`, "u32"] as const)
      ),
    ),
  } as Readonly<Record<string, "u32" | "f32">>;
  return defineKernel({
    name: `tall_staged_${steps}x${columns}${two ? "_two" : ""}`,
    source: stagedTallSource(shape, { buffers, uniforms }),
    buffers,
    uniforms,
    constants: { LANES: TILE_ROWS },
    workgroupBytes: () => tileBytes({ steps, columns }),
  });
});

/** True where the adapter has these kernels and all tall matrices suit them. */
export function suitsStagedTall(gpu: Gpu, rank: number, matrices: readonly TallMatrices[]): boolean {
  const tiles = matrices.map(({ rows }) => rows.reduce((total, own) => total + tilesOf(own), 0));
  return Math.max(...tiles, 0) <= MAX_GROUPS && rank > GRAM_SCHMIDT_RANK && rank % 4 === 0 &&
    gpu.info.software &&
    variantsOn(gpu).includes("staged") &&
    matrices.every(({ whole }) => whole);
}

/** Launches products that `suitsStagedTall` takes; C is none of the factors. */
export function stagedProducts(gpu: Gpu, { rank, count, c, terms, tall, keep = 0 }: StagedProducts): void {
  const [first, second] = terms, all = second ? [first, second] : [first];
  const talls = [...all.flatMap(({ a, b }) => [a, b]), c].flatMap(({ of }) => isTall(of) ? [of] : []);
  // A table for what the first term has, for what the second has, and for C. Some buffer must be bound in any case.
  const nothing = first.a.of as SmallMatrices;
  const tableOf = ({ a, b }: StagedTerm) => [a.of, b.of].find(isTall)?.layouts;
  const t1 = tableOf(first) ?? nothing.tensor;
  const t2 = (second ? tableOf(second) : undefined) ?? t1;
  const tc = isTall(c.of) ? c.of.layouts : t1;
  const place = (name: string, { of, turned }: StagedOperand, table: number) => {
    const known = isTall(of) ? { at: 0, block: 0, row: 0, column: 0 } : {
      at: of.at,
      block: of.block,
      row: of.row,
      column: of.column,
    };
    return Object.entries({ ...known, table: (isTall(of) ? table : 0) + (turned ? 4 : 0) }).map((
      [what, value],
    ) => [`${what}${name}`, value] as const);
  };
  const rows = talls[0]?.rows ?? [];
  const inner = tall === "inner" ? Math.max(...rows) : rank;
  const fitting = STEPS.find((steps) => steps >= inner) ?? STEPS.at(-1)!;
  const columns = tall === "columns" || rank > NARROW ? TILE_ROWS : NARROW;
  const steps = Math.min(fitting, MOST_NUMBERS / columns);
  const lanes = tall === "rows" || rank > NARROW ? TILE_ROWS : NARROW;
  const kernel = kernelOf({ steps, columns, two: all.length > 1 });
  const tiles = rows.reduce((total, own) => total + tilesOf(own), 0);
  for (let firstStep = 0; firstStep < inner; firstStep += steps) {
    gpu.launch(kernel, {
      buffers: {
        ...Object.fromEntries(
          all.flatMap(({ a, b }, i) =>
            [[`a${termsOf(true)[i]}`, a.of], [`b${termsOf(true)[i]}`, b.of]] as const
          )
            .map(([name, of]) => [name, tensorOf(of)]),
        ),
        c: tensorOf(c.of),
        ...{ t1, t2, tc },
      },
      uniforms: {
        ...{ rank, firstStep, zero: 0 },
        // Behind the places come the layers, those with the most rows first, and then the tiles.
        jobs: (tall === "inner" ? 5 : 6) * count,
        tall: tall === null ? 0 : 1 + (["rows", "columns", "inner"] as const).indexOf(tall),
        // The chunks after the first add to what the first has left.
        ...{ keep: firstStep === 0 ? keep : 1, scale: first.scale ?? 1, scale2: second?.scale ?? 1 },
        ...Object.fromEntries(
          [
            ...all.flatMap(({ a, b }, i) => [
              ...place(`A${termsOf(true)[i]}`, a, 1 + i),
              ...place(`B${termsOf(true)[i]}`, b, 1 + i),
            ]),
            ...place("C", c, 3),
          ],
        ),
      },
      constants: { LANES: lanes },
      workgroups: [
        tall === "rows" ? 1 : Math.ceil(rank / lanes),
        tall === "columns" ? 1 : Math.ceil(rank / columns),
        tall === null ? count : tall === "inner" ? rows.filter((own) => own > firstStep).length : tiles,
      ],
    });
  }
}

function isTall(of: TallMatrices | SmallMatrices): of is TallMatrices {
  return "layouts" in of;
}

function tensorOf(of: TallMatrices | SmallMatrices): Tensor {
  return isTall(of) ? of.flat : of.tensor;
}
