/** @file Writes the WGSL of the staged matrix product: its speed is in what a software adapter's compiler makes of it. */
import type { KernelSpec } from "../../gpu/kernel.ts";
import { wgsl } from "../wgsl/compose.ts";
import { declarations } from "../wgsl/declarations.ts";
import { elementType, readElements, readRows, type StoredType } from "../wgsl/stored.ts";
import { storeC } from "./store.ts";

/** What varies in the text; sizes, strides and batches are uniforms. */
export interface StagedShape {
  /** Inner steps summed up by one dispatch, a multiple of 4. */
  readonly steps: number;
  /** Columns of C that one lane computes: 8, or a multiple of 16. */
  readonly columns: number;
  /** True where A is read as vec4 along its rows; else element by element at any strides, as Aᵀ needs it. */
  readonly vectorA: boolean;
  /** True where rows of B or C start at multiples of four elements, so that vec4 loads and stores fit. */
  readonly vectorB: boolean;
  readonly vectorC: boolean;
  /** What B is kept in. */
  readonly typeB: StoredType;
  /** Inner steps of the epilogue, a multiple of 4; 0 where there is none. */
  readonly epilogueSteps: number;
  /** True where both factors of the epilogue are read as vec4. */
  readonly vectorEpilogue: boolean;
}

/** Products of a lane between two barriers: code that all lanes run while it is in the cache. Twice as many: a fifth slower. */
const PHASE = 1024;
/** Columns whose sums grow side by side in registers. Measured: 4 is a third slower, 16 the same. */
const SIDE_BY_SIDE = 8;

