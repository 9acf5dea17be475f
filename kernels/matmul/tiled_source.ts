/** @file Writes the WGSL of the register-tiled matrix product: its speed is its unrolled text. */
import type { KernelSpec } from "../../gpu/kernel.ts";
import { wgsl } from "../wgsl/compose.ts";
import { declarations } from "../wgsl/declarations.ts";
import { elementType, readRows, type StoredType } from "../wgsl/stored.ts";
import type { Layout } from "./product.ts";
import { storeC } from "./store.ts";

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
  /** What B is kept in. */
  readonly typeB: StoredType;
  /** True where a second pair of factors of the same layout, not "tn", is multiplied too. */
  readonly epilogue: boolean;
  /** True where rows of both factors of the epilogue start at multiples of four elements. */
  readonly vectorEpilogue: boolean;
}

const AXES = "xyzw";
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/**
 * WGSL of C = scale op(A) op(B) (+ epilogue) (+ C), batched along z, optionally split along the inner axis.
 *
 * Each lane keeps a tile of C in registers and loads A and B as vec4, four inner steps at a time: on a software
 * adapter the cost is the number of loads, and a tile of 8 x 8 takes 16 of them for 256 products. Rows and columns
 * beyond the edge are clamped on load and left out on store; the inner tail is filled with zeros.
 */
