import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import * as vega from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import type { RunConfig } from "../../../training/run.ts";
import { UserError } from "../../../errors/user_error.ts";
import { fakeRegistries, manyMethods } from "../../../tests/support/fakes/registries.ts";
import { fakeDone } from "../../../tests/support/fakes/results.ts";
import { fakePlan, fakeSweep } from "../../../tests/support/fakes/sweep.ts";
import { FILES, testNeeding } from "../../../tests/support/test_needing.ts";
import { a100 } from "../../cost/growth/predict.ts";
import { buildReport } from "../build.ts";
import { EVERYTHING } from "../drawing/filters.ts";
import { layOut } from "../drawing/lay_out.ts";
import { renderSvg } from "../render.ts";
import type { VegaLiteSpec } from "../drawing/lay_out.ts";
import { makeStudy } from "../../study/make_study.ts";
import { type PeftRun, readPeft, readPeftRuns } from "./from_peft.ts";
import { scoreBesidePeft } from "./peft_beside.ts";
import { PeftResult } from "./peft_format.ts";
import { methodOfPeft, peftMethodOf } from "./peft_methods.ts";
import { experimentOf, peftFileName, toPeft } from "./to_peft.ts";

const test = testNeeding(FILES);

const packages = ["transformers", "peft", "datasets", "bitsandbytes", "torch"];

/** A made-up file with the keys and types of those in PEFT's repository. */
function peftFile() {
  const evaluation = (step: number) => ({
    step,
    "valid accuracy": 0.34,
    "train loss": 0.98,
    "train samples": 4 * step,
    "train time": 30.5,
    "eval time": 11.25,
    "tokens / sec": 6743.6,
    "mem allocated avg": 6925580957.696,
    "mem reserved avg": 11920245522.432,
    "elapsed time": 94.5 * step,
  });
  return {
    run_info: {
      created_at: "2026-07-14T13:50:31+00:00",
      total_time: 1993.49,
      experiment_name: "lora/llama-3.2-3B-rank32",
      peft_branch: "main",
      train_config: {
        model_id: "meta-llama/Llama-3.2-3B",
        dtype: "bfloat16",
        max_seq_length: 768,
        batch_size: 4,
        batch_size_eval: 50,
        max_steps: 500,
        eval_steps: 250,
        compile: false,
        use_gc: false,
        query_template: "Question: {query} Think step by step.\nAnswer:",
        seed: 0,
        grad_norm_clip: 1.0,
        optimizer_type: "AdamW",
        optimizer_kwargs: { lr: 0.0001, weight_decay: 0.1 } as Record<string, number> & { lr: number },
        lr_scheduler: "cosine" as string | null,
        use_amp: false,
        autocast_adapter_dtype: true,
        generation_kwargs: { max_length: 800, max_new_tokens: 300 },
        attn_implementation: null,
        init_kv_cache_prefix: null,
      } as Record<string, unknown>,
      peft_config: {
        task_type: "CAUSAL_LM",
        peft_type: "LORA",
        r: 32,
        target_modules: ["v_proj", "q_proj"],
        lora_alpha: 64,
        use_rslora: false,
        init_lora_weights: true,
        use_dora: false,
      } as Record<string, unknown> | null,
      error_msg: "",
    },
    train_info: {
      accelerator_memory_reserved_avg: 11868689976,
      accelerator_memory_max: 22273851392,
      accelerator_memory_reserved_99th: 17710763212,
      train_time: 1796.18,
      file_size: 36715216,
      num_trainable_params: 9175040,
      num_total_params: 3221924864,
      status: "success",
      metrics: [
        evaluation(250),
        evaluation(500),
        {
          step: 500,
          "test accuracy": 0.482,
          "train loss": 0.606,
          "train samples": 2000,
          "train total tokens": 419805,
          forgetting: 0.036,
        },
      ] as Record<string, unknown>[],
    } as Record<string, unknown> & { status: string; metrics: Record<string, unknown>[] },
    meta_info: {
      model_info: { sha: "13afe512", created_at: "2024-09-18T15:23:48+00:00" },
      dataset_info: {
        metamath: { sha: "aa4f34d3", created_at: null },
        gsm8k: { sha: null, created_at: null },
      },
      package_info: Object.fromEntries(
        packages.flatMap((name) => [[`${name}-version`, "1.0"], [`${name}-commit-hash`, null]]),
      ),
      system_info: {
        system: "Linux",
        release: "6.8.0",
        version: "#31",
        machine: "x86_64",
        processor: "x86_64",
        accelerator: "NVIDIA L40S",
      } as Record<string, string>,
      pytorch_info: "PyTorch built with:\n",
    },
  };
}