/** Columns between two barriers: the most that divide those of the tile. */
function phaseOf({ steps, columns }: StagedShape): number {
  for (let phase = columns; phase > SIDE_BY_SIDE; phase -= SIDE_BY_SIDE) {
    if (columns % phase === 0 && steps * phase <= PHASE) return phase;
  }
  return SIDE_BY_SIDE;
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const FOUR = range(4);
const four = (element: (i: number) => string) => `vec4(${FOUR.map(element).join(", ")})`;
/** The same, a line each. */
const fourLines = (element: (i: number) => string) =>
  `vec4(\n${FOUR.map((i) => `  ${element(i)},\n`).join("")})`;

/**
 * WGSL of C = scale op(A) op(B) (+ epilogue) (+ C) over `steps` of the inner axis, batched along z, or with parts of the
 * inner axis along z.
 *
 * Lanes lie along the rows of C. Each holds its part of a row of A in registers and meets all columns of a tile of
 * B that the workgroup has staged, `steps` by `columns`, 4 * steps * columns bytes of workgroup memory. The epilogue
 * adds `epilogueSteps` to both, so that C is written once for both products.
 *
 * Written for llvmpipe (Mesa 25), where a load costs a loop over lanes with a check each, unless its address is a
 * constant and it stands outside all control flow: then it is an operand of the multiplication. Hence:
 * - all products are unrolled text, and a longer inner axis takes more dispatches instead of a loop;
 * - edges are clamped addresses of A, zeros in the tile and guards around stores, never a branch around products;
 * - only loaded values live across barriers: computed ones would be computed again, lane by lane;
 * - sums go through an array with one dynamic index, or the compiler moves all additions down to the store;
 * - `dot` instead of products and sums: the time to compile grows faster than the number of statements.
 */
export function stagedSource(
  shape: StagedShape,
  spec: Pick<KernelSpec, "buffers" | "uniforms">,
): string {
  const { steps, columns, vectorA, vectorB, vectorC, typeB, epilogueSteps, vectorEpilogue } = shape;
  const quads = steps / 4, epilogueQuads = epilogueSteps / 4, phase = phaseOf(shape);
  const epilogue = epilogueSteps > 0;
  const b = { vector: vectorB, type: typeB, count: "u.stride_b" }, pair = { vector: vectorEpilogue };
  const types = {
    ...{ a: elementType({ vector: vectorA }), b: elementType(b), c: elementType({ vector: vectorC }) },
    ...{ epilogueA: elementType(pair), epilogueB: elementType(pair) },
  };
  const stageB = staging({
    ...{ name: "b", columns, quads, behind: 0, vector: vectorB },
    ...{ base: "b0", first: "k0", inner: "u.inner" },
    ...{ column: "u.column_b", step: "u.step_b", scale: "u.scale" },
  });
  const stageEpilogue = staging({
    ...{ name: "epilogue_b", columns, quads: epilogueQuads, behind: columns * quads, vector: vectorEpilogue },
    ...{ base: "0u", first: "0u", inner: "u.epilogue_inner" },
    ...{ column: "u.column_epilogue", step: "u.step_epilogue", scale: "u.epilogue_scale" },
  });
  const rowOfA = range(quads).map((q) => {
    const value = vectorA
      ? `a[(a0 + min(k0 + ${4 * q}u, u.inner - 4u)) / 4u]`
      : fourLines((i) => `a[a0 + min(k0 + ${4 * q + i}u, u.inner - 1u) * u.step_a]`);
    return `let a_${q} = ${value};`;
  });
  const epilogueRow = range(epilogueQuads).map((q) => {
    const value = vectorEpilogue
      ? `epilogue_a[(j0 + min(${4 * q}u, u.epilogue_inner - 4u)) / 4u]`
      : fourLines((i) => `epilogue_a[j0 + min(${4 * q + i}u, u.epilogue_inner - 1u)]`);
    return `let j_${q} = ${value};`;
  });
  /** Sums of columns side by side, from `first` + `side` on. */
  const sumsOf = (first: number, side: number) => {
    const some = range(SIDE_BY_SIDE).map((i) => side + i);
    const products = range(quads).flatMap((q) =>
      some.map((j) =>
        `${q === 0 ? `var s${j} =` : `s${j} +=`} dot(tile[${(first + j) * quads + q}], a_${q});`
      )
    );
    const epilogueProducts = range(epilogueQuads).flatMap((q) =>
      some.map((j) => `s${j} += dot(tile[${columns * quads + (first + j) * epilogueQuads + q}], j_${q});`)
    );
    return wgsl`
      {
        ${products}
        ${epilogueProducts}
        ${some.map((j) => `sums[${j}] = s${j};`)}
        sums[u.zero + ${side}u] = s${side};
      }
    `;
  };
  const stepOfC = vectorC ? 4 : 1;
  const storeOf = (first: number, j: number) => {
    const sum = vectorC ? four((i) => `sums[${j + i}]`) : `sums[${j}]`;
    const at = vectorC ? `(c0 + ${first + j}u) / 4u` : `c0 + ${first + j}u`;
    return wgsl`
      if (n0 + ${first + j}u < u.columns) {
        store(${at}, ${sum});
      }
    `;
  };
  const phases = range(columns / phase).map((i) => i * phase).map((first) => {
    const sides = range(phase / SIDE_BY_SIDE).map((i) => sumsOf(first, i * SIDE_BY_SIDE));
    const stores = range(phase / stepOfC).map((i) => storeOf(first, i * stepOfC));
    return wgsl`
      workgroupBarrier();
      ${sides}
      if (m < u.rows) {
        ${stores}
      }
    `;
  });

  return wgsl`
    // C = scale op(A) op(B)${
    epilogue ? " + an epilogue" : ""
  } (+ C) over ${steps} inner steps: a lane has ${columns} elements of a row of C.
    ${declarations(spec, types)}

    // Lanes of a workgroup; each has one row of C.
    override LANES = 64u;

    // Column by column, so that four inner steps are one vector; the epilogue comes behind.
    var<workgroup> tile: array<vec4<f32>, ${columns * (quads + epilogueQuads)}>;

    ${vectorB ? readRows("b", b) : readElements("b", b)}

    ${epilogue && (vectorEpilogue ? readRows("epilogue_b", pair) : readElements("epilogue_b", pair))}

    ${storeC(vectorC)}

    @compute @workgroup_size(LANES)
    fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
      let batch = u.first_batch + group.z / u.parts;
      let part = group.z % u.parts;
      let k0 = u.first_step + part * ${steps}u;
      let n0 = group.y * ${columns}u;
      let m = group.x * LANES + lane;
      let b0 = batch * u.stride_b;
      ${stageB}
      ${epilogue && stageEpilogue}
      // Beyond the inner tail the tile is zero and A is its row's last value or vector again, so that nothing but an
      // infinity or NaN of the same row could get into the sum.
      let a0 = batch * u.stride_a + min(m, u.rows - 1u) * u.row_a;
      ${rowOfA}
      ${epilogue && "let j0 = min(m, u.rows - 1u) * u.epilogue_inner;"}
      ${epilogueRow}
      var sums: array<f32, ${phase}>;
      let c0 = batch * u.stride_c + (u.first_part + part) * u.rows * u.columns + m * u.columns + n0;
      // The first barrier also ends the staging; the others only keep the lanes in one phase.
      ${phases}
    }
  `;
}

/** WGSL that fills a part of the tile with op(B) times its scale, four columns by four inner steps at a time. */
function staging(part: {
  /** Operand, its place in the tile, and whether its rows are read as vec4. */
  readonly name: string;
  readonly columns: number;
  readonly quads: number;
  readonly behind: number;
  readonly vector: boolean;
  /** WGSL: first element, first inner step, inner size, strides, scale. */
  readonly base: string;
  readonly first: string;
  readonly inner: string;
  readonly column: string;
  readonly step: string;
  readonly scale: string;
}): string {
  const { name, columns, quads, behind, vector, base, first, inner, column, step, scale } = part;
  const put = (j: number, value: string) => `tile[at + ${j * quads}u] = ${scale} * ${value};`;
  /** Along the inner axis: columns of B as rows of op(B). */
  const alongInner = FOUR.map((j) => {
    const value = `${name}_4(${base} + (n + ${j}u) * ${column} + k, 0u)`;
    return put(j, `select(vec4(0.0), ${value}, n + ${j}u < u.columns && k < ${inner})`);
  });
  const rows = FOUR.map((i) => {
    const value = `${name}_4(${base} + (k + ${i}u) * ${step} + n, 0u)`;
    return `let x${i} = select(vec4(0.0), ${value}, k + ${i}u < ${inner} && n < u.columns);`;
  });
  const vectors = wgsl`
    if (${step} == 1u) {
      ${alongInner}
    } else {
      ${rows}
      ${FOUR.map((j) => put(j, four((i) => `x${i}.${"xyzw"[j]}`)))}
    }
  `;
  const elements = FOUR.map((j) =>
    put(
      j,
      fourLines((i) => {
        const at = `${base} + (n + ${j}u) * ${column} + (k + ${i}u) * ${step}`;
        return `select(0.0, ${name}_1(${at}), n + ${j}u < u.columns && k + ${i}u < ${inner})`;
      }),
    )
  );
  return wgsl`
    for (var block = lane; block < ${columns / 4 * quads}u; block += LANES) {
      let at = ${behind}u + block / ${quads}u * ${4 * quads}u + block % ${quads}u;
      let n = n0 + block / ${quads}u * 4u;
      let k = ${first} + block % ${quads}u * 4u;
      ${vector ? vectors : elements}
    }
  `;
}
