/**
 * @file Many tall matrices at once, such as the factors of all layers: thin SVDs, products with small matrices, overlaps.
 * One dispatch serves all of them, and nothing is read back.
 */
import type { Gpu } from "../../gpu/gpu.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import { ELEMENT_BYTES, elementCount, type Tensor } from "../../gpu/tensor.ts";
import { composeKernel, wgsl } from "../wgsl/compose.ts";
import { groupsForEach } from "../wgsl/groups.ts";
import { snippets } from "../wgsl/snippets.ts";
import { choleskySvds, outer } from "./cholesky_svd.ts";
import {
  GRAM_SCHMIDT_RANK,
  type SmallMatrices,
  smallStride,
  type TallMatrices,
  tallMatrices,
} from "./layout.ts";
import { type StagedOperand, stagedProducts, type StagedTerm, suitsStagedTall } from "./staged_tall.ts";
import smallSource from "./small_product.wgsl" with { type: "text" };
import overlapSource from "./tall_overlap.wgsl" with { type: "text" };
import productSource from "./tall_product.wgsl" with { type: "text" };
import svdSource from "./thin_svd.wgsl" with { type: "text" };
import { basesOf, renewWarmStart, type WarmStart } from "./warm_start.ts";

/** Thin SVDs X = U diag(s) Vᵀ; s is 0 where it is below 1e-6 of the largest, with a zero column in U. */
export interface ThinSvds {
  /** U of every X, laid out as X is. */
  readonly left: TallMatrices;
  /** V. */
  readonly v: SmallMatrices;
  /** s of layer k lies from `at + k * block` on. */
  readonly values: Pick<SmallMatrices, "tensor" | "at" | "block">;
}

const svdKernel = composeKernel({
  name: "thin_svd",
  source: svdSource,
  buffers: { matrices: "read", x: "read", q: "read_write", left: "read_write", small: "read_write" },
  uniforms: { rank: "u32", block: "u32", vAt: "u32", rAt: "u32", sAt: "u32", zero: "u32" },
  constants: { LANES: 64, LEFT: true },
  workgroupBytes: ({ LANES }) => 16 * (4 * Number(LANES) + 64) + 4,
}, { snippets });
const smallKernel = defineKernel({
  name: "small_product",
  source: smallSource,
  buffers: { left: "read", right: "read", values: "read", factors: "read", out: "read_write" },
  uniforms: {
    rank: "u32",
    leftAt: "u32",
    leftBlock: "u32",
    leftRow: "u32",
    leftColumn: "u32",
    rightAt: "u32",
    rightBlock: "u32",
    rightRow: "u32",
    rightColumn: "u32",
    valuesAt: "u32",
    valuesBlock: "u32",
    outAt: "u32",
    outBlock: "u32",
    outRow: "u32",
    damping: "f32",
    scale: "f32",
    minShare: "f32",
    eachShare: "f32",
    zero: "u32",
  },
  constants: { FUNCTION: 0, LEFT: true, RIGHT: true },
});
const productKernel = composeKernel({
  name: "tall_product",
  source: productSource,
  buffers: {
    outMatrices: "read",
    xMatrices: "read",
    yMatrices: "read",
    x: "read",
    y: "read",
    k: "read",
    l: "read",
    out: "read_write",
  },
  uniforms: {
    rank: "u32",
    kAt: "u32",
    kBlock: "u32",
    lAt: "u32",
    lBlock: "u32",
    keep: "f32",
    c: "f32",
    d: "f32",
    zero: "u32",
  },
  constants: { TWO: false, KEEP: false },
}, {
  snippets: {
    ...snippets,
    /** Four rows of X times eight columns of K. */
    tile_of: (x: string, k: string) =>
      wgsl`
        fn tile_of_${x}(matrix: Matrix, rows: vec4<u32>, first: u32, has_more: bool) -> Tile {
          var tile = Tile();
          var at = matrix.offset + rows * matrix.row_stride;
          var row = first;
          for (var i = 0u; i < u.rank; i++) {
            let values = vec4(${x}[at.x], ${x}[at.y], ${x}[at.z], ${x}[at.w]);
            let near = ${k}[row];
            tile.near += mat4x4<f32>(values.x * near, values.y * near, values.z * near, values.w * near);
            if (has_more) {
              let far = ${k}[row + 1u];
              tile.far += mat4x4<f32>(values.x * far, values.y * far, values.z * far, values.w * far);
            }
            at += vec4(matrix.column_stride);
            row += (u.rank + 3u) / 4u;
          }
          return tile;
        }
      `,
  },
});
const overlapKernel = composeKernel({
  name: "tall_overlap",
  source: overlapSource,
  buffers: { matrices: "read", x: "read", y: "read", out: "read_write" },
  uniforms: { rank: "u32", parts: "u32", zero: "u32" },
  constants: { LANES: 64 },
  workgroupBytes: ({ LANES }) => 16 * 16 * Number(LANES),
}, {
  snippets: {
    ...snippets,
    /** Four neighbours in a row of X, zeros behind its end. */
    four_of: (x: string) =>
      wgsl`
        fn four_of_${x}(row: u32, column: u32, step: u32) -> vec4<f32> {
          let inside = vec4(column) + vec4(0u, 1u, 2u, 3u) < vec4(u.rank);
          let at = vec4(row) + select(vec4(0u), vec4(column) + vec4(0u, 1u, 2u, 3u), inside) * step;
          let four = vec4(${x}[at.x], ${x}[at.y], ${x}[at.z], ${x}[at.w]);
          return select(vec4<f32>(0.0), four, inside);
        }
      `,
    outer,
  },
});

