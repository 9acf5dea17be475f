/** @file Writes the WGSL of the blocked matrix product: both operands in workgroup memory, for GPUs with cores of their own. */
import type { KernelSpec } from "../../gpu/kernel.ts";
import { wgsl } from "../wgsl/compose.ts";
import { declarations } from "../wgsl/declarations.ts";
import { elementType, readRows, type StoredType } from "../wgsl/stored.ts";
import type { Layout } from "./product.ts";
import { storeC } from "./store.ts";

/** What varies in the text; sizes, strides and batches are uniforms. */
export interface BlockShape {
  /** "nn": A [m, k] B [k, n]. "nt": B is [n, k]. "tn": A is [k, m]. */
  readonly layout: Layout;
  /** Rows and columns of C that a workgroup computes, a multiple of `own`. */
  readonly tile: number;
  /** Rows and columns of C that a lane computes: 4 or 8. */
  readonly own: number;
  /**
   * True where the next inner steps are fetched while those at hand are multiplied, into a second pair of tiles; with a tile of
   * 64 and squares of 8, where each lane fetches four by four elements of both operands.
   */
  readonly double: boolean;
  /** True where rows of A, B or C start at multiples of four elements. */
  readonly vectorA: boolean;
  readonly vectorB: boolean;
  readonly vectorC: boolean;
  /** What B is kept in. */
  readonly typeB: StoredType;
  /** True where a second pair of factors of the same layout, not "tn", is multiplied too. */
  readonly epilogue: boolean;
  /** True where rows of both factors of the epilogue start at multiples of four elements. */
  readonly vectorEpilogue: boolean;
}

/** Inner steps in workgroup memory at a time. */
export const DEPTH = 16;

/** Lanes of a workgroup. */
export function blockLanes({ tile, own }: Pick<BlockShape, "tile" | "own">): number {
  return (tile / own) ** 2;
}

const AXES = "xyzw";
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const FOUR = range(4);

/**
 * WGSL of C = scale op(A) op(B) (+ epilogue) (+ C), batched along z, optionally split along the inner axis.
 *
 * A workgroup brings `tile` rows of A and columns of B to workgroup memory, 16 inner steps at a time, 128 * tile bytes
 * in all and twice as many with `double`, step by step so that neighbouring rows or columns are one vector. Lanes fetch four
 * by four elements, along whichever axis is contiguous. Each lane has a square of C in registers. Beyond all edges are zeros.
 * Sums have one order, with `double` and without.
 */