export function tiledSource(
  shape: TiledShape,
  spec: Pick<KernelSpec, "buffers" | "uniforms">,
): string {
  const { layout, tileRows, tileColumns, vectorC, typeB, epilogue } = shape;
  const a = { vector: shape.vectorA }, b = { vector: shape.vectorB, type: typeB, count: "u.stride_b" };
  const pair = { vector: shape.vectorEpilogue };
  const groups = range(tileColumns / 4);
  const sums = range(tileRows).flatMap((i) => groups.map((g) => `c${i}_${g}`));
  const types = {
    ...{ a: elementType(a), b: elementType(b), c: elementType({ vector: vectorC }) },
    ...{ epilogueA: elementType(pair), epilogueB: elementType(pair) },
  };
  const first = sumOver({ a: "a", b: "b", vectorA: a.vector, vectorB: b.vector, inner: "u.inner" }, shape);
  const second = sumOver({
    ...{ a: "epilogue_a", b: "epilogue_b", vectorA: pair.vector, vectorB: pair.vector },
    // The factor goes into A, whose elements are fewer than the sums.
    ...{ inner: "u.epilogue_inner", scaleA: "u.epilogue_scale" },
  }, shape);
  const epilogueSums = wgsl`
    {
      let a0 = 0u;
      let b0 = 0u;
      let first = 0u;
      let last = u.epilogue_inner;
      ${second}
    }
  `;
  const place = "c0 + (m0 + i) * u.columns + n0 + j", sum = `sums[i * ${groups.length}u + j / 4u]`;
  const c = vectorC
    ? { step: 4, at: `(${place}) / 4u`, value: sum }
    : { step: 1, at: place, value: `${sum}[j % 4u]` };

  return wgsl`
    // C = scale op(A) op(B)${
    epilogue ? " + an epilogue" : ""
  } (+ C), layout ${layout}: a lane has ${tileRows} x ${tileColumns} elements of C in registers.
    ${declarations(spec, types)}

    // Lanes of a workgroup, of which lanes_x lie side by side along the rows of C.
    override LANES = 64u;

    ${readRows("a", a)}

    ${readRows("b", b)}

    ${epilogue && readRows("epilogue_a", pair)}

    ${epilogue && readRows("epilogue_b", pair)}

    ${storeC(vectorC)}

    @compute @workgroup_size(LANES)
    fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
      let n0 = (group.x * u.lanes_x + lane % u.lanes_x) * ${tileColumns}u;
      let m0 = (group.y * (LANES / u.lanes_x) + lane / u.lanes_x) * ${tileRows}u;
      if (m0 >= u.rows || n0 >= u.columns) {
        return;
      }
      let batch = u.first_batch + group.z / u.splits;
      let split = group.z % u.splits;
      let c0 = batch * u.stride_c + split * u.rows * u.columns;
      let first = split * u.chunk;
      let last = min(u.inner, first + u.chunk);
      // By row of the tile and group of four columns.
      ${sums.map((sum) => `var ${sum} = vec4<f32>(0.0);`)}
      {
        let a0 = batch * u.stride_a;
        let b0 = batch * u.stride_b;
        ${first}
      }
      ${sums.map((sum) => `${sum} *= u.scale;`)}
      ${epilogue && epilogueSums}
      var sums = array<vec4<f32>, ${sums.length}>(${sums.join(", ")});
      // Loops whose ends the compiler does not know: unrolled, the stores would take longer to compile than the products.
      for (var i = 0u; i < min(u.rows - m0, ${tileRows}u) + u.zero; i++) {
        for (var j = 0u; j < min(u.columns - n0, ${tileColumns}u) + u.zero; j += ${c.step}u) {
          store(${c.at}, ${c.value});
        }
      }
    }
  `;
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
): string {
  const { a, b, vectorA, vectorB, inner, scaleA } = part;
  const rows = range(tileRows), groups = range(tileColumns / 4), columns = range(tileColumns);
  const times = scaleA === undefined ? "" : `${scaleA} * `;
  /** A line for each sum. */
  const add = (term: (row: number, group: number) => string) =>
    rows.flatMap((i) => groups.map((g) => `c${i}_${g} += ${term(i, g)};`));

  // Where each row of A or group of its columns starts, clamped to the matrix; and likewise for B.
  const startsA = layout === "tn"
    ? [
      ...range(tileRows / 4).map((h) =>
        `let am${h} = a0 + min(m0 + ${4 * h}u, u.rows - ${vectorA ? 4 : 1}u);`
      ),
      `let a_end = a0 + ${inner} * u.rows;`,
    ]
    : rows.map((i) => `let ar${i} = a0 + min(m0 + ${i}u, u.rows - 1u) * ${inner};`);
  const startsB = layout === "nt"
    ? columns.map((j) => `let br${j} = b0 + min(n0 + ${j}u, u.columns - 1u) * ${inner};`)
    : [
      ...groups.map((g) => `let bn${g} = b0 + min(n0 + ${4 * g}u, u.columns - ${vectorB ? 4 : 1}u);`),
      `let b_end = b0 + ${inner} * u.columns;`,
    ];
  const rowsOfA = rows.map((i) => `let a${i} = ${times}${a}_4(ar${i} + k, ar${i} + ${inner});`);
  if (layout === "tn") {
    return wgsl`
      ${startsA}
      ${startsB}
      for (var k = first; k < last; k++) {
        ${range(tileRows / 4).map((h) => `let a${h} = ${times}${a}_4(am${h} + k * u.rows, a_end);`)}
        ${groups.map((g) => `let b${g} = ${b}_4(bn${g} + k * u.columns, b_end);`)}
        ${add((i, g) => `a${i >> 2}.${AXES[i & 3]} * b${g}`)}
      }
    `;
  }
  if (layout === "nt") {
    return wgsl`
      ${startsA}
      ${startsB}
      for (var k = first; k < last; k += 4u) {
        ${rowsOfA}
        ${columns.map((j) => `let b${j} = ${b}_4(br${j} + k, br${j} + ${inner});`)}
        ${add((i, g) => `vec4(${range(4).map((j) => `dot(a${i}, b${4 * g + j})`).join(", ")})`)}
      }
    `;
  }
  const steps = range(4).flatMap((step) => [
    `let k${step} = min(k + ${step}u, ${inner} - 1u) * u.columns;`,
    ...groups.map((g) => `let b${step}_${g} = ${b}_4(bn${g} + k${step}, b_end);`),
    ...add((i, g) => `a${i}.${AXES[step]} * b${step}_${g}`),
  ]);
  return wgsl`
    ${startsA}
    ${startsB}
    for (var k = first; k < last; k += 4u) {
      ${rowsOfA}
      // Beyond the inner tail A is zero; B is clamped to a row that exists, so that the product is zero.
      ${steps}
    }
  `;
}
