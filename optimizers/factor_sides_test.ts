import { assert, assertEquals } from "@std/assert";
import { createGradients } from "../autodiff/mod.ts";
import { conditionedProblem, onQuadratics } from "../tests/support/low_rank_problems.ts";
import { add, zeros } from "../tests/reference/matrix.ts";
import { packsBytes } from "../training/cost/memory.ts";
import { altlora } from "./altlora.ts";
import { loraFa } from "./lora_fa.ts";
import { loraPro } from "./lora_pro/lora_pro.ts";
import { loraRite } from "./lora_rite/lora_rite.ts";
import type { OptimizerModule, Options } from "./optimizer.ts";
import { scaledAdamw } from "./scaled_adamw.ts";

/** Methods that decompose factors, with options that allocate otherwise. */
const METHODS = [
  [loraFa, {}],
  [scaledAdamw, {}],
  [scaledAdamw, { order: "sequential" }],
  [altlora, {}],
  [altlora, { secondMoment: true }],
  [loraRite, {}],
  [loraRite, { clipNorm: 0, skipAbove: 1 }],
  [loraPro, { mode: "full" }],
  [loraPro, { mode: "efficient" }],
] as unknown as readonly (readonly [OptimizerModule, Options])[];

const maps = [
  conditionedProblem(37, 301, 7, 1),
  conditionedProblem(129, 64, 7, 2),
  conditionedProblem(8, 515, 7, 3),
];

/** Others are the kernels above rank 12, and those for rows and columns of whole vectors there. */
const CASES = [
  [7, maps],
  [20, [conditionedProblem(37, 301, 20, 1), conditionedProblem(129, 64, 20, 2)]],
  [20, [conditionedProblem(36, 300, 20, 1), conditionedProblem(128, 64, 20, 2)]],
] as const;

for (const [module, options] of METHODS) {
  const label = `${module.id} ${JSON.stringify(options)}`;

  Deno.test(`${label}: state, tables and what two steps allocate at most are as its footprint says, at odd sizes`, async () => {
    for (const [rank, cases] of CASES) {
      await onQuadratics(module, { rank, ...options }, cases, async ({ optimizer, targetModules }, gpu) => {
        const complete = { ...module.defaults, rank, ...options };
        const footprint = module.footprint(complete, { targetModules, parameters: [], head: [] });
        const { liveBytesByCategory: live } = gpu.memory;
        assertEquals(live["state"], packsBytes([...footprint.state, ...footprint.tables]));
        assertEquals(live["adapters"], packsBytes(footprint.adapters));
        const store = createGradients(gpu, optimizer.trainable), before = gpu.memory.liveBytes;
        gpu.resetPeak();
        for (const step of [1, 2]) {
          using _ = gpu.scope("step");
          await optimizer.step(store, { step, learningRate: 0.01 });
        }
        assertEquals(gpu.memory.peakBytes - before, packsBytes(footprint.scratch));
      });
    }
  });

  Deno.test(`${label}: a gradient that is not finite is not hidden`, async () => {
    for (const broken of [NaN, Infinity]) {
      const map = maps[1]!, target = add(map.target, zeros(129, 64));
      target.data[77] = broken;
      await onQuadratics(module, { rank: 7, ...options }, [{ ...map, target }], async (run) => {
        for (const step of [1, 2]) await run.step(step, 0.01);
        const { a, b } = await run.readOne();
        assert(![...a.data, ...b.data].every(Number.isFinite), `${broken}`);
      });
    }
  });

  Deno.test(`${label}: a step neither waits for the GPU nor reads anything back`, async () => {
    await onQuadratics(module, { rank: 7, ...options }, [maps[1]!], async (run, gpu) => {
      for (const step of [1, 2]) await run.step(step, 0.01);
      await gpu.flush();
      gpu.resetWork();
      for (const step of [3, 4]) assertEquals(run.step(step, 0.01), undefined);
      const { downloads, submits, buffers } = gpu.work;
      assertEquals({ downloads, submits, buffers }, { downloads: 0, submits: 0, buffers: 0 });
    });
  });
}
