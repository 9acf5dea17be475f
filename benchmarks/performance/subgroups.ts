/** @file Measures which kernels are faster when they add up over lanes by subgroups, where the adapter has them. */
import type { Gpu, Tensor } from "../../gpu/mod.ts";
import { addNorm, dot, norm, normBackward, rowLosses } from "../../kernels/mod.ts";
import { createRandom } from "../../numerics/random.ts";
import { fastestOf, mediansOf } from "./medians.ts";

/** How a kernel adds up over lanes: through workgroup memory, which is the rule, or by subgroups. */
const WAYS = ["lanes", "subgroups"] as const;
/** One of them. */
export type Way = typeof WAYS[number];

/** Tokens of a batch, and widths of models: a choice is for all of them. */
const ROWS = 512, WIDTHS = [64, 256, 768];
/** What sums in another order may differ by, of the largest value. */
const TOLERANCE = 1e-5;

/** What a kernel is tried on, for one width. */
interface Operands {
  readonly x: Tensor;
  readonly y: Tensor;
  readonly weight: Tensor;
  readonly statistics: Tensor;
  readonly targets: Tensor<"i32">;
}

const OPTIONS = { epsilon: 1e-5, center: true };

/** Launches of each kernel that training spends time in and that adds up over lanes, by its name. */
const LAUNCHES = {
  norm: (gpu, { x, weight }) => norm(gpu, x, weight, null, OPTIONS).out,
  add_norm: (gpu, { x, y, weight }) => addNorm(gpu, x, y, weight, null, OPTIONS).out,
  norm_backward(gpu, { x, y, weight, statistics }) {
    const into = gpu.empty(x.shape, "into");
    normBackward(gpu, y, x, weight, statistics, { ...OPTIONS, into, accumulate: false });
    return into;
  },
  cross_entropy(gpu, { x, targets }) {
    const losses = gpu.empty([ROWS], "losses");
    rowLosses(gpu, x, targets, losses);
    return losses;
  },
  dot_parts: (gpu, { x, y }) => dot(gpu, x, y),
} as const satisfies Record<string, (gpu: Gpu, operands: Operands) => Tensor>;

/** Names of the kernels that may be chosen to add up by subgroups. */
export const SUBGROUP_KERNELS: readonly string[] = Object.keys(LAUNCHES);

/** What was found for a kernel. */
export interface WayChoice {
  readonly variant: Way;
  readonly rule: Way;
  /** Of those ways that give what the rule's gives. */
  readonly microseconds: Readonly<Partial<Record<Way, number>>>;
}

/**
 * The faster way of each kernel, by its name. A way whose values differ from the rule's by more than rounding is not timed. What
 * is in use on `gpu` stays as it is.
 *
 * @throws {Error} where the adapter takes no subgroups
 */
export async function tuneSubgroups(
  gpu: Gpu,
  onKernel: (kernel: string) => void = () => {},
): Promise<Record<string, WayChoice>> {
  using _ = gpu.scope("tuning");
  const before = gpu.inSubgroups, found: Record<string, WayChoice> = {};
  const operands = WIDTHS.map((width) => operandsOf(gpu, width));
  try {
    for (const [kernel, launch] of Object.entries(LAUNCHES)) {
      const launchAll = (way: Way): Tensor[] => {
        gpu.useSubgroups(way === "subgroups" ? [kernel] : []);
        return operands.map((one) => launch(gpu, one));
      };
      const values = async (way: Way) => {
        using _ = gpu.scope("values");
        return await gpu.downloadAll(launchAll(way));
      };
      const wanted = await values("lanes"),
        ways = areClose(await values("subgroups"), wanted) ? WAYS : ["lanes"] as const;
      const medians = await mediansOf(
        gpu,
        new Map(ways.map((way) => [way, () => {
          using _ = gpu.scope("timed");
          launchAll(way);
        }])),
      );
      found[kernel] = {
        variant: fastestOf<Way>(medians, "lanes"),
        rule: "lanes",
        microseconds: Object.fromEntries(medians),
      };
      onKernel(kernel);
    }
  } finally {
    gpu.useSubgroups(before);
  }
  return found;
}

function operandsOf(gpu: Gpu, width: number): Operands {
  const random = createRandom(width);
  const draw = (shape: readonly number[], name: string) => {
    return gpu.upload(random.fork(name).normal(shape.reduce((a, b) => a * b), 1), "f32", shape, name);
  };
  const x = draw([ROWS, width], "x"), weight = draw([width], "weight");
  return {
    ...{ x, weight, y: draw([ROWS, width], "y") },
    statistics: norm(gpu, x, weight, null, OPTIONS).statistics,
    targets: gpu.upload(Int32Array.from({ length: ROWS }, (_, i) => i % width), "i32", [ROWS], "targets"),
  };
}

function areClose(found: readonly Float32Array[], wanted: readonly Float32Array[]): boolean {
  return found.every((values, i) => {
    const most = TOLERANCE * wanted[i]!.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
    // What is no number is not close.
    return values.every((value, k) => Math.abs(value - wanted[i]![k]!) <= most);
  });
}