export function blockSource(
  shape: BlockShape,
  spec: Pick<KernelSpec, "buffers" | "uniforms">,
): string {
  const { layout, tile, own, double, vectorC, typeB, epilogue } = shape;
  const a = { vector: shape.vectorA }, b = { vector: shape.vectorB, type: typeB, count: "u.stride_b" };
  const pair = { vector: shape.vectorEpilogue };
  const rows = range(own), groups = range(own / 4);
  const types = {
    ...{ a: elementType(a), b: elementType(b), c: elementType({ vector: vectorC }) },
    ...{ epilogueA: elementType(pair), epilogueB: elementType(pair) },
  };
  const sums = rows.flatMap((i) => groups.map((g) => `var c${i}_${g} = vec4<f32>(0.0);`));
  const first = sumOver({
    ...{ a: "a", b: "b", inner: "u.inner", scale: "u.scale" },
    ...{ first: "split * u.chunk", last: "min(u.inner, split * u.chunk + u.chunk)" },
    ...{ baseA: "batch * u.stride_a", baseB: "batch * u.stride_b" },
  }, shape);
  const second = sumOver({
    ...{ a: "epilogue_a", b: "epilogue_b", inner: "u.epilogue_inner", scale: "u.epilogue_scale" },
    ...{ first: "0u", last: "u.epilogue_inner", baseA: "0u", baseB: "0u" },
  }, shape);
  const stores = rows.map((i) => {
    const columns = groups.flatMap((g) => {
      const some = vectorC ? [{ j: 0, at: "(row + n) / 4u", value: `c${i}_${g}` }] : FOUR.map((j) => ({
        ...{ j, at: "row + n", value: `c${i}_${g}.${AXES[j]}` },
      }));
      return some.map(({ j, at, value }) => storeWithin(`n0 + nx + ${4 * g + j}u`, at, value));
    });
    return wgsl`
      if (m0 + my + ${i}u < u.rows) {
        let row = c0 + (m0 + my + ${i}u) * u.columns;
        ${columns}
      }
    `;
  });

  return wgsl`
    // C = scale op(A) op(B)${
    epilogue ? " + an epilogue" : ""
  } (+ C), layout ${layout}: a workgroup has ${tile} x ${tile} elements of C, a lane ${own} x ${own}.
    ${declarations(spec, types)}

    var<workgroup> tile_a: array<vec4<f32>, ${(double ? 2 : 1) * DEPTH * tile / 4}>;
    var<workgroup> tile_b: array<vec4<f32>, ${(double ? 2 : 1) * DEPTH * tile / 4}>;

    ${readRows("a", a)}

    ${readRows("b", b)}

    ${epilogue && readRows("epilogue_a", pair)}

    ${epilogue && readRows("epilogue_b", pair)}

    ${storeC(vectorC)}

    @compute @workgroup_size(${blockLanes(shape)})
    fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
      let batch = u.first_batch + group.z / u.splits;
      let split = group.z % u.splits;
      let m0 = group.y * ${tile}u;
      let n0 = group.x * ${tile}u;
      // This lane's square within the tile.
      let my = lane / ${tile / own}u * ${own}u;
      let nx = lane % ${tile / own}u * ${own}u;
      ${sums}
      ${first}
      ${epilogue && second}
      let c0 = batch * u.stride_c + split * u.rows * u.columns;
      ${stores}
    }
  `;
}

/** WGSL that stores a value at column n, where C has it. */
function storeWithin(n: string, at: string, value: string): string {
  return wgsl`
    {
      let n = ${n};
      if (n < u.columns) {
        store(${at}, ${value});
      }
    }
  `;
}

/** WGSL that adds the products of one pair of factors, from step `first` to `last`, to the sums c<row>_<group>. */
function sumOver(
  part: {
    readonly a: string;
    readonly b: string;
    readonly first: string;
    readonly last: string;
    readonly baseA: string;
    readonly baseB: string;
    readonly inner: string;
    readonly scale: string;
  },
  { layout, tile, own, double }: BlockShape,
): string {
  const { a, b, first, last, baseA, baseB, inner, scale } = part;
  const rows = range(own), groups = range(own / 4), lanes = blockLanes({ tile, own });
  const steps = { inner, last };
  const stageA = staging({ ...steps, name: a, into: "tile_a", base: baseA, outer0: "m0", size: "u.rows" }, {
    along: layout === "tn" ? "outer" : "inner",
    tile,
  });
  const stageB = staging(
    { ...steps, name: b, into: "tile_b", base: baseB, outer0: "n0", size: "u.columns", scale },
    { along: layout === "nt" ? "inner" : "outer", tile },
  );
  const both = [stageA, stageB];
  const multiply = (at: string) =>
    wgsl`
      for (var k = 0u; k < ${DEPTH}u; k++) {
        ${groups.map((g) => `let a${g} = tile_a[${at}k * ${tile / 4}u + my / 4u + ${g}u];`)}
        ${groups.map((g) => `let b${g} = tile_b[${at}k * ${tile / 4}u + nx / 4u + ${g}u];`)}
        ${rows.flatMap((i) => groups.map((g) => `c${i}_${g} += a${i >> 2}.${AXES[i & 3]} * b${g};`))}
      }
    `;
  if (!double) {
    return wgsl`
      for (var k0 = ${first}; k0 < ${last}; k0 += ${DEPTH}u) {
        for (var block = lane; block < ${DEPTH * tile / 16}u; block += ${lanes}u) {
          ${both.flatMap(({ fetch, put }) => [...fetch("block", "k0"), ...put("")])}
        }
        workgroupBarrier();
        ${multiply("")}
        workgroupBarrier();
      }
    `;
  }
  return wgsl`
    {
      {
        ${both.flatMap(({ fetch, put }) => [...fetch("lane", first), ...put("")])}
      }
      workgroupBarrier();
      // Where the tiles at hand begin.
      var at = 0u;
      for (var k0 = ${first}; k0 < ${last}; k0 += ${DEPTH}u) {
        // On their way while others are multiplied; behind the last step zeros.
        ${both.flatMap(({ fetch }) => fetch("lane", `k0 + ${DEPTH}u`))}
        ${multiply("at + ")}
        at = ${DEPTH * tile / 4}u - at;
        ${both.flatMap(({ put }) => put("at + "))}
        workgroupBarrier();
      }
    }
  `;
}