/** Lanes of a workgroup that has a layer to itself: a software adapter pays for each at every barrier. */
export function lanesOfMatrix({ info }: Gpu): number {
  return info.software ? 8 : 64;
}

/**
 * Factors of many layers as tall matrices: B `[rows, rank]` as it is, A `[rank, columns]` transposed.
 *
 * @throws {RangeError} where they do not lie in one buffer, in order, or the rank is above `MAX_RANK`
 */
export function tallFactors(gpu: Gpu, factors: readonly Tensor[], which: "A" | "B"): TallMatrices {
  const flat = spanOf(factors, `factors ${which}`);
  const rank = factors[0]!.shape[which === "A" ? 0 : 1]!;
  return tallMatrices(
    gpu,
    flat,
    rank,
    factors.map(({ offset, shape }) => {
      const at = (offset - flat.offset) / ELEMENT_BYTES;
      return which === "A"
        ? { offset: at, rows: shape[1]!, rowStride: 1, columnStride: shape[1]! }
        : { offset: at, rows: shape[0]!, rowStride: rank, columnStride: 1 };
    }),
  );
}

/** Where thin SVDs go: places in vectors of four, see thin_svd.wgsl. */
export interface SvdPlaces {
  /** Null where no left vectors are wanted. */
  readonly left: Tensor | null;
  readonly small: Tensor;
  /** Vectors from one layer's V, R and s to the next one's. */
  readonly block: number;
  readonly vAt: number;
  readonly rAt: number;
  readonly sAt: number;
  /** True where any orthonormal basis will do: see `thinBases`. Not with `warm`. */
  readonly anyBasis?: boolean;
  /** Where it begins above rank 12, and what it leaves for the next time. */
  readonly warm?: WarmStart | null;
  /**
   * Where the least s is surely below this share of the largest, V and s need not be singular vectors and values, only
   * diag(s) Vᵀ a root of XᵀX: one of s is negative then, and a warm start stays as it is. Above rank 12; 0 where absent.
   */
  readonly minShare?: number;
}

/** Numbers of each tensor that `thinSvdsInto` makes on the way, by formula; `warm` are those of X where it has a warm start. */
export function svdScratchSizes(
  rank: number,
  rows: readonly number[],
  left: boolean,
  warm?: readonly number[],
): readonly (readonly number[])[] {
  const stride = smallStride(rank), q = [stride * rows.reduce((sum, count) => sum + count, 0)];
  if (rank > GRAM_SCHMIDT_RANK) {
    return [
      ...warm ? [warm, [rows.length * svdNumbers(rank)]] : [],
      ...[q, ...Array.from({ length: 4 }, () => [rows.length * stride ** 2])],
    ];
  }
  return left ? [q] : [q, [1]];
}

