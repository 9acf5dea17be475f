/** @file What a run would refuse is refused by its dry run, in the same words and before a GPU is opened. */
import { assert, assertAlmostEquals, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { readOverrides } from "../benchmarks/command_line/arguments.ts";
import { bench, lookAhead, planBench } from "../benchmarks/command_line/bench.ts";
import { isUserFault } from "../errors/fault.ts";
import { predictCost } from "../benchmarks/cost/predicted_cost.ts";
import { countRuns } from "../benchmarks/cost/run_work.ts";
import * as models from "../models/mod.ts";
import * as optimizers from "../optimizers/mod.ts";
import * as tasks from "../tasks/mod.ts";
import type { Registries } from "../training/configuration.ts";
import { openFolders, resolveRuns } from "../training/resolve/resolve.ts";
import { train } from "../training/train.ts";
import { LLAMA, writeModel } from "./support/model_writer.ts";
import { testGpu } from "./support/test_gpu.ts";
import { FILES, testNeeding } from "./support/test_needing.ts";
import { inFolder } from "./support/in_folder.ts";

const test = testNeeding(FILES);

const registries: Registries = { tasks: { ...tasks }, models: { ...models }, optimizers };

/** The plan of `./run bench <sweep> <options>`. */
async function planOf(sweep: string, options: Readonly<Record<string, string>>) {
  return await planBench(
    {
      sweep,
      overrides: readOverrides({ texts: new Map(Object.entries(options)), paths: new Map() }),
      command: "",
      dryRun: true,
    },
    registries,
  );
}

/** What `./run bench` says, of the dry run and of the run, neither of which may open a GPU or write anything. */
async function sayingsOf(sweep: string, options: Readonly<Record<string, string>>, out: string) {
  const refusal = async (body: () => Promise<unknown>) => {
    const error = await assertRejects(body);
    assert(error instanceof Error && isUserFault(error), String(error));
    return error.message;
  };
  const dry = await refusal(async () => await lookAhead(await planOf(sweep, options), out));
  const unused = () => {
    throw new Error("nothing may run");
  };
  const real = await refusal(async () =>
    await bench(await planOf(sweep, options), out, {
      deps: { open: unused, train: unused, scoreBase: unused, environment: unused },
      display: { stage() {}, begin: unused, start: unused, update: unused, finish: unused, end: unused },
      signal: new AbortController().signal,
      checkpointEveryMs: Infinity,
      say: unused,
    })
  );
  assertEquals(await Deno.stat(out).catch(() => null), null);
  return [dry, real];
}

test("a dry run refuses what its run refuses: vocabularies, lengths and amounts that don't fit, in the same words", async () => {
  await inFolder(async (folder) => {
    const smoke = JSON.parse(
      await Deno.readTextFile(new URL("../benchmarks/sweeps/smoke.json", import.meta.url)),
    );
    const write = async (name: string, spec: object) => {
      await Deno.writeTextFile(`${folder}/${name}.json`, JSON.stringify({ ...smoke, ...spec }));
      return `${folder}/${name}.json`;
    };
    const [, words] = smoke.tasks;
    await writeModel(`${folder}/short`, { ...LLAMA, max_position_embeddings: 48 }, models.decoderTiny);
    await writeModel(`${folder}/wide`, { ...LLAMA, vocab_size: 57 }, models.decoderTiny, {
      change(tensors) {
        for (const name of ["model.embed_tokens.weight", "lm_head.weight"]) {
          tensors.set(name, { shape: [57, 64], data: new Float32Array(57 * 64) });
        }
        return tensors;
      },
    });
    const parts = await write("parts", { base: { ...smoke.base, accumulate: 8 } });
    const reader = await write("reader", { tasks: [{ ...words, model: { id: "t5-tiny" } }] });
    const own = { tasks: "arithmetic", optimizers: "lora" };
    for (
      const [sweep, options, wanted] of [
        ["smoke", { ...own, model: `${folder}/short` }, "(decoder, 56 outputs, inputs to 48) on task"],
        ["smoke", { ...own, model: `${folder}/wide` }, "(decoder, 57 outputs, inputs to 80) on task"],
        [reader, {}, "it needs decoder, 56 and 80"],
        ["smoke", { ...own, examples: "20,8,10001" }, "Cannot take 10001 test examples"],
        [parts, {}, '"accumulate" is 8, a batch of 4 has at most 4 parts'],
      ] as const
    ) {
      const [dry, real] = await sayingsOf(sweep, options, `${folder}/out`);
      assertStringIncludes(dry!, wanted);
      assertEquals(real, dry);
    }
  });
});

test("a dry run tells the memory of rows as long as they are, whatever the model could read", async () => {
  await inFolder(async (folder) => {
    await writeModel(`${folder}/long`, { ...LLAMA, max_position_embeddings: 2048 }, models.decoderTiny);
    const gpu = await testGpu();
    for (
      const [sweep, options] of [
        ["smoke", { tasks: "arithmetic", optimizers: "lora", model: `${folder}/long` }],
        ["paper", {
          tasks: "sentiment",
          optimizers: "lora",
          ranks: "8",
          seeds: "0",
          steps: "3",
          examples: "64,8,8",
        }],
      ] as const
    ) {
      const { plan: { runs } } = await planOf(sweep, options);
      const config = { ...runs[0]!.config, telemetryEvery: 0 };
      const known = await openFolders([config], registries);
      const workOf = await countRuns(await resolveRuns([config], known));
      const result = await train(gpu, config);
      assert(result.status === "done");
      const { peakBytes } = result.outcome.cost, predicted = workOf(config).peakBytes;
      assertAlmostEquals(peakBytes! / predicted, 1, 0.03, `${peakBytes} bytes, ${predicted} were predicted`);
      // A report has no data to count with: the run says how long its rows were.
      assertEquals(predictCost(config, result.outcome.rows, known)!.peakBytes, predicted);
    }
  });
});
