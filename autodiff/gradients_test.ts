import { assertEquals, assertThrows } from "@std/assert";
import { testGpu } from "../tests/support/test_gpu.ts";
import { createGradients } from "./gradients.ts";

Deno.test("createGradients() holds a zeroed slot of each parameter's shape in a pack, and clear() zeroes all", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("gradients");
  const parameters = [[3, 5], [1], [2, 3, 4]].map((shape, i) => ({
    name: `p${i}`,
    value: gpu.empty(shape, `p${i}`),
  }));
  const store = createGradients(gpu, parameters);
  assertEquals(store.parameters, parameters);
  assertEquals(parameters.map((parameter) => store.of(parameter).shape), [[3, 5], [1], [2, 3, 4]]);
  assertEquals(store.flats.map(({ shape }) => shape), [[192]]);
  for (let i = 0; i < 2; i++) {
    assertEquals(await gpu.download(store.flats[0]!), new Float32Array(192));
    parameters.forEach((p) =>
      gpu.write(store.of(p), new Float32Array(p.value.shape.reduce((a, b) => a * b)).fill(2))
    );
    store.clear();
  }
});

Deno.test("createGradients() knows parameters by identity and refuses others by name", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("gradients");
  const value = gpu.empty([2], "w"), known = { name: "w", value }, other = { name: "w", value };
  const store = createGradients(gpu, [known]);
  assertEquals([store.has(known), store.has(other)], [true, false]);
  assertThrows(
    () => store.of(other),
    Error,
    'Cannot find a gradient of "w": it is not trainable in this run',
  );
  assertEquals(createGradients(gpu, []).flats, []);
});
