/** @file Our own training step, as `training/train.ts` takes it. */
import { createGradients } from "../../../autodiff/mod.ts";
import type { Gpu } from "../../../gpu/gpu.ts";
import { createDecoder } from "../../../models/decoder.ts";
import { createRandom } from "../../../numerics/random.ts";
import { full } from "../../../optimizers/mod.ts";
import { differentiate } from "../../../training/loop/differentiate.ts";
import { adaptedForward } from "../../../training/loop/forward.ts";
import type { Peer, Trainer } from "./peer.ts";
import type { Problem } from "./problem.ts";

/** This project on an opened GPU. */
export function ours(gpu: Gpu): Peer {
  return { name: "ours", backend: "webgpu", open: (problem) => open(gpu, problem) };
}

async function open(gpu: Gpu, problem: Problem): Promise<Trainer> {
  const { learningRate, ...options } = problem.adamw;
  const scope = gpu.scope(problem.label, "weights");
  const values = new Map(problem.weights.map(({ name, data }) => [name, data]));
  const model = createDecoder(gpu, problem.decoder, (name) => values.get(name)!.slice());
  const optimizer = await full.attach({
    gpu,
    targetModules: model.targetModules,
    parameters: model.parameters,
    head: model.head,
    steps: 1,
    random: createRandom(0),
    fullGradients: async function* () {},
    inputMoments: async function* () {},
  }, { ...full.defaults, ...options });
  const targetModules = new Set(model.targetModules);
  const gradients = createGradients(gpu, optimizer.trainable);
  const seed = gpu.upload(Float32Array.of(1), "f32", [1], "loss gradient");
  let step = 0;
  return {
    async train(steps) {
      using _ = gpu.scope("steps", "activations");
      const losses = gpu.pack(Array.from({ length: steps }, () => ({ label: "loss", shape: [1] })), "losses");
      for (const kept of losses.parts) {
        using _ = gpu.scope(`step ${++step}`, "activations");
        const batch = problem.batches[(step - 1) % problem.batches.length]!;
        const loss = differentiate(gpu, model, batch, gradients, {
          parts: 1,
          seed,
          forward: (tape) => adaptedForward(tape, optimizer, targetModules),
        });
        gpu.copy(loss, kept);
        await optimizer.step(gradients, { step, learningRate });
        gradients.clear();
        gpu.submit();
      }
      return (await gpu.downloadAll(losses.parts)).map(([loss]) => loss!);
    },
    [Symbol.asyncDispose]() {
      scope[Symbol.dispose]();
      return Promise.resolve();
    },
  };
}
