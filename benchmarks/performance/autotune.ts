/** @file Measures the variants of the matrix product on this machine: what the command "autotune" does. */
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
import { readTuning, type Tuning } from "./tuning.ts";

/** Tokens of a batch and ranks of factors, as the shipped sweeps have them. */
const ROWS = [512, 1024], RANKS = [2, 8];
/** Another variant must save so much of the rule's time: less may be noise. */
const CLEARLY = 0.95;
/** Rounds over all variants; the median counts. */
const ROUNDS = 5;
/** GPU milliseconds of one measurement by timestamps, and by the clock, which has a grain of 11 ms in Deno. */
const BY_TIMESTAMPS = 4, BY_CLOCK = 60;

/** How far a tuning is. */
export interface TuneProgress {
  readonly done: number;
  readonly total: number;
  /** The class that was measured last. */
  readonly shape: string;
}

/** Uses the tuning of the machine that `gpu` is on, if there is one; returns it. */
export async function useTuning(gpu: Gpu): Promise<Tuning | null> {
  const of = { adapter: gpu.info.adapter, deno: system.host.version };
  const tuning = await readTuning(of, MATMUL_VARIANTS);
  if (tuning) {
    useMatmulChoices(
      gpu,
      Object.fromEntries(Object.entries(tuning.products).map(([shape, { variant }]) => [shape, variant])),
    );
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

/** Measures the adapter's variants on all shapes. Nothing is stored, and choices in use stay as they are. */
export async function autotune(
  gpu: Gpu,
  shapes: readonly ProductShape[],
  onProgress: (progress: TuneProgress) => void = () => {},
): Promise<Tuning> {
  const products: Tuning["products"] = {};
  for (const [done, shape] of shapes.entries()) {
    const times = await measure(gpu, shape), rule = ruleFor(gpu, shape);
    const [fastest] = [...times].sort(([, a], [, b]) => a - b)[0]!;
    const variant = times.get(fastest)! < CLEARLY * times.get(rule)! ? fastest : rule;
    const name = shapeClassOf(shape);
    products[name] = { variant, rule, microseconds: Object.fromEntries(times) };
    onProgress({ done: done + 1, total: shapes.length, shape: name });
  }
  return { schema: 1, adapter: gpu.info.adapter, deno: system.host.version, products };
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
  const byTimestamps = gpu.info.features.includes("timestamp-query");
  const takes = async (variant: MatmulVariant, times: number): Promise<number> => {
    const work = () => {
      for (let i = 0; i < times; i++) matmulBy(variant, gpu, a, b, options);
    };
    if (byTimestamps) {
      return (await gpu.profile(work)).reduce((sum, kernel) => sum + kernel.milliseconds, 0) / times;
    }
    const start = performance.now();
    work();
    await gpu.flush();
    return (performance.now() - start) / times;
  };

  const variants = variantsOn(gpu), repeats = new Map<MatmulVariant, number>();
  for (const variant of variants) {
    // The first run compiles.
    await takes(variant, 1);
    const about = Math.max(await takes(variant, 3), 1e-3);
    repeats.set(variant, Math.min(100, Math.ceil((byTimestamps ? BY_TIMESTAMPS : BY_CLOCK) / about)));
  }
  const found = new Map(variants.map((variant) => [variant, [] as number[]]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const variant of variants) {
      found.get(variant)!.push(await takes(variant, repeats.get(variant)!));
    }
  }
  return new Map(
    [...found].map(([variant, times]) => [
      variant,
      // At least a nanosecond: a coarse clock may see nothing at all.
      Math.max(1e-3, Math.round(1e6 * times.sort((a, b) => a - b)[ROUNDS >> 1]!) / 1e3),
    ]),
  );
}
