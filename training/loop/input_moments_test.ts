import { assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { createGradients, Tape } from "../../autodiff/mod.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { type EncoderDecoderBatch, type Forward, IGNORE, type Model } from "../../models/model.ts";
import { matrix, multiply } from "../../numerics/matrix.ts";
import type { InputsOf, OptimizerModule } from "../../optimizers/optimizer.ts";
import { loraNull } from "../../optimizers/starts/starts.ts";
import type { TaskData } from "../../tasks/task.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { READING, testNeeding } from "../../tests/support/test_needing.ts";
import { complete, partsOf } from "../../tests/support/tiny_runs.ts";
import { tinyEncoderDecoder, translationBatch } from "../../tests/support/tiny_models.ts";
import { packBytes } from "../cost/memory.ts";
import { checkpointedForward, plainForward } from "./forward.ts";
import { inputMomentsOf } from "./input_moments.ts";
import { momentGroups } from "./moment_groups.ts";
import { runSession } from "./session.ts";

const test = testNeeding(READING);

/** Some inputs are padded, and texts end early. All inputs have two tokens: what looks for one among one is without effect. */
function batchOf(step: number, size: number): EncoderDecoderBatch {
  const batch = translationBatch(size, step), { data, shape } = batch.inputMask;
  return { ...batch, inputMask: { shape, data: data.map((kept, i) => i % shape[1]! < 2 ? 1 : kept) } };
}

const data: TaskData = {
  needs: { family: "encoder-decoder", outputs: 13, inputSize: 20 },
  trainBatch: batchOf,
  *validationBatches() {},
  score: () => Promise.reject(new Error("Cannot score")),
};

/** Of pre-training other batches: what is the third of the task is the first of it. */
const dataOf = (of: InputsOf): TaskData =>
  of === "task" ? data : { ...data, trainBatch: (step, size) => batchOf(step + 2, size) };

/** XᵀX of a batch by target module, in float64, of the rows that are no padding. */
async function momentsOfBatch(gpu: Gpu, model: Model, batch: EncoderDecoderBatch) {
  using _ = gpu.scope("one batch");
  const inputs: { readonly name: string; readonly x: Tensor }[] = [];
  const plain = plainForward(new Tape(gpu, createGradients(gpu, [])));
  const forward: Forward = {
    tape: plain.tape,
    linear(targetModule, x) {
      inputs.push({ name: targetModule.name, x: x.value });
      return plain.linear(targetModule, x);
    },
    block: (inputs, body) => body(forward, inputs),
  };
  model.logits(forward, batch);
  const all = await gpu.downloadAll(inputs.map(({ x }) => x));
  const counts = [
    Array.from(batch.inputMask.data, (kept) => kept === 1),
    Array.from(batch.targets.data, (token) => token !== IGNORE),
  ];
  return new Map(inputs.map(({ name, x }, i) => {
    const columns = x.shape.at(-1)!, values = all[i]!, rows = values.length / columns;
    // There are as many rows as tokens that are read, or as tokens that are written.
    const kept = counts.find(({ length }) => length === rows)!;
    const own = matrix(rows, columns, values.map((value, k) => kept[Math.floor(k / columns)] ? value : 0));
    return [name, multiply(own, own, { transposeA: true })];
  }));
}

Deno.test("inputMomentsOf() hands out XᵀX of the first batches without their padding, whatever the parts, and frees it", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("input moments");
  const model = tinyEncoderDecoder(gpu), { targetModules } = model, groups = momentGroups(targetModules);
  const [first, second, third] = [
    await momentsOfBatch(gpu, model, batchOf(1, 4)),
    await momentsOfBatch(gpu, model, batchOf(2, 4)),
    await momentsOfBatch(gpu, model, batchOf(3, 4)),
  ];
  const before = gpu.memory.liveBytes;
  for (const parts of [1, 2]) {
    const inputMoments = inputMomentsOf(gpu, model, targetModules, dataOf, {
      batchSize: 4,
      parts,
      wrap: parts === 1 ? (forward) => forward : checkpointedForward,
    });
    const names: string[] = [];
    for await (const { targetModule, moments } of inputMoments(2)) {
      const { name, in: columns } = targetModule,
        group = groups.find((group) => group.includes(targetModule))!;
      names.push(name);
      assertEquals(moments.shape, [columns, columns]);
      assertEquals(
        gpu.memory.liveBytes - before,
        packBytes(group.map((one) => one.in ** 2)) + packBytes([1]),
      );
      const wanted = first.get(name)!.data.map((value, k) => value + second.get(name)!.data[k]!);
      // Sums of up to 88 products in f32.
      assertClose(await gpu.download(moments), wanted, { relative: 1e-5 }, `${name} in ${parts} parts`);
    }
    assertEquals(names, targetModules.map(({ name }) => name));
    for await (const { targetModule: { name }, moments } of inputMoments(1, "pretraining")) {
      assertClose(await gpu.download(moments), third.get(name)!.data, { relative: 1e-5 }, `${name} before`);
      break;
    }
    assertEquals(gpu.memory.liveBytes, before);
  }
});

test("a run starts from what its weights were pre-trained on, or says that nobody knows what that is", async () => {
  const gpu = await testGpu(), module = loraNull as unknown as OptimizerModule;
  const startOf = async (inputsOf: string, known: boolean) => {
    const config = complete({
      targetModules: ["layers.0.self_attn.q_proj"],
      optimizer: { id: "lora-null", options: { rank: 2, inputBatches: 1, inputsOf } },
    });
    const { entry, ...parts } = await partsOf(config);
    let a: Float32Array | null = null;
    const attach: OptimizerModule["attach"] = async (...given) => {
      a = await gpu.download((await module.attach(...given)).trainable[0]!.value);
      throw new Error("seen");
    };
    const seen = {
      ...parts,
      entry: known ? entry : { ...entry, recipe: null },
      module: { ...module, attach },
    };
    await assertRejects(
      () => runSession(gpu, config, seen, {}),
      Error,
      known || inputsOf === "task" ? "seen" : UNKNOWN,
    );
    return a;
  };
  const own = await startOf("task", true);
  assertNotEquals(await startOf("pretraining", true), own);
  assertEquals([await startOf("task", false), await startOf("pretraining", false)], [own, null]);
});

const UNKNOWN =
  'Cannot start "lora-null" from inputs of what model "vit-tiny" was pre-trained on: that is known of ' +
  'checkpoints that ship, with their own head; "options": {"inputsOf": "task"} in a sweep\'s file, or --vary ' +
  "inputsOf=task, takes inputs of the task";

Deno.test("momentGroups() keeps the order, and has no more numbers in a group than the weights have", () => {
  const module = (columns: number, out: number) => ({ in: columns, out });
  const [square, up, down] = [module(4, 4), module(4, 16), module(16, 4)];
  assertEquals(momentGroups([square, square, square]), [[square, square, square]]);
  // 16 + 64 + 64 numbers of weights, and 16 + 16 + 256 of moments.
  assertEquals(momentGroups([square, up, down]), [[square, up], [down]]);
  assertEquals(momentGroups([down, square]), [[down], [square]]);
  assertEquals(momentGroups([]), []);
});