/** Thin SVDs of all `matrices`; what it needs on the way is freed at once. */
export function thinSvdsInto(
  gpu: Gpu,
  matrices: TallMatrices,
  { left, small, ...places }: SvdPlaces,
  lanes: number = lanesOfMatrix(gpu),
): void {
  const { flat, rank, rows, layouts } = matrices;
  if (rank > GRAM_SCHMIDT_RANK) {
    const { block, vAt, rAt, sAt, anyBasis = false, warm, minShare = 0 } = places;
    if (warm) {
      warmSvds(gpu, matrices, { left, small, block, vAt, sAt, warm, minShare }, lanes);
      return;
    }
    choleskySvds(
      gpu,
      { layouts, flat, rank, rows, small, block, vAt, wAt: rAt, sAt, anyBasis, minShare },
      lanes,
    );
    if (left) {
      const by = { tensor: small, at: 4 * rAt, block: 4 * block, row: smallStride(rank), column: 1 };
      tallProducts(gpu, { ...matrices, flat: left }, [{ x: matrices, by }]);
    }
    return;
  }
  using _ = gpu.scope("orthonormal bases", "scratch");
  const q = gpu.empty([rows.reduce((sum, count) => sum + count, 0), smallStride(rank)], "orthonormal bases");
  gpu.launch(svdKernel, {
    buffers: { matrices: layouts, x: flat, q, left: left ?? gpu.empty([1], "no left vectors"), small },
    uniforms: { rank, block: places.block, vAt: places.vAt, rAt: places.rAt, sAt: places.sAt, zero: 0 },
    constants: { LANES: lanes, LEFT: left !== null },
    workgroups: [rows.length],
  });
}

/**
 * Thin SVDs from those of X W, W being the warm start's basis: U and s are its own, and V is W times its V. Columns of X W
 * are nearly orthogonal, so that one round of Cholesky QR and one or two sweeps of rotations will mostly do.
 */
function warmSvds(
  gpu: Gpu,
  matrices: TallMatrices,
  { left, small, block, vAt, sAt, warm, minShare }:
    & Pick<SvdPlaces, "left" | "small" | "block" | "vAt" | "sAt">
    & { readonly warm: WarmStart; readonly minShare: number },
  lanes: number,
): void {
  using _ = gpu.scope("from a warm start", "scratch");
  const { flat, rank, rows } = matrices, stride = smallStride(rank), place = rank * stride;
  const turned = { ...matrices, flat: gpu.empty(flat.shape, "X in its basis") };
  tallProducts(gpu, turned, [{ x: matrices, by: basesOf(warm) }]);
  const own = gpu.empty([rows.length, svdNumbers(rank)], "small matrices in their basis");
  choleskySvds(gpu, {
    ...{ layouts: turned.layouts, flat: turned.flat, rank, rows, small: own, block: svdNumbers(rank) / 4 },
    ...{ vAt: 0, wAt: place / 4, sAt: 2 * place / 4, anyBasis: false, minShare },
  }, lanes);
  const of = { tensor: own, block: svdNumbers(rank), row: stride, column: 1 };
  if (left) tallProducts(gpu, { ...matrices, flat: left }, [{ x: turned, by: { ...of, at: place } }]);
  // By columns: Vᵀ = V'ᵀ Wᵀ by rows.
  const v = { tensor: small, at: 4 * vAt, block: 4 * block, row: stride, column: 1 }, { ones } = warm;
  const transposed = ({ row, column, ...rest }: SmallMatrices) => ({ ...rest, row: column, column: row });
  plainProducts(gpu, { ...of, at: 0 }, transposed(basesOf(warm)), v, { rank, ones });
  renewWarmStart(gpu, warm, { v: transposed(v), sAt: 4 * sAt, values: { ...of, at: 2 * place } }, lanes);
}

/** Steps after which the bases of a warm start are made orthonormal again: each adds an error of rounding. */
const STEPS_BETWEEN = 4;

