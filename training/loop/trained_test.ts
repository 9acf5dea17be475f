import { assert, assertEquals } from "@std/assert";
import { addChange } from "../../models/adapters/low_rank_change.ts";
import { readPeftFolder } from "../../models/adapters/read_peft.ts";
import { encodeSafetensors } from "../../models/checkpoints/write_safetensors.ts";
import { vitTiny } from "../../models/sizes.ts";
import { toPeft } from "../export/peft_adapter.ts";
import { readTrained } from "../export/trained_run.ts";
import { parseSafetensors } from "../../models/checkpoints/read_safetensors.ts";
import type { TargetModule } from "../../models/model.ts";
import type { Optimizer, OptimizerModule } from "../../optimizers/optimizer.ts";
import { copyWeight } from "../../optimizers/module_weight.ts";
import { multiply } from "../../tests/reference/matrix.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { methods, prepareRun } from "../../tests/support/interrupted_runs.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { runId } from "../run.ts";
import { runSession } from "./session.ts";
import type { Trained } from "./trained.ts";
import { encodeTrained } from "./trained_file.ts";

const test = testNeeding(FILES);

/** Short runs, made once. */
const runs = new Map<string, ReturnType<typeof makeRun>>();

/** A short run: weights of its target modules before and after it, and what it trained. */
async function trainedBy(module: OptimizerModule) {
  const run = runs.get(module.id) ?? makeRun(module);
  runs.set(module.id, run);
  return await run;
}

async function makeRun(module: OptimizerModule) {
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
      const now = product(""), start = product("0");
      if (!now) {
        assertEquals(after[i], before[i], `${module.id} ${name}`);
        continue;
      }
      const found = Float32Array.from(before[i]!, (w, j) => w + s! * (now[j]! - (start?.[j] ?? 0)));
      // A rewritten weight was rounded once, the effective one is a sum in 32 bits.
      assertClose(found, after[i]!, { relative: 1e-5 }, `${module.id} ${name}`);
      assert(found.some((value, j) => value !== before[i]![j]), `${module.id} ${name} has moved`);
    }
  }
});

test("what a run trained, exported as an adapter and read again, gives the trained weight with the base weight", async () => {
  const facts = {
    family: "vision",
    base: "vit-tiny",
    revision: null,
    biases: [],
    shared: [],
    modules: vitTiny.targetModules().map(({ name }) => name),
  } as const;
  const folder = await Deno.makeTempDir();
  try {
    for (const module of methods) {
      const { config, targetModules, before, after, trained } = await trainedBy(module);
      const id = await runId(config), path = `${folder}/${module.id}.safetensors`;
      await Deno.writeFile(path, encodeTrained({ id, config }, trained));
      const weights = await readTrained(path, { id, config }, vitTiny);
      for (const form of ["native", "portable"] as const) {
        const adapter = toPeft(weights, form, { ...facts, config });
        if (typeof adapter === "string") {
          const hasFactors = targetModules.some(({ name }) => trained.tensors.has(`${name}.A`));
          assert(
            !hasFactors || (module.id === "dora" && form === "portable"),
            `${module.id}: ${adapter}`,
          );
          continue;
        }
        const own = `${folder}/${module.id}-${form}`;
        await Deno.mkdir(own);
        await Deno.writeTextFile(`${own}/adapter_config.json`, JSON.stringify(adapter.config));
        await Deno.writeFile(`${own}/adapter_model.safetensors`, encodeSafetensors(adapter.tensors));
        const read = await readPeftFolder(own);
        assertEquals(read.changes.length, targetModules.length, own);
        for (const [i, { name, weight: { name: parameter } }] of targetModules.entries()) {
          const change = read.changes.find(({ path }) => `${path}.weight` === parameter)!,
            found = before[i]!.slice();
          addChange(found, change);
          assertClose(found, after[i]!, { relative: 1e-5 }, `${module.id} ${form} ${name}`);
          // What programs that know little must not need.
          if (form === "portable") assertEquals(Object.keys(change).sort(), ["a", "b", "path", "scale"]);
        }
        if (form === "portable") {
          assertEquals([adapter.config["peft_type"], adapter.config["use_rslora"]], ["LORA", false]);
        }
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
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
    const tensor = file.tensors.get(`layers.0.self_attn.v_proj.${name}`)!;
    assertEquals(tensor.data, trained.tensors.get(`layers.0.self_attn.v_proj.${name}`)!.data);
  }
});
