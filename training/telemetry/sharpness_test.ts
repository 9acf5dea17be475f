import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertGreater,
  assertLess,
  assertRejects,
} from "@std/assert";
import { createGradients } from "../../autodiff/mod.ts";
import { READING, testNeeding } from "../../tests/support/test_needing.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { complete, partsOf } from "../../tests/support/tiny_runs.ts";
import { elementCount } from "../../gpu/tensor.ts";
import { adaptedForward } from "../loop/forward.ts";
import { differentiate } from "../loop/differentiate.ts";
import { runSession } from "../loop/session.ts";
import { sharpnessOf } from "./sharpness.ts";

const test = testNeeding(READING);

const short = { targetModules: ["layers.0.self_attn.q_proj"], steps: 2, telemetryEvery: 0 };

test("a run's sharpness is the curvature of its loss: largest eigenvalue over steps, and every bit of the run stays", async () => {
  const gpu = await testGpu(), before = gpu.memory.liveBytes;
  for (const id of ["full", "dora"]) {
    const changes = { ...short, optimizer: { id, options: id === "full" ? {} : { rank: 2 } } };
    const config = complete(changes), parts = await partsOf(config);
    const plain = await runSession(gpu, config, parts, {});
    const measured = await runSession(gpu, complete({ ...changes, sharpness: 8 }), parts, {});
    const { value, error } = measured.sharpness!;
    assertEquals(plain.sharpness, undefined);
    assertEquals([measured.trainLoss, measured.scores], [plain.trainLoss, plain.scores], id);
    assertGreater(value, 0);
    // More steps find no less, and nothing beyond what fewer allow for.
    const further = (await runSession(gpu, complete({ ...changes, sharpness: 16 }), parts, {})).sharpness!;
    assert(
      further.value >= 0.999 * value && further.value <= 1.001 * (value + error),
      `${id}: ${value}, ${error}, ${further.value}`,
    );
  }
  assertEquals(gpu.memory.liveBytes, before);
});

test("sharpness is that of the Hessian of 64 numbers before the head, column by column", async () => {
  const gpu = await testGpu();
  const config = { ...complete(short), sharpness: 3 }, { entry, task, source } = await partsOf(config);
  using _ = gpu.scope("run");
  const model = entry.create(gpu, source),
    data = await task.load({ ...config.task, seed: config.seed }, entry);
  const batch = data.trainBatch(1, 4);
  // Logits are linear in what stands before the head, so that this Hessian is positive semidefinite.
  const bias = model.parameters.find(({ name }) => name === "vision_model.post_layernorm.bias")!;
  const optimizer = { trainable: [bias] } as unknown as Parameters<typeof sharpnessOf>[1]["optimizer"];
  const forward = (tape: Parameters<typeof adaptedForward>[0]) => adaptedForward(tape, optimizer, new Set());
  const found = await sharpnessOf(gpu, {
    model,
    optimizer,
    batch,
    forward,
    config: { ...config, sharpness: 10 },
  });
  const start = await gpu.download(bias.value), h = 0.02, size = elementCount(bias.value.shape);
  const gradientAt = async (i: number, by: number) => {
    const moved = start.slice();
    moved[i] = moved[i]! + by;
    gpu.write(bias.value, moved);
    const store = createGradients(gpu, [bias]), seed = gpu.upload(Float32Array.of(1), "f32", [1], "seed");
    differentiate(gpu, model, batch, store, { parts: 1, seed, forward });
    return await gpu.download(store.of(bias));
  };
  const hessian: number[][] = [];
  for (let i = 0; i < size; i++) {
    const above = await gradientAt(i, h), below = await gradientAt(i, -h);
    hessian.push(Array.from(above, (value, j) => (value - below[j]!) / (2 * h)));
  }
  gpu.write(bias.value, start);
  // Power iteration on what is positive semidefinite.
  let vector = Array.from({ length: size }, (_, i) => 1 + i), largest = 0;
  for (let step = 0; step < 400; step++) {
    const image = hessian.map((row) => row.reduce((sum, value, j) => sum + value * vector[j]!, 0));
    largest = Math.hypot(...image);
    vector = image.map((value) => value / largest);
  }
  assertAlmostEquals(found.value, largest, 0.01 * largest);
  assertLess(found.error, 0.01 * largest);
  assertEquals(await gpu.download(bias.value), start);
});

test("sharpness of more numbers than the host keeps directions of is refused by their count", async () => {
  const gpu = await testGpu(), config = { ...complete(short), sharpness: 3 };
  const trainable = [{ name: "all", value: { shape: [4096, 1025] } }];
  const parts = { config, optimizer: { trainable } } as unknown as Parameters<typeof sharpnessOf>[1];
  await assertRejects(
    () => sharpnessOf(gpu, parts),
    RangeError,
    "sharpness of 4198400 trained numbers: 4194304 at most",
  );
});