/**
 * Makes the bases of a warm start orthonormal to rounding, W ← W (3 I − WᵀW) / 2, at one step of four, counted from 1.
 *
 * Source: Björck and Bowie, SIAM J. Numer. Anal. 8, 1971.
 */
export function keepOrthonormal(gpu: Gpu, { bases }: WarmStart, step: number): void {
  if (step % STEPS_BETWEEN !== 0) return;
  using _ = gpu.scope("orthonormal again", "scratch");
  const x = { ...bases, flat: gpu.empty(bases.flat.shape, "bases before") };
  gpu.copy(bases.flat, x.flat);
  tallProducts(gpu, bases, [{ x, by: tallOverlaps(gpu, x, x), scale: -0.5 }], 1.5);
}

/** Thin SVDs of all `matrices`, in the caller's scope. */
export function thinSvds(gpu: Gpu, matrices: TallMatrices, lanes?: number): ThinSvds {
  const left = gpu.empty(matrices.flat.shape, "left singular vectors");
  return { left: { ...matrices, flat: left }, ...decompose(gpu, matrices, left, { lanes }) };
}

/**
 * Orthonormal bases U of what the columns of all `matrices` span, with V and s for which U = X V diag(1 / s), in the caller's
 * scope. Those of thin SVDs, or above rank 12, where X is not near to a matrix that lacks ranks, those of X = U R: then V is
 * R⁻¹ and s is 1, which takes a small part of the work.
 */
export function thinBases(gpu: Gpu, matrices: TallMatrices, lanes?: number): ThinSvds {
  const left = gpu.empty(matrices.flat.shape, "orthonormal bases");
  return { left: { ...matrices, flat: left }, ...decompose(gpu, matrices, left, { lanes, anyBasis: true }) };
}

/** V and s of all `matrices`, in the caller's scope: all that inverses of their Gram matrices take. `minShare`: see `SvdPlaces`. */
export function rightSvds(
  gpu: Gpu,
  matrices: TallMatrices,
  lanes?: number,
  warm: WarmStart | null = null,
  minShare = 0,
): Omit<ThinSvds, "left"> {
  return decompose(gpu, matrices, null, { lanes, warm, minShare });
}

function decompose(
  gpu: Gpu,
  matrices: TallMatrices,
  left: Tensor | null,
  { lanes, anyBasis = false, warm = null, minShare = 0 }:
    & { readonly lanes?: number | undefined }
    & Pick<SvdPlaces, "anyBasis" | "warm" | "minShare">,
): Omit<ThinSvds, "left"> {
  const { rank, rows } = matrices, stride = smallStride(rank), block = svdNumbers(rank);
  const small = gpu.empty([rows.length, block], "small matrices"), place = rank * stride / 4;
  thinSvdsInto(gpu, matrices, {
    ...{ left, small, block: block / 4, vAt: 0, rAt: place, sAt: 2 * place, anyBasis, warm, minShare },
  }, lanes);
  return {
    v: { tensor: small, at: 0, block, row: 1, column: stride },
    values: { tensor: small, at: 2 * rank * stride, block },
  };
}

/** Numbers of a layer's small matrices in `thinSvds`. */
export function svdNumbers(rank: number): number {
  return (2 * rank + 1) * smallStride(rank);
}

/** What `smallProducts` makes of a singular value s, each but "one" 0 where s is 0. */
export type SmallFunction = "one" | "1/(s²+d)" | "s/(s²+d)" | "s" | "1/(cs+d)";
const FUNCTIONS: readonly SmallFunction[] = ["one", "1/(s²+d)", "s/(s²+d)", "s", "1/(cs+d)"];

/** Settings of `smallProducts`. */
export interface SmallProductOptions {
  readonly rank: number;
  /** "one" where absent. */
  readonly f?: SmallFunction;
  /** s; needed for any f but "one". */
  readonly values?: ThinSvds["values"];
  /** d, 0 where absent. */
  readonly damping?: number;
  /** Share of a layer's largest s that its smallest must reach: below it the product is 0. No limit where absent. */
  readonly minShare?: number;
  /** Share of a layer's largest s below which one counts as 0. None does where absent. */
  readonly eachShare?: number;
  /** `[count]`: c of each layer is this times `scale`. */
  readonly factors: Tensor;
  /** 1 where absent. */
  readonly scale?: number;
  /** Takes the result; new, with rows of whole vectors, where absent. */
  readonly into?: SmallMatrices;
}

