import { assert, assertEquals, assertNotEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { lora } from "../../optimizers/lora.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { UserError } from "../../errors/user_error.ts";
import { completeConfig } from "../configuration.ts";
import { joinEntries } from "../registry.ts";
import { type RunConfig, runId, runIds } from "../run.ts";
import { RunConfig as Schema } from "../schemas.ts";
import { shipped } from "../shipped.ts";
import { train } from "../train.ts";
import { loadModules } from "./modules.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";

const test = testNeeding(FILES);

const NAME = "@equivalent-gradient/harness";

/** A method of one's own: LoRA by another name. */
const METHOD = `import { lora } from "${NAME}";
import { title } from "./title.ts";

export const mine = { ...lora, id: "mine", title };
export const other = 5;
`;

const config: RunConfig = {
  schema: 1,
  task: { id: "digits", trainExamples: 8, validationExamples: 4, testExamples: 4 },
  model: { id: "vit-tiny" },
  targetModules: ["*"],
  optimizer: { id: "mine", options: { rank: 2 } },
  steps: 2,
  batchSize: 4,
  accumulate: 1,
  schedule: { kind: "constant", learningRate: 1e-3, warmup: 0, floor: 1 },
  clip: 1,
  validateEvery: 2,
  telemetryEvery: 0,
  scoreOn: "test",
  seed: 0,
};

/** A folder with these files. */
async function inFolder(
  files: Readonly<Record<string, string>>,
  body: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "modules #1 " });
  try {
    for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(`${folder}/${name}`, text);
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

test("loadModules() finds what a file exports by its form, under any name, and each thing once", async () => {
  const files = {
    "all.ts": `import { decoderTiny, digits, lora } from "${NAME}";
      const method = { ...lora, id: "my-method" };
      export default method;
      export { method };
      export const task = { ...digits, id: "my-task" }, model = { ...decoderTiny, id: "my-model" };
      export const settings = { id: "nothing", load: 5 }, load = () => {};`,
  };
  await inFolder(files, async (folder) => {
    const { tasks, models, optimizers, sources } = await loadModules([
      `${folder}/all.ts`,
      `${folder}/all.ts`,
    ]);
    const ids = [optimizers, tasks, models].map((all) => Object.values(all).map(({ id }) => id));
    assertEquals(ids, [["my-method"], ["my-task"], ["my-model"]]);
    assertEquals([...sources.values()].map(({ path }) => path), Array(3).fill(`${folder}/all.ts`));
  });
});

test("a run notes the bytes of the file that its method is from and of what that imports, and is named by them, not by its place", async () => {
  const gpu = await testGpu();
  await inFolder({ "mine.ts": METHOD, "title.ts": 'export const title = "Mine";' }, async (folder) => {
    const own = await loadModules([`${folder}/mine.ts`]);
    const run = await train(gpu, config, own);
    assert(run.status === "done");
    const { optimizer } = run.config, { module } = optimizer;
    assertEquals([module?.path, optimizer.options["rank"]], [`${folder}/mine.ts`, 2]);
    assertEquals(Schema.parse(JSON.parse(JSON.stringify(run.config))), run.config);
    // What it does is LoRA's, to the bit; who it is is not.
    const ours = await train(gpu, { ...config, optimizer: { id: "lora", options: { rank: 2 } } });
    assert(ours.status === "done");
    assertEquals(run.outcome.trainLoss, ours.outcome.trainLoss);
    assertNotEquals(run.id, ours.id);
    assertEquals((await train(gpu, run.config, own)).id, run.id);
    assertEquals(await runIds([run.config]), [run.id]);
    await inFolder({ "mine.ts": METHOD, "title.ts": 'export const title = "Mine";' }, async (elsewhere) => {
      const copy = completeConfig(config, joinEntries(shipped, await loadModules([`${elsewhere}/mine.ts`])));
      assertNotEquals(copy.optimizer.module, module);
      assertEquals(await runId(copy), run.id);
    });
    await inFolder({ "mine.ts": METHOD, "title.ts": 'export const title = "Ours";' }, async (elsewhere) => {
      const changed = await loadModules([`${elsewhere}/mine.ts`]), known = joinEntries(shipped, changed);
      assertNotEquals(await runId(completeConfig(config, known)), run.id);
      const error = await assertRejects(() => train(gpu, run.config, changed), UserError);
      assertStringIncludes(error.message, `Cannot use "mine" from ${elsewhere}/mine.ts: its files changed`);
    });
    const error = await assertRejects(() => train(gpu, run.config), UserError);
    assertStringIncludes(error.message, `it was from ${folder}/mine.ts, --with loads it; known are`);
  });
});

test("train() takes a caller's own entries beside ours, and refuses an id that is taken", async () => {
  const gpu = await testGpu();
  const mine = { ...lora, id: "mine", title: "Mine" };
  const run = await train(gpu, config, { optimizers: { mine } });
  assertEquals([run.status, run.config.optimizer.module], ["done", undefined]);
  for (const id of ["lora", "My method"]) {
    const own = { optimizers: { mine: { ...mine, id } } };
    await assertRejects(() => train(gpu, config, own), UserError, `Cannot use method "${id}": `);
  }
});

test("loadModules() refuses what can't be loaded or brings nothing, in one sentence that names the file", async () => {
  const files = {
    "syntax.ts": "export const a: number = ;",
    "throws.ts": 'throw new RangeError("seven is needed");',
    "lacks.ts": 'import { a } from "./nowhere.ts";\nexport const b = a;',
    "nothing.ts": "export const a = 1, b = {};",
    "silent.ts": "const a = 1; void a;",
    "half.ts": `import { lora } from "${NAME}";
      export const mine = { ...lora, id: "mine", footprint: undefined };`,
    "wrong.ts": `import { digits } from "${NAME}"; export const mine = { ...digits, title: 5 };`,
    "name.ts": `import { nothing } from "${NAME}"; export const a = nothing;`,
    "package.ts": 'import "a-package-that-no-map-names"; export const a = 1;',
  };
  await inFolder(files, async (folder) => {
    for (
      const [name, wanted] of [
        ["absent.ts", "absent.ts: there is no such file"],
        ["absent.csv", "a file of TypeScript or JavaScript is needed"],
        ["syntax.ts", "Expression expected"],
        ["throws.ts", "seven is needed"],
        ["lacks.ts", "nowhere.ts, which is not there"],
        ["nothing.ts", "an OptimizerModule, a Task or a ModelEntry is needed among its exports, it has a, b"],
        ["silent.ts", "it has none"],
        ["half.ts", 'export "mine" of'],
        ["half.ts", 'as a method: "footprint" is missing, a function is needed'],
        ["wrong.ts", 'as a task: "title" is a number, a string is needed'],
        ["name.ts", "nothing"],
        ["package.ts", "a-package-that-no-map-names"],
      ] as const
    ) {
      const error = await assertRejects(() => loadModules([`${folder}/${name}`]), UserError);
      assertStringIncludes(error.message, `${folder}/${name}`);
      assertStringIncludes(error.message, wanted);
      assertEquals(error.message.split("\n").length, 1, error.message);
    }
  });
});

test("a process that loaded a file takes it as it was, and refuses it as it is now", async () => {
  const text = (title: string) =>
    `import { lora } from "${NAME}"; export const m = { ...lora, id: "mine", title: "${title}" };`;
  await inFolder({ "a.ts": text("A") }, async (folder) => {
    await loadModules([`${folder}/a.ts`]);
    assertEquals(Object.keys((await loadModules([`${folder}/a.ts`])).optimizers).length, 1);
    await Deno.writeTextFile(`${folder}/a.ts`, text("B"));
    const error = await assertRejects(() => loadModules([`${folder}/a.ts`]), UserError);
    assertStringIncludes(error.message, `Cannot load ${folder}/a.ts again: it changed`);
  });
});

test("two files may not bring the same id", async () => {
  const text = (title: string) =>
    `import { lora } from "${NAME}"; export const m = { ...lora, id: "mine", title: "${title}" };`;
  await inFolder({ "a.ts": text("A"), "b.ts": text("B") }, async (folder) => {
    const both = await loadModules([`${folder}/a.ts`, `${folder}/b.ts`]);
    try {
      joinEntries(shipped, both);
    } catch (error) {
      assert(error instanceof UserError);
      assertEquals(
        error.message,
        `Cannot use method "mine" of ${folder}/b.ts: ${folder}/a.ts has one of that id, another id is needed`,
      );
      return;
    }
    assert(false, "nothing was refused");
  });
});