/** As files of June 2025 are: other names, and keys that were not there yet. */
function oldPeftFile() {
  const file = peftFile(), { train_info, run_info, meta_info } = file;
  const { use_gc: _, init_kv_cache_prefix: _i, ...train_config } = run_info.train_config;
  const { error_msg: _e, ...info } = run_info;
  const { status, metrics, train_time, file_size } = train_info;
  const { accelerator, ...system_info } = meta_info.system_info;
  return {
    ...file,
    run_info: { ...info, train_config },
    train_info: {
      cuda_memory_reserved_avg: 11868689976,
      cuda_memory_max: 22273851392,
      cuda_memory_reserved_99th: 17710763212,
      train_time,
      file_size,
      status,
      metrics: metrics.map(({ forgetting: _, ...one }) =>
        "eval time" in one ? { ...one, "loss avg": one["train loss"] } : one
      ),
    },
    meta_info: { ...meta_info, system_info: { ...system_info, gpu: accelerator } },
  };
}

async function runs(change: Partial<RunConfig> = {}) {
  const plan = await fakePlan();
  return await Promise.all(plan.runs.map(({ config }) => fakeDone({ ...config, ...change })));
}

const read = (value: unknown) => readPeft(JSON.stringify(value), "a.json");

Deno.test("PeftResult takes files as PEFT has written them from the start, and refuses a key too many or too few", () => {
  PeftResult.parse(peftFile());
  PeftResult.parse(oldPeftFile());
  const without = (path: readonly string[]) => {
    const file = structuredClone(peftFile()) as unknown as Record<string, unknown>;
    const owner = path.slice(0, -1).reduce((inner, key) => inner[key] as Record<string, unknown>, file);
    delete owner[path.at(-1)!];
    return file;
  };
  for (
    const path of [
      ["meta_info"],
      ["run_info", "total_time"],
      ["run_info", "train_config", "optimizer_kwargs"],
      ["train_info", "accelerator_memory_max"],
      ["train_info", "file_size"],
      ["meta_info", "package_info", "peft-version"],
    ]
  ) {
    assert(!PeftResult.safeParse(without(path)).success, path.join("."));
  }
  assert(!PeftResult.safeParse({ ...peftFile(), more: 1 }).success);
});

Deno.test("readPeft() reads what can be held against ours, from files old and new", () => {
  const told: PeftRun = {
    file: "a.json",
    experiment: "lora/llama-3.2-3B-rank32",
    type: "LORA",
    method: "lora",
    rank: 32,
    data: "MetaMathQA and GSM8K",
    model: "meta-llama/Llama-3.2-3B",
    accelerator: "NVIDIA L40S",
    score: 0.482,
    memoryMax: 22273851392,
    memoryAverage: 11868689976,
    stepMs: 122,
    trainSeconds: 1796.18,
    trainableParameters: 9175040,
  };
  assertEquals(read(peftFile()), told);
  assertEquals(read(oldPeftFile()), { ...told, trainableParameters: null });
  const full = peftFile();
  full.run_info.peft_config = null;
  const { type, method, rank } = read(full);
  assertEquals([type, method, rank], ["full-finetuning", "full", null]);
});