/**
 * c L diag(f(s)) Rᵀ of every layer, or L diag(1 / (c s + d)) Rᵀ; null stands for the identity in the place of L or R, not
 * of both.
 */
export function smallProducts(
  gpu: Gpu,
  left: SmallMatrices | null,
  right: SmallMatrices | null,
  { rank, f = "one", values, damping = 0, minShare = 0, eachShare = 0, factors, scale = 1, into }:
    SmallProductOptions,
): SmallMatrices {
  const count = elementCount(factors.shape);
  const out = into ?? smallMatrices(gpu, count, rank, "small products"), any = (left ?? right)!;
  if (left && right && suitsStagedTall(gpu, rank, [])) {
    using _ = gpu.scope("left factors by values", "scratch");
    const a = smallProducts(gpu, left, null, {
      ...{ rank, f, damping, minShare, eachShare, factors, scale },
      ...values ? { values } : {},
    });
    const terms = [{ a: { of: a }, b: { of: right, turned: true } }] as const;
    stagedProducts(gpu, { rank, count, c: { of: out }, terms, tall: null });
    return out;
  }
  const l = left ?? any, r = right ?? any, s = values ?? any;
  gpu.launch(smallKernel, {
    buffers: { left: l.tensor, right: r.tensor, values: s.tensor, factors, out: out.tensor },
    uniforms: {
      rank,
      leftAt: l.at,
      leftBlock: l.block,
      leftRow: l.row,
      leftColumn: l.column,
      rightAt: r.at,
      rightBlock: r.block,
      rightRow: r.row,
      rightColumn: r.column,
      valuesAt: s.at,
      valuesBlock: s.block,
      outAt: out.at,
      outBlock: out.block,
      outRow: out.row,
      damping,
      scale,
      minShare,
      eachShare,
      zero: 0,
    },
    constants: { FUNCTION: FUNCTIONS.indexOf(f), LEFT: left !== null, RIGHT: right !== null },
    workgroups: [Math.ceil(Math.ceil(rank / 4) * Math.ceil(out.row / 4) / 64), count],
  });
  return out;
}

/** L R of every matrix into `out`. */
function plainProducts(
  gpu: Gpu,
  left: SmallMatrices,
  right: SmallMatrices,
  out: SmallMatrices,
  { rank, ones }: { readonly rank: number; readonly ones: Tensor },
): void {
  if (!suitsStagedTall(gpu, rank, [])) {
    const turned = { ...right, row: right.column, column: right.row };
    smallProducts(gpu, left, turned, { rank, factors: ones, into: out });
    return;
  }
  const terms = [{ a: { of: left }, b: { of: right } }] as const;
  stagedProducts(gpu, { rank, count: elementCount(ones.shape), c: { of: out }, terms, tall: null });
}

function smallMatrices(gpu: Gpu, count: number, rank: number, label: string): SmallMatrices {
  const row = smallStride(rank);
  return { tensor: gpu.empty([count, rank, row], label), at: 0, block: rank * row, row, column: 1 };
}

/** Xᵀ Y of every layer; both are laid out alike. */
export function tallOverlaps(
  gpu: Gpu,
  x: TallMatrices,
  y: TallMatrices,
  lanes: number = lanesOfMatrix(gpu),
): SmallMatrices {
  const { rank, rows, layouts } = x, out = smallMatrices(gpu, rows.length, rank, "overlaps");
  if (suitsStagedTall(gpu, rank, [x, y])) {
    const terms = [{ a: { of: x, turned: true }, b: { of: y } }] as const;
    stagedProducts(gpu, { rank, count: rows.length, c: { of: out }, terms, tall: "inner" });
    return out;
  }
  const parts = Math.max(Math.floor(lanes / Math.ceil(rank / 4) ** 2), 1);
  gpu.launch(overlapKernel, {
    buffers: { matrices: layouts, x: x.flat, y: y.flat, out: out.tensor },
    uniforms: { rank, parts, zero: 0 },
    constants: { LANES: lanes },
    workgroups: [Math.ceil(Math.ceil(rank / 8) ** 2 / Math.floor(lanes / parts)), rows.length],
  });
  return out;
}

