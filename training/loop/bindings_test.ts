import { assertRejects } from "@std/assert";
import { Gpu } from "../../gpu/gpu.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import type { RunConfig } from "../run.ts";
import { scoreBase } from "../scoring/score_base.ts";
import { train } from "../train.ts";
import { UserError } from "../../errors/user_error.ts";

/** A device with WebGPU's default limits, that of a modest adapter. */
async function defaultGpu(): Promise<Gpu> {
  const adapter = (await navigator.gpu.requestAdapter())!;
  return new Gpu(await adapter.requestDevice(), { ...(await testGpu()).info, adapter: "a modest one" });
}

Deno.test("train() and scoreBase() refuse a model with a weight that the adapter can't bind, before weights are read", async () => {
  await using gpu = await defaultGpu();
  const base = {
    task: { id: "arithmetic", trainExamples: 1, validationExamples: 1, testExamples: 1 },
    model: { id: "llama-2-7b" },
    scoreOn: "test",
  } as const;
  const config: RunConfig = {
    ...base,
    schema: 1,
    targetModules: ["*"],
    optimizer: { id: "lora", options: {} },
    steps: 1,
    batchSize: 1,
    accumulate: 1,
    schedule: { kind: "constant", learningRate: 1e-3, warmup: 0, floor: 1 },
    clip: 1,
    validateEvery: 1,
    telemetryEvery: 0,
    seed: 0,
  };
  const message =
    'Cannot use model "llama-2-7b" on adapter "a modest one": its weight "model.embed_tokens.weight" [32000,4096] has 524288000 bytes, the adapter binds at most 134217728';
  await assertRejects(() => train(gpu, config), UserError, message);
  await assertRejects(() => scoreBase(gpu, { ...base, schema: 1 }), UserError, message);
});
