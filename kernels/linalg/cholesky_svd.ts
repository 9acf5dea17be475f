/**
 * @file Thin SVDs of many tall matrices by products that are spread over many workgroups: shifted CholeskyQR gives R, and
 * Jacobi rotations of Rᵀ give V and s.
 */
import type { Gpu } from "../../gpu/gpu.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { variantsOn } from "../matmul/choice.ts";
import { kernelsByShape } from "../wgsl/by_shape.ts";
import { composeKernel, wgsl } from "../wgsl/compose.ts";
import { groupsForEach } from "../wgsl/groups.ts";
import { snippets } from "../wgsl/snippets.ts";
import choleskySource from "./cholesky.wgsl" with { type: "text" };
import divideSource from "./divide_rows.wgsl" with { type: "text" };
import gramSource from "./gram.wgsl" with { type: "text" };
import { jacobiSource, STAGED_RANK } from "./jacobi_source.ts";
import { MAX_RANK } from "./layout.ts";
import packSource from "./pack_rows.wgsl" with { type: "text" };

/** The matrix of all products of elements of two vectors: row i of the result is \`left[i] * right\`. */
export const outer = wgsl`
  fn outer(left: vec4<f32>, right: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(left.x * right, left.y * right, left.z * right, left.w * right);
  }
`;
const is_done = wgsl`
  // A vector of \`factor\` below its diagonal, where nothing else lies.
  fn done_at(base: u32, blocks: u32) -> u32 {
    return base + (4u * blocks - 1u) * blocks;
  }

  fn is_done(base: u32, blocks: u32) -> bool {
    return factor[done_at(base, blocks)].x == 1.0;
  }
`;
const packKernel = composeKernel({
  name: "pack_rows",
  source: packSource,
  buffers: { matrices: "read", x: "read", q: "read_write" },
  uniforms: { rank: "u32" },
  constants: {},
}, { snippets });
const gramKernel = composeKernel({
  name: "gram",
  source: gramSource,
  buffers: { matrices: "read", q: "read", gram: "read_write", factor: "read" },
  uniforms: { blocks: "u32", parts: "u32", maySkip: "u32" },
  constants: { LANES: 64 },
  workgroupBytes: ({ LANES }) => 16 * 16 * Number(LANES),
}, { snippets: { ...snippets, outer, is_done } });
const choleskyKernel = composeKernel({
  name: "cholesky",
  source: choleskySource,
  buffers: { gram: "read", factor: "read_write", earlier: "read", product: "read_write" },
  uniforms: { rank: "u32", blocks: "u32", shift: "f32", floor: "f32", mayEnd: "u32", zero: "u32" },
  constants: { LANES: 64, PRODUCT: false },
  workgroupBytes: () => 4 * MAX_RANK + 8,
}, { snippets: { ...snippets, outer, is_done } });
const divideKernel = composeKernel({
  name: "divide_rows",
  source: divideSource,
  buffers: { matrices: "read", factor: "read", q: "read_write" },
  uniforms: { blocks: "u32" },
  constants: {},
}, { snippets: { ...snippets, is_done } });
const jacobi = {
  buffers: { y: "read_write", small: "read_write" },
  uniforms: {
    rank: "u32",
    blocks: "u32",
    block: "u32",
    vAt: "u32",
    wAt: "u32",
    sAt: "u32",
    minShare: "f32",
    zero: "u32",
  },
} as const;
const jacobiKernel = kernelsByShape(({ staged }: { readonly staged: boolean }) =>
  defineKernel({
    name: staged ? "jacobi_staged" : "jacobi",
    source: jacobiSource(jacobi, staged),
    ...jacobi,
    constants: { LANES: 64, BASIS: false },
    workgroupBytes: ({ LANES }) => 8 * Number(LANES) + MAX_RANK + 4 + (staged ? 4 * STAGED_RANK ** 2 : 0),
  })
);

/** Share of a Gram matrix's largest diagonal element that is added to it: above what rounding may take from an eigenvalue. */
const SHIFT = 2 ** -19;

/**
 * Rounds at most: a matrix has no further one where its columns are all but orthogonal. Two would do for condition
 * numbers to 1e4; the third leaves of directions that are not there next to nothing, and of those at 1e-6 the error that X
 * itself has.
 */
const ROUNDS = 3;

/** What is decomposed, and where V, V diag(1 / s) and s go: places in vectors of four. */
export interface CholeskySvds {
  readonly layouts: Tensor<"u32">;
  readonly flat: Tensor;
  readonly rank: number;
  readonly rows: readonly number[];
  readonly small: Tensor;
  readonly block: number;
  readonly vAt: number;
  readonly wAt: number;
  readonly sAt: number;
  /** Any orthonormal basis will do for U. */
  readonly anyBasis: boolean;
  /** See `SvdPlaces`. */
  readonly minShare: number;
}

/**
 * V and s of X = U diag(s) Vᵀ, for all matrices; or with `anyBasis` R⁻¹ and ones of X = U R, where X is not near to one that
 * lacks ranks. s is 0 where it is below 1e-6 of the largest, with a zero column in V.
 * What it needs on the way is freed at once.
 */
export function choleskySvds(
  gpu: Gpu,
  { layouts, flat, rank, rows, small, anyBasis, ...places }: CholeskySvds,
  lanes: number,
): void {
  using _ = gpu.scope("Cholesky QR", "scratch");
  const blocks = Math.ceil(rank / 4), count = rows.length, most = Math.max(...rows);
  const square = (label: string) => gpu.empty([count, 4 * blocks, 4 * blocks], label);
  const q = gpu.empty([rows.reduce((sum, own) => sum + own, 0), 4 * blocks], "orthonormal bases");
  gpu.launch(packKernel, {
    buffers: { matrices: layouts, x: flat, q },
    uniforms: { rank },
    workgroups: groupsForEach(count, most),
  });
  const gram = square("Gram matrices"), factor = square("Cholesky factors");
  // R so far, and R of the round before.
  let r = square("factors R"), earlier = square("earlier factors R");
  const panels = Math.ceil(blocks / 2), tiles = panels * (panels + 1) / 2;
  const parts = Math.max(2 ** Math.floor(Math.log2(lanes / tiles)), 1);
  for (let round = 0; round < ROUNDS; round++) {
    const isFirst = round === 0, isLast = round + 1 === ROUNDS;
    if (!isFirst) {
      gpu.launch(divideKernel, {
        buffers: { matrices: layouts, factor, q },
        uniforms: { blocks },
        workgroups: groupsForEach(count, Math.ceil(most / 4)),
      });
      [r, earlier] = [earlier, r];
    }
    gpu.launch(gramKernel, {
      buffers: { matrices: layouts, q, gram, factor },
      uniforms: { blocks, parts, maySkip: Number(!isFirst) },
      constants: { LANES: lanes },
      workgroups: [Math.ceil(tiles * parts / lanes), count],
    });
    gpu.launch(choleskyKernel, {
      buffers: { gram, factor, earlier, product: r },
      // What the last round adds would be in R.
      uniforms: {
        ...{ rank, blocks, shift: isLast ? 0 : SHIFT, floor: SHIFT / 2, zero: 0 },
        mayEnd: Number(!isLast),
      },
      constants: { LANES: lanes, PRODUCT: !isFirst },
      workgroups: [count],
    });
  }
  const staged = rank <= STAGED_RANK && variantsOn(gpu).includes("staged");
  gpu.launch(jacobiKernel({ staged }), {
    buffers: { y: r, small },
    uniforms: { rank, blocks, ...places, zero: 0 },
    constants: { LANES: lanes, BASIS: anyBasis },
    workgroups: [count],
  });
}
