/** @file Writes the WGSL of the register-tiled matrix product: its speed is its unrolled text. */

/** What varies in the text; sizes, strides and batches are uniforms. */
export interface TiledShape {
  /** "nn": A [m, k] B [k, n]. "nt": B is [n, k]. "tn": A is [k, m]. */
  readonly layout: "nn" | "nt" | "tn";
  /** Rows of C that one lane computes: 4 or 8. */
  readonly tileRows: number;
  /** Columns of C that one lane computes: 4 or 8. */
  readonly tileColumns: number;
  /** True where rows of A, B or C start at multiples of four elements, so that vec4 loads and stores fit. */
  readonly vectorA: boolean;
  readonly vectorB: boolean;
  readonly vectorC: boolean;
}

const AXES = "xyzw";
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/**
 * WGSL of C = scale op(A) op(B) (+ C), batched along z, optionally split along the inner axis.
 *
 * Each lane keeps a tile of C in registers and loads A and B as vec4, four inner steps at a time: on a software
 * adapter the cost is the number of loads, and a tile of 8 x 8 takes 16 of them for 256 products. Rows and columns
 * beyond the edge are clamped on load and left out on store; the inner tail is filled with zeros.
 */
export function tiledSource(shape: TiledShape): string {
  const { layout, tileRows, tileColumns, vectorA, vectorB, vectorC } = shape;
  const rows = range(tileRows), groups = range(tileColumns / 4), columns = range(tileColumns);
  const type = (vector: boolean) => vector ? "vec4<f32>" : "f32";
  const lines: string[] = [];
  const say = (...text: string[]) => lines.push(...text);

  say(
    `struct Uniforms {
  rows: u32, inner: u32, columns: u32, scale: f32,
  stride_a: u32, stride_b: u32, stride_c: u32,
  first_batch: u32, splits: u32, chunk: u32, accumulate: u32, lanes_x: u32,
}
// Lanes of a workgroup, of which lanes_x lie side by side along the rows of C.
override LANES = 64u;
@group(0) @binding(0) var<storage, read> a: array<${type(vectorA)}>;
@group(0) @binding(1) var<storage, read> b: array<${type(vectorB)}>;
@group(0) @binding(2) var<storage, read_write> c: array<${type(vectorC)}>;
@group(0) @binding(3) var<uniform> u: Uniforms;
`,
    // Four elements along a row; where rows are not aligned, those from `end` on count as zero.
    vectorA
      ? "fn load_a(at: u32, end: u32) -> vec4<f32> { return a[at / 4u]; }"
      : "fn load_a(at: u32, end: u32) -> vec4<f32> { return vec4(a[at], select(0.0, a[at + 1u], at + 1u < end), select(0.0, a[at + 2u], at + 2u < end), select(0.0, a[at + 3u], at + 3u < end)); }",
    vectorB
      ? "fn load_b(at: u32, end: u32) -> vec4<f32> { return b[at / 4u]; }"
      : "fn load_b(at: u32, end: u32) -> vec4<f32> { return vec4(b[at], select(0.0, b[at + 1u], at + 1u < end), select(0.0, b[at + 2u], at + 2u < end), select(0.0, b[at + 3u], at + 3u < end)); }",
    `
@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let n0 = (group.x * u.lanes_x + lane % u.lanes_x) * ${tileColumns}u;
  let m0 = (group.y * (LANES / u.lanes_x) + lane / u.lanes_x) * ${tileRows}u;
  if (m0 >= u.rows || n0 >= u.columns) { return; }
  let batch = u.first_batch + group.z / u.splits;
  let split = group.z % u.splits;
  let a0 = batch * u.stride_a;
  let b0 = batch * u.stride_b;
  let c0 = batch * u.stride_c + split * u.rows * u.columns;
  let first = split * u.chunk;
  let last = min(u.inner, first + u.chunk);`,
  );

  // Where each row of A or group of its columns starts, clamped to the matrix.
  if (layout === "tn") {
    for (const h of range(tileRows / 4)) {
      say(
        `let am${h} = a0 + ${
          vectorA ? `min(m0 + ${4 * h}u, u.rows - 4u)` : `min(m0 + ${4 * h}u, u.rows - 1u)`
        };`,
      );
    }
    say("let a_end = a0 + u.inner * u.rows;");
  } else {
    for (const i of rows) say(`let ar${i} = a0 + min(m0 + ${i}u, u.rows - 1u) * u.inner;`);
  }
  if (layout === "nt") {
    for (const j of columns) say(`let br${j} = b0 + min(n0 + ${j}u, u.columns - 1u) * u.inner;`);
  } else {
    for (const g of groups) {
      say(`let bn${g} = b0 + min(n0 + ${4 * g}u, u.columns - ${vectorB ? 4 : 1}u);`);
    }
    say("let b_end = b0 + u.inner * u.columns;");
  }
  for (const i of rows) for (const g of groups) say(`var c${i}_${g} = vec4<f32>(0.0);`);

  if (layout === "tn") {
    say("for (var k = first; k < last; k++) {");
    for (const h of range(tileRows / 4)) say(`let a${h} = load_a(am${h} + k * u.rows, a_end);`);
    for (const g of groups) say(`let b${g} = load_b(bn${g} + k * u.columns, b_end);`);
    for (const i of rows) for (const g of groups) say(`c${i}_${g} += a${i >> 2}.${AXES[i & 3]} * b${g};`);
  } else {
    say("for (var k = first; k < last; k += 4u) {");
    for (const i of rows) say(`let a${i} = load_a(ar${i} + k, ar${i} + u.inner);`);
    if (layout === "nt") {
      for (const j of columns) say(`let b${j} = load_b(br${j} + k, br${j} + u.inner);`);
      for (const i of rows) {
        for (const g of groups) {
          say(`c${i}_${g} += vec4(${range(4).map((j) => `dot(a${i}, b${4 * g + j})`).join(", ")});`);
        }
      }
    } else {
      for (const step of range(4)) {
        // Beyond the inner tail A is zero; B is clamped to a row that exists, so that the product is zero.
        say(`let k${step} = min(k + ${step}u, u.inner - 1u) * u.columns;`);
        for (const g of groups) say(`let b${step}_${g} = load_b(bn${g} + k${step}, b_end);`);
        for (const i of rows) {
          for (const g of groups) say(`c${i}_${g} += a${i}.${AXES[step]} * b${step}_${g};`);
        }
      }
    }
  }
  say("}");

  for (const i of rows) {
    say(`if (m0 + ${i}u < u.rows) { let row = c0 + (m0 + ${i}u) * u.columns + n0;`);
    for (const g of groups) {
      if (vectorC) {
        say(
          `if (n0 + ${4 * g}u < u.columns) { let at = (row + ${
            4 * g
          }u) / 4u; var value = u.scale * c${i}_${g};`,
        );
        say("if (u.accumulate != 0u) { value += c[at]; } c[at] = value; }");
      } else {
        for (const j of range(4)) {
          say(
            `if (n0 + ${4 * g + j}u < u.columns) { let at = row + ${
              4 * g + j
            }u; var value = u.scale * c${i}_${g}.${AXES[j]};`,
          );
          say("if (u.accumulate != 0u) { value += c[at]; } c[at] = value; }");
        }
      }
    }
    say("}");
  }
  say("}");
  return lines.join("\n");
}
