/** @file The matrix products of a step that involve weights: how many, of which shapes, and what they cost alone. */
import type { Gpu } from "../../../gpu/gpu.ts";
import type { Shape, Tensor } from "../../../gpu/tensor.ts";
import { matmul } from "../../../kernels/mod.ts";
import { createRandom } from "../../../numerics/random.ts";
import type { Contestant } from "./interleave.ts";
import type { Problem } from "./problem.ts";

/** A linear map of a step: y = x Wᵀ, dX = dY W and dW += dYᵀ X, with `rows` rows. */
export interface WeightMap {
  readonly rows: number;
  readonly in: number;
  readonly out: number;
}

/** The projections and the output layer, in the decoder's order. The embedding picks rows: no product. */
export function weightMaps(
  { weights, batch, decoder }: Pick<Problem, "weights" | "batch" | "decoder">,
): WeightMap[] {
  return weights.filter(({ name }) => /(_proj|^lm_head)\.weight$/.test(name)).map(({ shape }) => ({
    rows: batch * decoder.length,
    out: shape[0]!,
    in: shape[1]!,
  }));
}

/** Floating-point operations of the three products of all maps, two for each multiplication with its sum. */
export function productFlops(maps: readonly WeightMap[]): number {
  return maps.reduce((sum, map) => sum + 3 * 2 * map.rows * map.in * map.out, 0);
}

/** Launches what a step launches for its weights, and nothing else. Allocates in the caller's scope. */
export function productsAlone(
  gpu: Gpu,
  maps: readonly WeightMap[],
  { share }: Pick<Contestant, "share">,
): Contestant {
  const tensors = maps.map((map) => ({
    x: noise(gpu, [map.rows, map.in]),
    weight: noise(gpu, [map.out, map.in]),
    outputGradient: noise(gpu, [map.rows, map.out]),
    weightGradient: gpu.zeros([map.out, map.in], "weight gradient"),
  }));
  return {
    share,
    async run(units) {
      for (let unit = 0; unit < units; unit++) {
        using _ = gpu.scope("products", "activations");
        for (const { x, weight } of tensors) matmul(gpu, x, weight, { transposeB: true });
        for (const { x, weight, outputGradient, weightGradient } of tensors.toReversed()) {
          matmul(gpu, outputGradient, weight);
          matmul(gpu, outputGradient, x, { transposeA: true, into: weightGradient, accumulate: true });
        }
        gpu.submit();
      }
      await gpu.flush();
    },
  };
}

/** A single product C = A Bᵀ that is large enough to keep a GPU busy. */
export interface LargeProduct extends Contestant {
  /** Rows, inner size and columns. */
  readonly label: string;
  readonly flops: number;
}

/** Products among which the kernel's best rate is looked for. Allocates in the caller's scope. */
export function largeProducts(gpu: Gpu, { share }: Pick<Contestant, "share">): LargeProduct[] {
  return [[1024, 512, 512], [2048, 512, 1024], [2048, 1024, 1024]].map(([rows, inner, columns]) => {
    const a = noise(gpu, [rows!, inner!]), b = noise(gpu, [columns!, inner!]);
    const into = gpu.empty([rows!, columns!], "large product");
    return {
      label: `${rows} x ${inner} x ${columns}`,
      share,
      flops: 2 * rows! * inner! * columns!,
      async run(units) {
        for (let unit = 0; unit < units; unit++) matmul(gpu, a, b, { transposeB: true, into });
        await gpu.flush();
      },
    };
  });
}

/** Normal numbers; the same few thousand over and over, which costs the products nothing. */
function noise(gpu: Gpu, shape: Shape): Tensor {
  const some = createRandom(3).normal(4099, 1);
  const data = new Float32Array(shape[0]! * shape[1]!);
  for (let at = 0; at < data.length; at += some.length) data.set(some.subarray(0, data.length - at), at);
  return gpu.upload(data, "f32", shape, "noise");
}