Deno.test("readPeft() names what is wrong with a file that it can't use", () => {
  const changed = (change: (file: ReturnType<typeof peftFile>) => void) => {
    const file = peftFile();
    change(file);
    return JSON.stringify(file);
  };
  const cases: [string, string][] = [
    ["", "Cannot read a.json: it is not whole JSON"],
    [changed(() => {}).slice(0, 900), "it is not whole JSON"],
    [
      changed(() => {}).replace("0.606", "NaN"),
      "it is not whole JSON (which has no NaN, as Python may write)",
    ],
    ["null", "Cannot read a.json"],
    ["[]", "Cannot read a.json"],
    ['{"score":1}', 'Cannot read a.json: field "run_info" is missing'],
    [
      changed(({ train_info }) => train_info.status = "canceled"),
      'Cannot use a.json: its status is "canceled", "success" is needed',
    ],
    [
      changed(({ train_info, run_info }) => {
        train_info.status = "canceled";
        run_info.error_msg = "out of memory";
      }),
      '"canceled", "out of memory"',
    ],
    [changed(({ train_info }) => train_info.metrics.pop()), '"test accuracy" is missing'],
    [changed(({ train_info }) => train_info.metrics = []), "the last of train_info.metrics of a.json"],
    [
      changed(({ train_info }) => train_info.metrics.at(-1)!["test accuracy"] = 48.2),
      'field "test accuracy" is 48.2',
    ],
    [changed(({ train_info }) => delete train_info["accelerator_memory_max"]), "train_info of a.json"],
    [changed(({ train_info }) => train_info["accelerator_memory_max"] = "22 GB"), "train_info of a.json"],
    [changed(({ train_info }) => train_info["accelerator_memory_max"] = -1), "train_info of a.json"],
    [changed(({ run_info }) => run_info.train_config = {}), '"run_info.train_config.model_id" is missing'],
  ];
  for (const [text, wanted] of cases) {
    const error = assertThrows(() => readPeft(text, "a.json"), UserError);
    assertStringIncludes(error.message, wanted);
    assert(error.message.length < 400 && !error.message.includes("\n"), error.message);
  }
});

Deno.test("toPeft() says a run as PEFT does, key for key, and readPeft() reads it back", async () => {
  for (const run of await runs()) {
    const file = toPeft(run, fakeRegistries, "Shifted digits");
    assertEquals(PeftResult.parse(structuredClone(file)), file);
    const { config, outcome: { cost, score } } = run, back = read(file);
    assertEquals(
      [back.experiment, back.method, back.rank, back.data, back.model, back.score],
      [experimentOf(run), config.optimizer.id, rank(config), "Shifted digits", config.model.id, score],
    );
    assertEquals([back.memoryMax, back.trainableParameters], [cost.peakBytes, cost.trainableParameters]);
    assert(Math.abs(back.stepMs! / cost.medianStepMs! - 1) < 1e-9);
    assertStringIncludes(file.meta_info.pytorch_info, "most bytes of live tensors");
  }
  const [full, lora] = await runs(), exported = toPeft(lora!, fakeRegistries, "x");
  assertEquals(toPeft(full!, fakeRegistries, "x").run_info.peft_config, null);
  assertEquals(exported.run_info.created_at, "2026-01-01T00:00:00+00:00");
  assertEquals(peftFileName(lora!), `lora--vit-tiny-digits-rank2-lr_0.004-seed0-${lora!.id}.json`);
  // Windows of the loss: 40 steps, a validation in 8, the last of whose windows is the test's.
  const { metrics } = exported.train_info;
  assertEquals(metrics.map(({ step }) => step), [8, 16, 24, 32, 40, 40]);
  const first = lora!.outcome.trainLoss.filter(({ step }) => step <= 8).map(({ value }) => value);
  assertEquals(metrics[0]!["train loss"], first.reduce((sum, value) => sum + value, 0) / first.length);
  assertEquals(metrics[5]!["train loss"], metrics[4]!["train loss"]);
});

function rank({ optimizer }: RunConfig): number | null {
  return typeof optimizer.options["rank"] === "number" ? optimizer.options["rank"] : null;
}

Deno.test("toPeft() goes by steps that validation does not divide, and by few losses", async () => {
  const [run] = await runs({ steps: 21, validateEvery: 8 });
  const steps = (of: typeof run) =>
    toPeft(of!, fakeRegistries, "x").train_info.metrics.map(({ step }) => step);
  assertEquals(steps(run), [8, 16, 21, 21]);
  const [rare] = await runs({ steps: 3, validateEvery: 100 });
  assertEquals(steps(rare), [3, 3]);
  assertEquals(toPeft(rare!, fakeRegistries, "x").run_info.train_config.eval_steps, 3);
  const kept = (trainLoss: { step: number; value: number }[]) => ({
    ...run!,
    outcome: { ...run!.outcome, trainLoss },
  });
  assertEquals(steps(kept([{ step: 17, value: 2 }])), [21, 21]);
  assertThrows(() => steps(kept([])), UserError, "it kept no loss");
});

