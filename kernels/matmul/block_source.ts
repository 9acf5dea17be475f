/** @file Writes the WGSL of the blocked matrix product: both operands in workgroup memory, for GPUs with cores of their own. */
import { operandSource } from "./operand_source.ts";
import type { Layout } from "./product.ts";

/** What varies in the text; sizes, strides and batches are uniforms. */
export interface BlockShape {
  /** "nn": A [m, k] B [k, n]. "nt": B is [n, k]. "tn": A is [k, m]. */
  readonly layout: Layout;
  /** Rows and columns of C that a workgroup computes, a multiple of `own`. */
  readonly tile: number;
  /** Rows and columns of C that a lane computes: 4 or 8. */
  readonly own: number;
  /** True where rows of A, B or C start at multiples of four elements. */
  readonly vectorA: boolean;
  readonly vectorB: boolean;
  readonly vectorC: boolean;
  /** True where B holds 16-bit floats. */
  readonly half: boolean;
  /** True where a second pair of factors of the same layout, not "tn", is multiplied too. */
  readonly joined: boolean;
  /** True where rows of both joined factors start at multiples of four elements. */
  readonly vectorJoined: boolean;
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
 * WGSL of C = scale op(A) op(B) (+ joined) (+ C), batched along z, optionally split along the inner axis.
 *
 * A workgroup brings `tile` rows of A and columns of B to workgroup memory, 16 inner steps at a time, 128 * tile bytes
 * in all, step by step so that neighbouring rows or columns are one vector. Lanes fetch four by four elements, along
 * whichever axis is contiguous. Each lane has a square of C in registers. Beyond all edges are zeros.
 */
export function blockSource(shape: BlockShape): string {
  const { layout, tile, own, vectorA, vectorB, vectorC, half, joined, vectorJoined } = shape;
  const rows = range(own), groups = range(own / 4), lanes = blockLanes(shape);
  const lines: string[] = [];
  const say = (...text: string[]) => lines.push(...text);

  say(
    `struct Uniforms {
  rows: u32, inner: u32, columns: u32, scale: f32,
  stride_a: u32, stride_b: u32, stride_c: u32,
  first_batch: u32, splits: u32, chunk: u32, accumulate: u32,
  joined_inner: u32, joined_scale: f32,
}`,
    operandSource(0, "a", { vector: vectorA }),
    operandSource(1, "b", { vector: vectorB, half }),
    joined ? operandSource(2, "joined_a", { vector: vectorJoined }) : "",
    joined ? operandSource(3, "joined_b", { vector: vectorJoined }) : "",
    `@group(0) @binding(${joined ? 4 : 2}) var<storage, read_write> c: array<${
      vectorC ? "vec4<f32>" : "f32"
    }>;
@group(0) @binding(${joined ? 5 : 3}) var<uniform> u: Uniforms;
var<workgroup> tile_a: array<vec4<f32>, ${DEPTH * tile / 4}>;
var<workgroup> tile_b: array<vec4<f32>, ${DEPTH * tile / 4}>;
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let batch = u.first_batch + group.z / u.splits;
  let split = group.z % u.splits;
  let m0 = group.y * ${tile}u;
  let n0 = group.x * ${tile}u;
  // This lane's square within the tile.
  let my = lane / ${tile / own}u * ${own}u;
  let nx = lane % ${tile / own}u * ${own}u;`,
  );
  for (const i of rows) for (const g of groups) say(`var c${i}_${g} = vec4<f32>(0.0);`);
  const pair = (part: {
    readonly a: string;
    readonly b: string;
    readonly first: string;
    readonly last: string;
    readonly baseA: string;
    readonly baseB: string;
    readonly inner: string;
    readonly scale: string;
  }) => {
    const { a, b, first, last, baseA, baseB, inner, scale } = part;
    const steps = { inner, last };
    say(`for (var k0 = ${first}; k0 < ${last}; k0 += ${DEPTH}u) {`);
    say(...staging({ ...steps, name: a, into: "tile_a", base: baseA, outer0: "m0", size: "u.rows" }, {
      along: layout === "tn" ? "outer" : "inner",
      ...{ tile, lanes },
    }));
    say(
      ...staging({ ...steps, name: b, into: "tile_b", base: baseB, outer0: "n0", size: "u.columns", scale }, {
        along: layout === "nt" ? "inner" : "outer",
        ...{ tile, lanes },
      }),
    );
    say("workgroupBarrier();", `for (var k = 0u; k < ${DEPTH}u; k++) {`);
    for (const g of groups) say(`let a${g} = tile_a[k * ${tile / 4}u + my / 4u + ${g}u];`);
    for (const g of groups) say(`let b${g} = tile_b[k * ${tile / 4}u + nx / 4u + ${g}u];`);
    for (const i of rows) for (const g of groups) say(`c${i}_${g} += a${i >> 2}.${AXES[i & 3]} * b${g};`);
    say("}", "workgroupBarrier();", "}");
  };
  pair({
    ...{ a: "a", b: "b", inner: "u.inner", scale: "u.scale" },
    ...{ first: "split * u.chunk", last: "min(u.inner, split * u.chunk + u.chunk)" },
    ...{ baseA: "batch * u.stride_a", baseB: "batch * u.stride_b" },
  });
  if (joined) {
    pair({
      ...{ a: "joined_a", b: "joined_b", inner: "u.joined_inner", scale: "u.joined_scale" },
      ...{ first: "0u", last: "u.joined_inner", baseA: "0u", baseB: "0u" },
    });
  }

  say("let c0 = batch * u.stride_c + split * u.rows * u.columns;");
  for (const i of rows) {
    say(`if (m0 + my + ${i}u < u.rows) { let row = c0 + (m0 + my + ${i}u) * u.columns;`);
    for (const g of groups) {
      const store = (j: number, at: string, value: string) =>
        say(
          `{ let n = n0 + nx + ${4 * g + j}u; if (n < u.columns) { let at = ${at}; var value = ${value};`,
          "if (u.accumulate != 0u) { value += c[at]; } c[at] = value; } }",
        );
      if (vectorC) store(0, "(row + n) / 4u", `c${i}_${g}`);
      else for (const j of FOUR) store(j, "row + n", `c${i}_${g}.${AXES[j]}`);
    }
    say("}");
  }
  say("}");
  return lines.join("\n");
}

/** WGSL that brings steps k0 to k0 + 15 of one operand to workgroup memory. */
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
    readonly lanes: number;
  },
): string[] {
  const { name, into, base, outer0, size, inner, last, scale } = part, { along, tile, lanes } = how;
  const times = scale === undefined ? "" : `${scale} * `;
  const quads = tile / 4, blocks = DEPTH / 4 * quads;
  // Neighbouring lanes take neighbours in memory.
  const [step, outer] = along === "inner"
    ? [`block % ${DEPTH / 4}u`, `block / ${DEPTH / 4}u`]
    : [`block / ${quads}u`, `block % ${quads}u`];
  const lines = [
    `for (var block = lane; block < ${blocks}u; block += ${lanes}u) {
  let step = ${step} * 4u; let outer = ${outer};
  let k = k0 + step; let o = ${outer0} + outer * 4u;`,
  ];
  for (const i of FOUR) {
    lines.push(
      along === "inner"
        ? `let at${i} = ${base} + (o + ${i}u) * ${inner};
let x${i} = select(vec4(0.0), ${name}_4(at${i} + k, at${i} + ${last}), o + ${i}u < ${size} && k < ${last});`
        : `let at${i} = ${base} + (k + ${i}u) * ${size};
let x${i} = select(vec4(0.0), ${name}_4(at${i} + o, at${i} + ${size}), k + ${i}u < ${last} && o < ${size});`,
    );
  }
  for (const j of FOUR) {
    const value = along === "outer" ? `x${j}` : `vec4(${FOUR.map((i) => `x${i}.${AXES[j]}`).join(", ")})`;
    lines.push(`${into}[(step + ${j}u) * ${quads}u + outer] = ${times}${value};`);
  }
  lines.push("}");
  return lines;
}
