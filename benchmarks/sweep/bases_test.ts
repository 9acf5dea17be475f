import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { type BaseConfig, type BaseResult, recordId } from "../../training/run.ts";
import { UserError } from "../../errors/user_error.ts";
import { baseOf, basesOf, scoreBases } from "./bases.ts";
import { fakeRegistries } from "../../tests/support/fakes/registries.ts";
import { fakeBase, fakeEnvironment } from "../../tests/support/fakes/results.ts";
import { fakePlan, fakeSweep } from "../../tests/support/fakes/sweep.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import { openBases } from "./store.ts";
import { prepareFolder } from "../../files/write_file.ts";
import { expand } from "./sweep.ts";

const test = testNeeding(FILES);

const configs = (await fakePlan()).runs.map(({ config }) => config);

/** Scores bases without a GPU, and keeps them on disk: notes what happened. */
async function stage(
  work: (stage: {
    readonly go: (signal?: AbortSignal) => Promise<void>;
    readonly scored: string[];
    readonly said: string[];
    readonly gpus: { closed: boolean }[];
    readonly stored: () => Promise<BaseResult[]>;
    readonly out: string;
  }) => Promise<void>,
  score: (config: BaseConfig) => Promise<BaseResult> = fakeBase,
): Promise<void> {
  const out = await Deno.makeTempDir(), store = openBases(out);
  await prepareFolder(store.folder);
  const scored: string[] = [], said: string[] = [], gpus: { closed: boolean }[] = [];
  const deps = {
    open() {
      const gpu = {
        closed: false,
        [Symbol.asyncDispose]() {
          gpu.closed = true;
          return Promise.resolve();
        },
      };
      gpus.push(gpu);
      return Promise.resolve(gpu);
    },
    train: () => Promise.reject(new Error("not needed")),
    scoreBase(_gpu: unknown, config: BaseConfig) {
      scored.push(config.task.id);
      return score(config);
    },
    environment: () => Promise.resolve(fakeEnvironment),
  };
  try {
    await work({
      go: async (signal = new AbortController().signal) =>
        await scoreBases(basesOf(configs), store, await store.read(), deps, {
          signal,
          say: (sentence) => said.push(sentence),
        }),
      scored,
      said,
      gpus,
      stored: async () => [...(await store.read()).results.values()],
      out,
    });
  } finally {
    await Deno.remove(out, { recursive: true });
  }
}

Deno.test("basesOf() has one base a task, model, number of examples and split, whatever the method, rate and seed", () => {
  assertEquals(basesOf(configs).map(({ task }) => task.id), ["digits", "arithmetic"]);
  const [run] = configs;
  const fewer = { ...run!, task: { ...run!.task, testExamples: 7 } };
  assertEquals(basesOf([run!, fewer, { ...run!, scoreOn: "validation" }]).length, 3);
  // Resized models start from random weights, and tasks of several sizes are about costs.
  assertEquals(baseOf({ ...run!, model: { id: "vit-tiny", width: 16 } }), null);
  const sized = expand({ ...fakeSweep, vary: { width: [16] } }, fakeRegistries).configs;
  assertEquals(basesOf(sized), []);
});

test("scoreBases() scores each base once, and opens no GPU where all are stored", async () => {
  await stage(async ({ go, scored, said, gpus, stored }) => {
    await go();
    await go();
    assertEquals(scored, ["digits", "arithmetic"]);
    assertEquals(gpus.map(({ closed }) => closed), [true]);
    assertEquals(said[0], "vit-tiny on digits before fine-tuning: score 0.195");
    for (const result of await stored()) assertEquals(result.id, await recordId(result.config));
  });
});

test("scoreBases() stores a fault as failed, goes on with a new GPU, and tries it again", async () => {
  let broken = true;
  await stage(
    async ({ go, scored, said, gpus, stored }) => {
      await go();
      assertStringIncludes(said[0]!, "failed (the device was lost)");
      assertEquals(gpus.map(({ closed }) => closed), [true, true]);
      const before = await stored();
      assertEquals(before.map(({ status }) => status).sort(), ["done", "failed"]);
      broken = false;
      await go();
      assertEquals(scored, ["digits", "arithmetic", "digits"]);
      assertEquals((await stored()).map(({ status }) => status), ["done", "done"]);
    },
    (config) =>
      broken && config.task.id === "digits"
        ? Promise.reject(new Error("the device was lost"))
        : fakeBase(config),
  );
});

test("scoreBases() stores a score that isn't one as failed, and ends with what only the user can mend", async () => {
  await stage(
    async ({ go, stored }) => {
      await go();
      assertEquals((await stored()).map(({ status }) => status), ["failed", "failed"]);
    },
    async (config) => ({ ...await fakeBase(config), score: NaN }),
  );
  await stage(
    async ({ go, gpus, stored }) => {
      await assertRejects(() => go(), UserError, "x.safetensors");
      assertEquals([gpus[0]!.closed, (await stored()).length], [true, 0]);
    },
    () => Promise.reject(new UserError("Cannot read x.safetensors")),
  );
});

test("scoreBases() gives up the base at work where it is interrupted", async () => {
  const interruption = new AbortController();
  await stage(
    async ({ go, scored, stored }) => {
      await go(interruption.signal);
      assertEquals([scored, await stored()], [["digits"], []]);
    },
    () => {
      interruption.abort();
      return new Promise(() => {});
    },
  );
});

test("the store of bases names edited and misnamed files, like that of runs", async () => {
  await stage(async ({ go, stored, out }) => {
    await go();
    const [one, other] = await stored(), store = openBases(out);
    const path = `${store.folder}/${one!.id}.json`, text = await Deno.readTextFile(path);
    await Deno.writeTextFile(path, text.replace('"score": 0', '"score": 1'));
    const { results, faults: [fault] } = await store.read();
    assertEquals([...results.keys()], [other!.id]);
    assertStringIncludes(fault!.sentence, `/bases/${one!.id}.json: its digest does not fit`);
    assertEquals(await store.setAside(fault!), `${one!.id}.json.broken`);
  });
});