Deno.test("toPeft() refuses what is no test, and models whose sizes nobody knows", async () => {
  const [onValidation] = await runs({ scoreOn: "validation" });
  assertThrows(
    () => toPeft(onValidation!, fakeRegistries, "x"),
    UserError,
    `Cannot export run ${onValidation!.id} for PEFT: it was scored on validation data`,
  );
  const [gone] = await runs({ model: { id: "gone" } });
  assertThrows(() => toPeft(gone!, fakeRegistries, "x"), UserError, 'model "gone" are not known');
  const [folder] = await runs({ model: { id: "vit-tiny", path: "/gone" } });
  assertThrows(() => toPeft(folder!, fakeRegistries, "x"), UserError, 'model "vit-tiny" are not known');
});

Deno.test("methodOfPeft() finds our method in their configs, and does not take theirs for ours", async () => {
  const [run] = await runs();
  for (const id of Object.values(manyMethods.optimizers).map((module) => module.id)) {
    const scaling = id === "lora-ga" ? "alpha/sqrt(r)" : "alpha/r";
    const options: Record<string, string | number> = id === "full" ? {} : { rank: 4, alpha: 16, scaling };
    const { peftConfig, optimizerType } = peftMethodOf({ ...run!.config, optimizer: { id, options } });
    const back = methodOfPeft({
      experiment_name: "x",
      train_config: { model_id: "x", optimizer_type: optimizerType },
      peft_config: peftConfig as { peft_type: string; r: unknown } | null,
    });
    assertEquals(back, id);
  }
  const of = (peft_config: Record<string, unknown>, optimizer_type = "AdamW") =>
    methodOfPeft({
      experiment_name: "x",
      train_config: { model_id: "x", optimizer_type },
      peft_config: { r: 8, peft_type: "LORA", ...peft_config },
    });
  assertEquals(of({ peft_type: "BONE" }), null);
  assertEquals(of({ init_lora_weights: "eva" }), null);
  assertEquals(of({ init_lora_weights: "pissa_niter_16" }), "pissa");
  assertEquals(of({ init_lora_weights: false }), null);
  assertEquals(of({ use_rslora: true }), "rslora");
  assertEquals(of({ use_dora: true, init_lora_weights: "olora" }), null);
  assertEquals(of({}, "SGD"), null);
  assertEquals(of({}), "lora");
});

