/**
 * @file Measures the variants of the matrix product on this machine, and of sums over lanes where the adapter has subgroups:
 * what the command "autotune" does.
 */
import { system } from "../../system/mod.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import {
  type Layout,
  MATMUL_VARIANTS,
  matmulBy,
  type MatmulVariant,
  type ProductShape,
  ruleFor,
  shapeClassOf,
  type StoredType,
  useMatmulChoices,
  variantsOn,
} from "../../kernels/mod.ts";
import type { ModelEntry } from "../../models/entry.ts";
import { fastestOf, mediansOf } from "./medians.ts";
import { SUBGROUP_KERNELS, tuneSubgroups } from "./subgroups.ts";
import { readTuning, type Tuning } from "./tuning.ts";

/** Tokens of a batch and ranks of factors, as the shipped sweeps have them. */
const ROWS = [512, 1024], RANKS = [2, 8];

/** How far a tuning is. */
export interface TuneProgress {
  readonly done: number;
  readonly total: number;
  /** The class, or the kernel, that was measured last. */
  readonly shape: string;
}

/** Uses the tuning of the machine that `gpu` is on, if there is one; returns it. */
export async function useTuning(gpu: Gpu): Promise<Tuning | null> {
  const of = { adapter: gpu.info.adapter, deno: system.host.version };
  const tuning = await readTuning(of, { products: MATMUL_VARIANTS, subgroups: SUBGROUP_KERNELS });
  if (tuning) {
    useMatmulChoices(
      gpu,
      Object.fromEntries(Object.entries(tuning.products).map(([shape, { variant }]) => [shape, variant])),
    );
    const sums = Object.entries(tuning.subgroups ?? {}).filter(([, { variant }]) => variant === "subgroups");
    if (gpu.subgroups) gpu.useSubgroups(sums.map(([kernel]) => kernel));
  }
  return tuning;
}

/**
 * The products of training those of the models that ship with a checkpoint, one of each shape class: every weight forward, backward and for its gradient,
 * with 32-bit and frozen 16-bit weights, and the factors of low-rank methods.
 */
export function productsOf(models: readonly Pick<ModelEntry, "parameters" | "pretrained">[]): ProductShape[] {
  const shipped = models.filter(({ pretrained }) => pretrained);
  const byClass = new Map<string, ProductShape>();
  const note = (layout: Layout, rows: number, inner: number, columns: number, typeB: StoredType = "f32") => {
    const shape = { layout, batch: 1, rows, inner, columns, typeB }, name = shapeClassOf(shape);
    if (!byClass.has(name)) byClass.set(name, shape);
  };
  for (const tokens of ROWS) {
    for (const { shape } of shipped.flatMap(({ parameters }) => parameters)) {
      if (shape.length !== 2) continue;
      const [outer, inner] = shape as [number, number];
      for (const typeB of ["f32", "f16"] as const) {
        note("nt", tokens, inner, outer, typeB);
        note("nn", tokens, outer, inner, typeB);
      }
      note("tn", outer, tokens, inner);
      for (const rank of RANKS.filter((rank) => rank < Math.min(outer, inner))) {
        note("nt", tokens, inner, rank);
        note("nn", tokens, outer, rank);
        note("tn", outer, tokens, rank);
        note("tn", rank, tokens, inner);
      }
    }
  }
  return [...byClass.values()];
}

/**
 * Measures the adapter's variants on all shapes, and sums over lanes both ways where it has subgroups. Nothing is stored, and
 * choices in use stay as they are.
 */
export async function autotune(
  gpu: Gpu,
  shapes: readonly ProductShape[],
  onProgress: (progress: TuneProgress) => void = () => {},
): Promise<Tuning> {
  const products: Tuning["products"] = {};
  const total = shapes.length + (gpu.subgroups ? SUBGROUP_KERNELS.length : 0);
  let done = 0;
  for (const shape of shapes) {
    const times = await measure(gpu, shape), rule = ruleFor(gpu, shape);
    const name = shapeClassOf(shape);
    products[name] = { variant: fastestOf(times, rule), rule, microseconds: Object.fromEntries(times) };
    onProgress({ done: ++done, total, shape: name });
  }
  return {
    ...{ schema: 1, adapter: gpu.info.adapter, deno: system.host.version, products },
    ...gpu.subgroups && {
      subgroups: await tuneSubgroups(gpu, (kernel) => onProgress({ done: ++done, total, shape: kernel })),
    },
  };
}

/** Median microseconds of one product by variant. */
async function measure(gpu: Gpu, shape: ProductShape): Promise<Map<MatmulVariant, number>> {
  using _ = gpu.scope("tuning");
  const { layout, rows, inner, columns, typeB } = shape;
  // Zeros would do: no adapter multiplies them faster.
  const a = gpu.zeros(layout === "tn" ? [inner, rows] : [rows, inner], "a");
  const b = gpu.zeros(layout === "nt" ? [columns, inner] : [inner, columns], "b", typeB);
  const into = gpu.empty([rows, columns], "c");
  const options = { transposeA: layout === "tn", transposeB: layout === "nt", into };
  return await mediansOf(
    gpu,
    new Map(variantsOn(gpu).map((variant) => [variant, () => void matmulBy(variant, gpu, a, b, options)])),
  );
}
