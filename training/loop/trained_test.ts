import { assert, assertEquals } from "@std/assert";
import { parseSafetensors } from "../../models/checkpoints/read_safetensors.ts";
import type { TargetModule } from "../../models/model.ts";
import type { Optimizer, OptimizerModule } from "../../optimizers/optimizer.ts";
import { copyWeight } from "../../optimizers/module_weight.ts";
import { multiply } from "../../tests/reference/matrix.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { methods, prepareRun } from "../../tests/support/interrupted_runs.ts";
import { READING, testNeeding } from "../../tests/support/test_needing.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { runId } from "../run.ts";
import { runSession } from "./session.ts";
import type { Trained } from "./trained.ts";
import { encodeTrained } from "./trained_file.ts";

const test = testNeeding(READING);

/** A short run: weights of its target modules before and after it, and what it trained. */
async function trainedBy(module: OptimizerModule) {
  const gpu = await testGpu(), { config, parts } = await prepareRun(module, { telemetryEvery: 0 });
  let targetModules: readonly TargetModule[] = [],
    optimizer: Optimizer | null = null,
    trained: Trained | null = null;
  let before: Float32Array[] = [], after: Float32Array[] = [];
  const watched: OptimizerModule = {
    ...module,
    async attach(setup, options) {
      ({ targetModules } = setup);
      {
        using _ = gpu.scope("before");
        before = await gpu.downloadAll(targetModules.map((module) => copyWeight(gpu, module)));
      }
      return optimizer = await module.attach(setup, options);
    },
  };
  const session = await runSession(gpu, config, { ...parts, module: watched }, {
    async onTrained(found) {
      using _ = gpu.scope("after");
      trained = found;
      after = await gpu.downloadAll(targetModules.map((module) => optimizer!.effectiveWeight(module)));
    },
  });
  return { config, session, targetModules, before, after, trained: trained! as Trained };
}

function matrixOf({ shape, data }: { readonly shape: readonly number[]; readonly data: Float32Array }) {
  return { rows: shape[0]!, columns: shape[1]!, data: Float64Array.from(data) };
}

test("what a run trained, with the base weight, is the trained weight, whatever the method's start", async () => {
  for (const module of methods.filter(({ id }) => id !== "dora")) {
    const { targetModules, before, after, trained } = await trainedBy(module);
    for (const [i, { name, weight }] of targetModules.entries()) {
      const own = trained.tensors.get(weight.name), s = trained.scales[name];
      if (own) {
        assertEquals(own.data, after[i], `${module.id} ${name}`);
        continue;
      }
      const product = (ending: string) => {
        const a = trained.tensors.get(`${name}.EA${ending}`) ?? trained.tensors.get(`${name}.A${ending}`);
        const b = trained.tensors.get(`${name}.B${ending}`);
        return a && b ? multiply(matrixOf(b), matrixOf(a)).data : null;
      };
      const now = product("")!, start = product("0");
      const found = Float32Array.from(before[i]!, (w, j) => w + s! * (now[j]! - (start?.[j] ?? 0)));
      // A rewritten weight was rounded once, the effective one is a sum in 32 bits.
      assertClose(found, after[i]!, { relative: 1e-5 }, `${module.id} ${name}`);
      assert(found.some((value, j) => value !== before[i]![j]), `${module.id} ${name} has moved`);
    }
  }
});

test("keeping what is trained changes nothing else; the file has the run's id, config and scales", async () => {
  const module = methods.find(({ id }) => id === "pissa")!;
  const { config, session, trained } = await trainedBy(module);
  const { config: again, parts } = await prepareRun(module, { telemetryEvery: 0 });
  const { cost, earlierMs: _, ...found } = await runSession(await testGpu(), again, parts, {});
  const { cost: withKept, earlierMs: _e, ...kept } = session;
  assertEquals(kept, found);
  assertEquals(withKept.peakBytes, cost.peakBytes);
  const id = await runId(config), file = parseSafetensors(encodeTrained({ id, config }, trained), "trained");
  assertEquals([...file.tensors.keys()].sort(), [...trained.tensors.keys()].sort());
  assertEquals(file.metadata["run"], id);
  assertEquals(JSON.parse(file.metadata["config"]!), JSON.parse(JSON.stringify(config)));
  assertEquals(JSON.parse(file.metadata["scales"]!), trained.scales);
  for (const name of ["A", "B", "A0", "B0"]) {
    const tensor = file.tensors.get(`layers.0.self_attn.q_proj.${name}`)!;
    assertEquals(tensor.data, trained.tensors.get(`layers.0.self_attn.q_proj.${name}`)!.data);
  }
});