test("readPeftRuns() reads folders and files, each once; names what it leaves out, and refuses paths that are not there", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/b.json`, JSON.stringify(peftFile()));
    await Deno.writeTextFile(`${folder}/a.json`, JSON.stringify(oldPeftFile()));
    await Deno.writeTextFile(`${folder}/cut.json`, JSON.stringify(peftFile()).slice(0, 500));
    await Deno.writeTextFile(`${folder}/foreign.json`, '{"schema":1}');
    await Deno.writeTextFile(`${folder}/notes.txt`, "not looked at");
    await Deno.mkdir(`${folder}/deeper.json`);
    const { runs, faults } = await readPeftRuns([folder, `${folder}/b.json`]);
    assertEquals(runs.map(({ file }) => file), ["a.json", "b.json"]);
    assertEquals(faults.length, 2);
    assertStringIncludes(faults[0]!, "cut.json");
    assertStringIncludes(faults[1]!, "foreign.json");
    assert(!faults.join().includes(folder), "reports are the same wherever the files lie");
    await assertRejects(() => readPeftRuns([`${folder}/none`]), UserError, "there is no such file or folder");
    await assertRejects(
      () => readPeftRuns([`${folder}/deeper.json`]),
      UserError,
      "there is no .json file in it",
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** The rows that a chart's line of fronts goes through. */
async function frontOf(spec: VegaLiteSpec): Promise<Record<string, unknown>[]> {
  const quiet = () => logger;
  const logger = { level: quiet, error: quiet, warn: quiet, info: quiet, debug: quiet } as unknown as
    & vega.LoggerInterface
    & { level(_: number): never };
  const compiled = compile(spec as unknown as TopLevelSpec, { logger: logger as never }).spec;
  const view = new vega.View(vega.parse(compiled), { renderer: "none", logger });
  await view.runAsync();
  interface Item {
    readonly items?: readonly Item[];
    readonly datum?: Record<string, unknown>;
  }
  const datums = (item: Item): Record<string, unknown>[] => [
    ...item.datum ? [item.datum] : [],
    ...(item.items ?? []).flatMap(datums),
  ];
  const rows = datums((view.scenegraph() as unknown as { root: Item }).root).filter((row) =>
    row["front"] === true
  );
  view.finalize();
  return [...new Map(rows.map((row) => [`${row["column"]} ${row["name"]} ${row["group"]}`, row])).values()];
}

Deno.test("scoreBesidePeft draws theirs and ours in one chart, with a front for each data set and model", async () => {
  const results = await runs();
  const study = makeStudy(results.map(({ config }) => config), results, [], fakeRegistries, a100);
  const theirs = [
    read(peftFile()),
    { ...read(peftFile()), method: null, type: "BONE", experiment: "bone/x", score: 0.6, stepMs: null },
    {
      ...read(peftFile()),
      method: "pissa",
      experiment: "pissa/x",
      data: "Word problems",
      model: "x/Decoder-Tiny",
      memoryMax: 1024 ** 2,
      score: 1,
    },
  ];
  const spec = layOut(scoreBesidePeft.draw(study, theirs, manyMethods.optimizers)!, EVERYTHING)!;
  const { values } = spec["data"] as { values: Record<string, unknown>[] };
  const at = (column: string) => values.filter((value) => value["column"] === column);
  assertEquals(at("Memory, MiB").length, study.cells.length + 3);
  // Who does not tell his time is not drawn by it.
  assertEquals(at("Step, ms").length, study.cells.length + 2);
  const groups = [
    "Shifted digits, vit-tiny",
    "Word problems, decoder-tiny",
    "MetaMathQA and GSM8K, llama-3.2-3b",
  ];
  assertEquals(new Set(values.map(({ group }) => group)), new Set(groups));
  // Readers' filters act on ours and leave theirs.
  assert(values.every((value) => (value["source"] === "this report") === ("method" in value)));
  // Theirs on our data and model beats all of ours there by memory: one front for both. Theirs elsewhere has its own.
  const front = await frontOf(spec);
  const by = (group: string) =>
    front.filter((value) => value["column"] === "Memory, MiB" && value["group"] === group).map(({ name }) =>
      name
    );
  assertEquals([by(groups[1]!), by(groups[2]!)], [["pissa/x"], ["bone/x"]]);
  const svg = await renderSvg(spec, scoreBesidePeft.id);
  for (
    const text of [
      "LoRA",
      "PiSSA",
      "Others of PEFT",
      "Front of",
      "Memory, MiB",
      "Hollow: PEFT's files.",
    ]
  ) {
    assertStringIncludes(svg, text);
  }
  assertEquals(scoreBesidePeft.draw(study, [], fakeRegistries.optimizers), null);
});

Deno.test("buildReport() shows PEFT's results beside ours, says what their bytes are, and names the files that it left out", async () => {
  const plan = await fakePlan(fakeSweep), stored = await runs();
  const peft = { runs: [read(peftFile())], faults: ["Cannot read b.json: it is not whole JSON"] };
  const input = { plan, stored, faults: [], setAside: [] };
  const report = buildReport({ ...input, peft }, fakeRegistries);
  assertEquals(report.charts.at(-1)!.chart.id, "score-beside-peft");
  const table = report.tables.at(-1)!;
  assertEquals(table.title, "Results of PEFT's method comparison");
  assertStringIncludes(table.note, "what PyTorch's allocator had reserved");
  assertEquals(table.rows, [[
    "lora/llama-3.2-3B-rank32",
    "LORA",
    "32",
    "MetaMathQA and GSM8K",
    "meta-llama/Llama-3.2-3B",
    "0.482",
    "20.7 GiB",
    "11.1 GiB",
    "122",
    "1800",
    "9175040",
    "NVIDIA L40S",
    "a.json",
  ]]);
  assertEquals(table.columns.length, table.rows[0]!.length);
  assertEquals(report.caveats.slice(-2), [
    "1 result of PEFT's method comparison is shown beside this sweep's: nobody here has made them, and data, models, " +
    "machines and what is counted as memory differ.",
    "Cannot read b.json: it is not whole JSON: left out.",
  ]);
  // Nothing of it where nothing was given.
  const without = buildReport(input, fakeRegistries);
  assert(!JSON.stringify(without).includes("PEFT"));
});