/** scale · X K, of matrices with as many rows as the result has. K has rows of whole vectors, as results above. */
export interface TallTerm {
  readonly x: TallMatrices;
  readonly by: SmallMatrices;
  /** 1 where absent. */
  readonly scale?: number;
}

/** out ← keep · out + the sum of one or two terms, for all layers. `out` is none of the terms' tensors. */
export function tallProducts(
  gpu: Gpu,
  out: TallMatrices,
  [first, second]: readonly [TallTerm, TallTerm?],
  keep = 0,
): void {
  const other = second ?? first, { rank, rows } = out;
  if (suitsStagedTall(gpu, rank, [out, first.x, other.x])) {
    // Columns of wide matrices are what is contiguous: then all is transposed.
    const turned = out.wide;
    const term = ({ x, by, scale }: TallTerm): StagedTerm => {
      const factors = [{ of: x, turned }, { of: by, turned }] as const;
      const [a, b] = turned ? factors.toReversed() as [StagedOperand, StagedOperand] : factors;
      return { a, b, ...scale === undefined ? {} : { scale } };
    };
    stagedProducts(gpu, {
      ...{ rank, count: rows.length, keep },
      c: { of: out, turned },
      terms: second ? [term(first), term(second)] : [term(first)],
      tall: turned ? "columns" : "rows",
    });
    return;
  }
  gpu.launch(productKernel, {
    buffers: {
      outMatrices: out.layouts,
      xMatrices: first.x.layouts,
      yMatrices: other.x.layouts,
      x: first.x.flat,
      y: other.x.flat,
      k: first.by.tensor,
      l: other.by.tensor,
      out: out.flat,
    },
    uniforms: {
      rank,
      kAt: first.by.at / 4,
      kBlock: first.by.block / 4,
      lAt: other.by.at / 4,
      lBlock: other.by.block / 4,
      keep,
      c: first.scale ?? 1,
      d: other.scale ?? 1,
      zero: 0,
    },
    constants: { TWO: second !== undefined, KEEP: keep !== 0 },
    workgroups: groupsForEach(
      rows.length,
      Math.ceil(Math.max(...rows) / 4) * Math.ceil(rank / 8),
    ),
  });
}

/** One tensor from the first to the last of `tensors`, which lie in order. @throws {RangeError} where buffers differ */
export function spanOf(tensors: readonly Tensor[], label: string): Tensor {
  const first = tensors[0]!, last = tensors.at(-1)!;
  for (const tensor of tensors) {
    if (tensor.buffer !== first.buffer || tensor.offset < first.offset || tensor.offset > last.offset) {
      throw new RangeError(
        `Cannot batch "${first.label}" and "${tensor.label}": they do not lie in one buffer, in order`,
      );
    }
  }
  return {
    ...first,
    shape: [(last.offset - first.offset) / ELEMENT_BYTES + elementCount(last.shape)],
    label,
  };
}

/** Factors of one layer, with moments of their product where there are any. */
export interface BatchedFactors {
  readonly a: Tensor;
  readonly b: Tensor;
  readonly m?: Tensor;
  readonly v?: Tensor;
}

/**
 * Indices of layers whose factors one dispatch can take: those of one rank whose tensors lie in the same buffers. One
 * group, unless a pack was too large for one buffer or ranks differ.
 */
export function groupFactors(factors: readonly BatchedFactors[]): readonly (readonly number[])[] {
  const groups: number[][] = [];
  factors.forEach((pair, i) => {
    const alike = groups.find(([first]) => {
      const other = factors[first!]!;
      return other.a.shape[0] === pair.a.shape[0] &&
        (["a", "b", "m", "v"] as const).every((key) => other[key]?.buffer === pair[key]?.buffer);
    });
    if (alike) alike.push(i);
    else groups.push([i]);
  });
  return groups;
}
