import { assertEquals } from "@std/assert";
import { createGradients } from "../autodiff/mod.ts";
import type { Parameter } from "../autodiff/tape.ts";
import { createRandom } from "../numerics/random.ts";
import { assertClose } from "../tests/support/assert_close.ts";
import { golden, goldenMatrix } from "../tests/golden/golden.ts";
import { toFloat32 } from "../tests/reference/matrix.ts";
import { testGpu } from "../tests/support/test_gpu.ts";
import { adamwDefaults, createAdamw, validateAdamw } from "./adamw.ts";

for (const name of ["adamw", "adamw_weight_decay"] as const) {
  Deno.test(`createAdamw() follows torch.optim.AdamW for five steps with decay ${golden[name].options.weightDecay}`, async () => {
    const gpu = await testGpu();
    using _ = gpu.scope("golden");
    const { start, steps, options } = golden[name];
    const value = gpu.upload(toFloat32(goldenMatrix(start)), "f32", start.shape, "p");
    const parameter = { name: "p", value }, store = createGradients(gpu, [parameter]);
    const adamw = createAdamw(gpu, [parameter], { ...adamwDefaults, weightDecay: options.weightDecay });
    for (const [i, { gradient, parameter: expected }] of steps.entries()) {
      gpu.write(store.of(parameter), toFloat32(goldenMatrix(gradient)));
      adamw.step(store, { step: i + 1, learningRate: options.learningRate });
      // Steps of 0.01 on numbers of 1, in f32.
      assertClose(await gpu.download(value), expected.data, { relative: 1e-6 }, `step ${i + 1}`);
    }
  });
}

Deno.test("createAdamw() gives the same bytes for parameters side by side, apart, or a subset in another order", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("neighbours");
  const shapes = [[3, 5], [1], [64], [65], [7, 11], [2, 128]], random = createRandom(1);
  const create = (value: Parameter["value"], i: number): Parameter => {
    gpu.write(value, random.fork(`value ${i}`).normal(value.shape.reduce((a, b) => a * b), 1));
    return { name: `p${i}`, value };
  };
  const packed = gpu.pack(shapes.map((shape, i) => ({ label: `p${i}`, shape })), "packed").parts.map(create);
  const apart = shapes.map((shape, i) => create(gpu.empty(shape, `p${i}`), i));
  const others = gpu.pack(shapes.map((shape, i) => ({ label: `p${i}`, shape })), "others").parts.map(create);
  const order = [0, 1, 3, 4];
  const train = (all: readonly Parameter[], indices: readonly number[]) => {
    const chosen = indices.map((i) => all[i]!), store = createGradients(gpu, chosen);
    const adamw = createAdamw(gpu, chosen, { ...adamwDefaults, weightDecay: 0.1 });
    for (let step = 1; step <= 3; step++) {
      indices.forEach((i) => {
        const gradient = random.fork(`gradient ${i} ${step}`).normal(shapes[i]!.reduce((a, b) => a * b), 1);
        gpu.write(store.of(all[i]!), gradient);
      });
      adamw.step(store, { step, learningRate: 0.01 });
    }
  };
  const everyone = shapes.map((_, i) => i);
  train(packed, everyone);
  train(apart, everyone.toReversed());
  train(others, order);
  const read = (all: readonly Parameter[]) => gpu.downloadAll(all.map(({ value }) => value));
  const [together, alone, some] = [await read(packed), await read(apart), await read(others)];
  assertEquals(alone, together);
  for (const i of everyone) {
    const untouched = random.fork(`value ${i}`).normal(shapes[i]!.reduce((a, b) => a * b), 1);
    assertEquals(some[i], order.includes(i) ? together[i] : untouched, `p${i}`);
  }
});

Deno.test("createAdamw() lists both moments of every parameter by name", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("state");
  const parameters = ["a", "b"].map((name) => ({ name, value: gpu.zeros([2, 3], name) }));
  const { state } = createAdamw(gpu, parameters, adamwDefaults);
  assertEquals(state.map(({ name }) => name), ["a.m", "b.m", "a.v", "b.v"]);
});

Deno.test("refuseAdamw() names the setting, its value and the range", () => {
  assertEquals(validateAdamw(adamwDefaults), null);
  assertEquals(validateAdamw({ ...adamwDefaults, beta1: 0, beta2: 0 }), null);
  for (const name of ["beta1", "beta2"] as const) {
    for (const value of [-0.1, 1, NaN]) {
      assertEquals(
        validateAdamw({ ...adamwDefaults, [name]: value }),
        `${name} is ${value}, a number from 0 to below 1 is needed`,
      );
    }
  }
  assertEquals(validateAdamw({ ...adamwDefaults, epsilon: 0 }), "epsilon is 0, a positive number is needed");
  assertEquals(
    validateAdamw({ ...adamwDefaults, weightDecay: NaN }),
    "weightDecay is NaN, 0 or more is needed",
  );
});
