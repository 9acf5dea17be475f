/** @file Writes the WGSL of the register-tiled matrix product: its speed is its unrolled text. */
import { operandSource } from "./operand_source.ts";
import type { Layout } from "./product.ts";

/** What varies in the text; sizes, strides and batches are uniforms. */
export interface TiledShape {
  /** "nn": A [m, k] B [k, n]. "nt": B is [n, k]. "tn": A is [k, m]. */
  readonly layout: Layout;
  /** Rows of C that one lane computes: 4 or 8. */
  readonly tileRows: number;
  /** Columns of C that one lane computes: 4 or 8. */
  readonly tileColumns: number;
  /** True where rows of A, B or C start at multiples of four elements, so that vec4 loads and stores fit. */
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

const AXES = "xyzw";
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/**
 * WGSL of C = scale op(A) op(B) (+ joined) (+ C), batched along z, optionally split along the inner axis.
 *
 * Each lane keeps a tile of C in registers and loads A and B as vec4, four inner steps at a time: on a software
 * adapter the cost is the number of loads, and a tile of 8 x 8 takes 16 of them for 256 products. Rows and columns
 * beyond the edge are clamped on load and left out on store; the inner tail is filled with zeros.
 */
export function tiledSource(shape: TiledShape): string {
  const { tileRows, tileColumns, vectorA, vectorB, vectorC, half, joined, vectorJoined } = shape;
  const rows = range(tileRows), groups = range(tileColumns / 4);
  const lines: string[] = [];
  const say = (...text: string[]) => lines.push(...text);

  say(
    `struct Uniforms {
  rows: u32, inner: u32, columns: u32, scale: f32,
  stride_a: u32, stride_b: u32, stride_c: u32,
  first_batch: u32, splits: u32, chunk: u32, accumulate: u32, lanes_x: u32,
  joined_inner: u32, joined_scale: f32,
  // Always 0, which the compiler does not know.
  zero: u32,
}
// Lanes of a workgroup, of which lanes_x lie side by side along the rows of C.
override LANES = 64u;`,
    operandSource(0, "a", { vector: vectorA }),
    operandSource(1, "b", { vector: vectorB, half }),
    joined ? operandSource(2, "joined_a", { vector: vectorJoined }) : "",
    joined ? operandSource(3, "joined_b", { vector: vectorJoined }) : "",
    `@group(0) @binding(${joined ? 4 : 2}) var<storage, read_write> c: array<${
      vectorC ? "vec4<f32>" : "f32"
    }>;
@group(0) @binding(${joined ? 5 : 3}) var<uniform> u: Uniforms;
@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let n0 = (group.x * u.lanes_x + lane % u.lanes_x) * ${tileColumns}u;
  let m0 = (group.y * (LANES / u.lanes_x) + lane / u.lanes_x) * ${tileRows}u;
  if (m0 >= u.rows || n0 >= u.columns) { return; }
  let batch = u.first_batch + group.z / u.splits;
  let split = group.z % u.splits;
  let c0 = batch * u.stride_c + split * u.rows * u.columns;
  let first = split * u.chunk;
  let last = min(u.inner, first + u.chunk);`,
  );
  for (const i of rows) for (const g of groups) say(`var c${i}_${g} = vec4<f32>(0.0);`);
  say("{ let a0 = batch * u.stride_a; let b0 = batch * u.stride_b;");
  say(...sumOver({ a: "a", b: "b", vectorA, vectorB, inner: "u.inner" }, shape), "}");
  for (const i of rows) for (const g of groups) say(`c${i}_${g} *= u.scale;`);
  if (joined) {
    const part = { a: "joined_a", b: "joined_b", vectorA: vectorJoined, vectorB: vectorJoined };
    // The factor goes into A, whose elements are fewer than the sums.
    say("{ let a0 = 0u; let b0 = 0u; let first = 0u; let last = u.joined_inner;");
    say(...sumOver({ ...part, inner: "u.joined_inner", scaleA: "u.joined_scale" }, shape), "}");
  }

  const sums = rows.flatMap((i) => groups.map((g) => `c${i}_${g}`)), step = vectorC ? 4 : 1;
  say(
    `var sums = array<vec4<f32>, ${sums.length}>(${sums.join(", ")});`,
    // Loops whose ends the compiler does not know: unrolled, the stores would take longer to compile than the products.
    `for (var i = 0u; i < min(u.rows - m0, ${tileRows}u) + u.zero; i++) {`,
    `for (var j = 0u; j < min(u.columns - n0, ${tileColumns}u) + u.zero; j += ${step}u) {`,
    `let at = (c0 + (m0 + i) * u.columns + n0 + j)${vectorC ? " / 4u" : ""};`,
    `var value = sums[i * ${groups.length}u + j / 4u]${vectorC ? "" : "[j % 4u]"};`,
    "if (u.accumulate != 0u) { value += c[at]; } c[at] = value; } }",
  );
  say("}");
  return lines.join("\n");
}

/** WGSL that adds the products of one pair of factors, from step `first` to `last`, to the sums c<row>_<group>. */
function sumOver(
  part: {
    /** Names of the operands, and whether their rows are aligned. */
    readonly a: string;
    readonly b: string;
    readonly vectorA: boolean;
    readonly vectorB: boolean;
    /** WGSL: the inner size, and a factor of A. */
    readonly inner: string;
    readonly scaleA?: string;
  },
  { layout, tileRows, tileColumns }: TiledShape,
): string[] {
  const { vectorA, vectorB, inner, scaleA } = part;
  const rows = range(tileRows), groups = range(tileColumns / 4), columns = range(tileColumns);
  const times = scaleA === undefined ? "" : `${scaleA} * `;
  const lines: string[] = [];
  const say = (...text: string[]) => lines.push(...text);

  // Where each row of A or group of its columns starts, clamped to the matrix.
  if (layout === "tn") {
    for (const h of range(tileRows / 4)) {
      say(`let am${h} = a0 + min(m0 + ${4 * h}u, u.rows - ${vectorA ? 4 : 1}u);`);
    }
    say(`let a_end = a0 + ${inner} * u.rows;`);
  } else {
    for (const i of rows) say(`let ar${i} = a0 + min(m0 + ${i}u, u.rows - 1u) * ${inner};`);
  }
  if (layout === "nt") {
    for (const j of columns) say(`let br${j} = b0 + min(n0 + ${j}u, u.columns - 1u) * ${inner};`);
  } else {
    for (const g of groups) {
      say(`let bn${g} = b0 + min(n0 + ${4 * g}u, u.columns - ${vectorB ? 4 : 1}u);`);
    }
    say(`let b_end = b0 + ${inner} * u.columns;`);
  }

  if (layout === "tn") {
    say("for (var k = first; k < last; k++) {");
    for (const h of range(tileRows / 4)) say(`let a${h} = ${times}${part.a}_4(am${h} + k * u.rows, a_end);`);
    for (const g of groups) say(`let b${g} = ${part.b}_4(bn${g} + k * u.columns, b_end);`);
    for (const i of rows) for (const g of groups) say(`c${i}_${g} += a${i >> 2}.${AXES[i & 3]} * b${g};`);
  } else {
    say("for (var k = first; k < last; k += 4u) {");
    for (const i of rows) say(`let a${i} = ${times}${part.a}_4(ar${i} + k, ar${i} + ${inner});`);
    if (layout === "nt") {
      for (const j of columns) say(`let b${j} = ${part.b}_4(br${j} + k, br${j} + ${inner});`);
      for (const i of rows) {
        for (const g of groups) {
          say(`c${i}_${g} += vec4(${range(4).map((j) => `dot(a${i}, b${4 * g + j})`).join(", ")});`);
        }
      }
    } else {
      for (const step of range(4)) {
        // Beyond the inner tail A is zero; B is clamped to a row that exists, so that the product is zero.
        say(`let k${step} = min(k + ${step}u, ${inner} - 1u) * u.columns;`);
        for (const g of groups) say(`let b${step}_${g} = ${part.b}_4(bn${g} + k${step}, b_end);`);
        for (const i of rows) {
          for (const g of groups) say(`c${i}_${g} += a${i}.${AXES[step]} * b${step}_${g};`);
        }
      }
    }
  }
  say("}");
  return lines;
}
