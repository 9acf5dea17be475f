/**
 * @file LoftQ: a start of A and B that makes up for what quantizing the frozen weight loses.
 *
 * Source: Li et al., arXiv 2310.08659, algorithm 1.
 */
import { isLowPrecision } from "../autodiff/tape.ts";
import { lowPrecision } from "../gpu/tensor.ts";
import { add, matmul, toFloat, truncatedSvd } from "../kernels/mod.ts";
import type { Factors, LoftqStart, Setup } from "./optimizer.ts";

/** Subspace iterations where a decomposition is randomized: what quantizing leaves has singular values that hardly decay. */
const ITERATIONS = 16;

/**
 * For each target module, `steps` times: Q = quantize(W − s B A), and s B A = the best approximation of W − Q of rank r, with
 * B = U_r √(S_r / s) and A = √(S_r / s) V_rᵀ. B A begins at 0, so the first Q is the weight as it is quantized without.
 *
 * The decomposition is exact, in float64 on the host, where a side of W has at most 128 numbers or 2 r of them, and
 * randomized with 16 subspace iterations elsewhere. The largest entry of each right vector is positive.
 *
 * @throws {Error} where a weight is not quantized
 */
export async function startByLoftq(
  { gpu, random }: Pick<Setup, "gpu" | "random">,
  { steps, weightOf }: LoftqStart,
  factors: readonly Factors[],
): Promise<void> {
  for (const { targetModule, a, b, scale } of factors) {
    const { name, weight } = targetModule;
    if (!isLowPrecision(weight) || weight.value.dtype === "f16") {
      throw new Error(`Cannot start target module "${name}" by LoftQ: it is kept as ${weight.value.dtype}`);
    }
    using _ = gpu.scope("LoftQ's start", "scratch");
    const { value } = weight, rank = a.value.shape[0]!, given = weightOf(targetModule);
    const whole = gpu.upload(given, "f32", value.shape, `${name} as given`);
    let rest = given;
    for (let step = 1; step <= steps; step++) {
      using _ = gpu.scope("step");
      gpu.write(value, lowPrecision(rest, value.dtype));
      const lost = add(gpu, whole, toFloat(gpu, value), 1, -1);
      const { left, values, right } = await truncatedSvd(
        gpu,
        lost,
        rank,
        random.fork(`LoftQ ${step} ${name}`),
        {
          iterations: ITERATIONS,
        },
      );
      const roots = values.map((value) => Math.sqrt(value / scale));
      gpu.write(a.value, Float32Array.from(right, (v, i) => roots[Math.floor(i / targetModule.in)]! * v));
      gpu.write(b.value, Float32Array.from(left, (u, i) => u * roots[i % rank]!));
      if (step === steps) break;
      const without = gpu.empty(value.shape, `${name} without B A`);
      gpu.copy(whole, without);
      matmul(gpu, b.value, a.value, { scale: -scale, into: without, accumulate: true, reuse: true });
      rest = await gpu.download(without);
    }
  }
}