/** WGSL that brings 16 steps of one operand to workgroup memory, four by four elements a lane. */
interface Staging {
  /** Brings block `block` of those from step `k0` on into variables, zeros beyond the edges. */
  fetch(block: string, k0: string): string[];
  /** Puts them into the tile that begins at `at`. */
  put(at: string): string[];
}

function staging(
  part: {
    /** WGSL: the operand, its tile, first element, first row of A or column of B, how many there are, inner size. */
    readonly name: string;
    readonly into: string;
    readonly base: string;
    readonly outer0: string;
    readonly size: string;
    readonly inner: string;
    /** Step at which the workgroup's part of the inner axis ends. */
    readonly last: string;
    readonly scale?: string;
  },
  how: {
    /** The axis along which memory is contiguous: inner steps, or rows of A and columns of B. */
    readonly along: "inner" | "outer";
    readonly tile: number;
  },
): Staging {
  const { name, into, base, outer0, size, inner, last, scale } = part, { along, tile } = how;
  const times = scale === undefined ? "" : `${scale} * `, quads = tile / 4;
  const [step, outer, k, o] = ["step", "outer", "k", "o"].map((what) => `${what}_${name}`);
  const at = (i: number) => `at_${name}${i}`, x = (i: number) => `x_${name}${i}`;
  // Neighbouring lanes take neighbours in memory.
  const placesOf = (block: string) =>
    along === "inner"
      ? [`${block} % ${DEPTH / 4}u`, `${block} / ${DEPTH / 4}u`]
      : [`${block} / ${quads}u`, `${block} % ${quads}u`];
  const loads = FOUR.flatMap((i) => {
    const [place, value, isInside] = along === "inner"
      ? [
        `${base} + (${o} + ${i}u) * ${inner}`,
        `${name}_4(${at(i)} + ${k}, ${at(i)} + ${last})`,
        `${o} + ${i}u < ${size} && ${k} < ${last}`,
      ]
      : [
        `${base} + (${k} + ${i}u) * ${size}`,
        `${name}_4(${at(i)} + ${o}, ${at(i)} + ${size})`,
        `${k} + ${i}u < ${last} && ${o} < ${size}`,
      ];
    return [`let ${at(i)} = ${place};`, `let ${x(i)} = select(vec4(0.0), ${value}, ${isInside});`];
  });
  return {
    fetch(block, k0) {
      const [inStep, inOuter] = placesOf(block);
      return [
        `let ${step} = ${inStep} * 4u;`,
        `let ${outer} = ${inOuter};`,
        `let ${k} = ${k0} + ${step};`,
        `let ${o} = ${outer0} + ${outer} * 4u;`,
        ...loads,
      ];
    },
    put: (first) =>
      FOUR.map((j) => {
        const value = along === "outer" ? x(j) : `vec4(${FOUR.map((i) => `${x(i)}.${AXES[j]}`).join(", ")})`;
        return `${into}[${first}(${step} + ${j}u) * ${quads}u + ${outer}] = ${times}${value};`;
      }),
  };
}
