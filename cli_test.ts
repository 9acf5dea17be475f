import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { shipped } from "./training/shipped.ts";
import { readPulses } from "./benchmarks/sweep/live.ts";
import type { CommandDeps } from "./benchmarks/command_line/command_deps.ts";
import { pack } from "./benchmarks/report/page/payload.ts";
import { openStore } from "./benchmarks/sweep/store.ts";
import { main } from "./cli.ts";
import type { Registries } from "./training/configuration.ts";
import { RunConfig, RunResult } from "./training/schemas.ts";
import { fakeRegistries, takingData } from "./tests/support/fakes/registries.ts";
import { fakeBase, fakeDone, fakeEnvironment } from "./tests/support/fakes/results.ts";
import { formatBytes } from "./benchmarks/report/format.ts";
import { plain } from "./benchmarks/command_line/terminal.ts";
import { commands } from "./benchmarks/command_line/commands.ts";
import { createLines } from "./benchmarks/command_line/display.ts";
import type { ChosenRate } from "./benchmarks/rates/rates.ts";
import type { Tuning } from "./benchmarks/performance/tuning.ts";
import { fakeSweep } from "./tests/support/fakes/sweep.ts";
import { inNewDisk, testOnDisk } from "./tests/support/small_disk.ts";
import { PROGRAMS, testNeeding } from "./tests/support/test_needing.ts";

const test = testNeeding(PROGRAMS);

const fakeTuning: Tuning = {
  schema: 1,
  adapter: "made-up",
  deno: "2",
  products: {
    "nt 4x4x4 abc": { variant: "tiled", rule: "tiled", microseconds: { tiled: 2, staged: 3 } },
    "nn 4x4x4 abc": { variant: "staged", rule: "tiled", microseconds: { tiled: 3, staged: 2.5 } },
  },
  subgroups: { norm: { variant: "subgroups", rule: "lanes", microseconds: { lanes: 5, subgroups: 4 } } },
};

async function entriesOf(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)).sort();
}

/** A folder with a sweep's file in it, and a command line whose GPU and training are made up. */
async function inFolder(
  work: (place: {
    readonly folder: string;
    readonly sweep: string;
    readonly out: string;
    readonly run: (...args: string[]) => Promise<{ code: number; out: string; err: string; trained: number }>;
    /** Makes runs of a method fail. */
    readonly broken: Set<string>;
    /** Happens while so many runs of a command are made; the first is 1. */
    readonly meanwhile: Map<number, () => Promise<void>>;
  }) => Promise<void>,
  registries = fakeRegistries,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const broken = new Set<string>(), meanwhile = new Map<number, () => Promise<void>>();
  const sweep = `${folder}/fake.json`, out = `${folder}/out`;
  await Deno.writeTextFile(sweep, JSON.stringify({ ...fakeSweep, tasks: fakeSweep.tasks.slice(0, 1) }));
  try {
    await work({
      folder,
      sweep,
      out,
      broken,
      meanwhile,
      async run(...args) {
        const printed: string[] = [], complained: string[] = [];
        let trained = 0;
        const deps: CommandDeps = {
          registries: () => Promise.resolve(registries),
          runDeps: () =>
            Promise.resolve({
              open: () => Promise.resolve({ [Symbol.asyncDispose]: () => Promise.resolve() }),
              async train(_gpu, config) {
                await meanwhile.get(++trained)?.();
                if (broken.has(config.optimizer.id)) throw new Error("Cannot go on: the device was lost");
                return await fakeDone(config);
              },
              scoreBase: (_gpu, config) => fakeBase(config),
              environment: () => Promise.resolve(fakeEnvironment),
            }),
          pretrain: () => Promise.resolve({ path: "made-up", hash: "0", score: 0.5, validationLoss: 1 }),
          async *check(file) {
            for (const fault of file === "./bad.ts" ? [null, "Lengths differ\nat 3"] : [null, null]) {
              yield await Promise.resolve({ kind: "method", id: "mine", promise: "it learns", fault });
            }
          },
          checkAdapter(onCheck) {
            const checks = adapterChecks.map(([name, error]) => ({ name, ok: error === null, error }));
            for (const { name, error } of checks) onCheck({ name, error });
            const { adapter, backend, features, limits, deno, commit, startedAt } = fakeEnvironment;
            const found = {
              schema: 1 as const,
              ok: checks.every(({ ok }) => ok),
              adapter,
              hardware: null,
              backend,
              deno,
              commit,
              features: [...features],
              limits: { ...limits },
              checkedAt: startedAt,
              checks,
            };
            return Promise.resolve({ path: "checked/made-up.json", found });
          },
          export: () => Promise.reject(new Error("made up")),
          look: () => Promise.reject(new Error("made up")),
          fetch: () => Promise.reject(new Error("made up")),
          cache: null,
          token: () => Promise.resolve(null),
          variable: () => undefined,
          autotune(onProgress) {
            onProgress({ done: 2, total: 2, shape: "nn 4x4x4 abc" });
            return Promise.resolve({ path: "made-up.json", tuning: fakeTuning });
          },
          display: () => createLines(() => {}, { say: (line) => complained.push(line) }),
          style: plain,
          columns: Infinity,
          print: (line) => printed.push(line),
          complain: (line) => complained.push(line),
        };
        const code = await main(args, deps);
        return { code, out: printed.join("\n"), err: complained.join("\n"), trained };
      },
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const question = ["settle", "lora-ga", "lora", "--task", "digits", "--rank", "4", "--within", "0.05"];

/** What `check` is told of a made-up adapter. */
const adapterChecks: [name: string, error: string | null][] = [
  ["kernels/norm/norm: one row", null],
  ["kernels/norm/norm: any rows", null],
  ["kernels/linalg/tall_matrices: svds", null],
  ["digits, lora: losses of 20 steps are the recorded ones", null],
];

test("settle answers in at most four lines, and goes on with a larger budget", async () => {
  await inFolder(async ({ run, out, folder }) => {
    const outlook = await run(...question, "--dry-run", "--out", out);
    assertEquals([outlook.code, outlook.trained], [0, 0]);
    assertStringIncludes(outlook.out, "no stored runs tell how much pairs differ");
    assertStringIncludes(outlook.out, "Rates: 18 runs");
    assertEquals(await entriesOf(folder), ["fake.json"]);
    // A made-up run takes a second or two.
    const short = await run(...question, "--budget", "20s", "--out", out);
    assertEquals(short.code, 0);
    assertStringIncludes(short.out, "Undecided");
    const first = await run(...question, "--budget", "10m", "--out", out);
    assertEquals([first.code, first.out.split("\n").length], [0, 4]);
    assertStringIncludes(first.out, "LoRA-GA is better than LoRA on Shifted digits at rank 4: by 0.");
    const again = await run(...question, "--budget", "1h", "--out", out, "--json");
    assertEquals([again.code, again.trained], [0, 0]);
    const { verdicts: [found, loss], report } = JSON.parse(again.out);
    assertEquals(Object.keys(found), [
      ...["task", "rank", "of", "against", "outcome", "verdict", "difference", "interval", "pairs", "more"],
    ]);
    assertEquals([found.outcome, found.verdict, loss.outcome], ["score", "better", "log loss"]);
    assertStringIncludes(await Deno.readTextFile(report), "LoRA-GA is better than LoRA");
    const beside = await run(...question, "--steps", "30", "--dry-run", "--out", `${folder}/other`, "--json");
    assertEquals(JSON.parse(beside.out).prices[0].stored, 0);
    const price = await run(
      ...question,
      "--within",
      "0.1",
      "--dry-run",
      "--out",
      `${folder}/third`,
      "--json",
    );
    assertEquals(price.code, 2, "an option that is given twice");
    const wider = question.map((one) => one === "0.05" ? "0.1" : one);
    const told = JSON.parse((await run(...wider, "--dry-run", "--out", `${folder}/third`, "--json")).out);
    assertEquals(told.prices[0].stored, found.pairs);
    assert(
      told.prices[0].deviation > 0 && told.prices[0].same > 0,
      "stored pairs tell how much others will take",
    );
  });
});

test("bench of a sweep's file with a question settles it", async () => {
  await inFolder(async ({ run, sweep, out }) => {
    const spec = JSON.parse(await Deno.readTextFile(sweep));
    const asking = {
      ...spec,
      ranks: [4],
      seeds: [7, 8],
      settle: { against: "lora", within: 0.1, budget: "10m" },
    };
    const optimizers = [{ id: "lora", learningRates: [0.008] }, {
      id: "lora-pro",
      learningRates: [0.001, 0.002, 0.004],
    }];
    await Deno.writeTextFile(sweep, JSON.stringify({ ...asking, optimizers }));
    const { code, out: printed, trained } = await run("bench", sweep, "--out", out, "--json");
    const { verdicts, rates } = JSON.parse(printed);
    assertEquals([code, verdicts[0].of, verdicts[0].against], [0, "lora-pro", "lora"]);
    assertEquals(
      rates.map((
        { method, learningRate }: { method: string; learningRate: number },
      ) => [method, learningRate])[0],
      [
        "lora",
        0.008,
      ],
    );
    // A rate that is stated is not searched for.
    assertEquals(trained, 2 * 3 + 2 * verdicts[0].pairs);
  });
});

test("settle says what is missing or can't be", async () => {
  await inFolder(async ({ run }) => {
    const refused = async (args: readonly string[], sentence: string) => {
      const { code, err, trained } = await run("settle", ...args);
      assertEquals([code, trained], [2, 0]);
      assertStringIncludes(err, sentence);
    };
    const asked = ["--task", "digits", "--rank", "4"];
    await refused(
      asked,
      "two methods are needed, as in ./run settle lora-pro lora --task digits --rank 8; none is given",
    );
    await refused(["lora", "lora", ...asked], "lora alone is given");
    await refused(["lora", "full", "--rank", "4"], "--task is needed");
    await refused(["lora", "full", "--task", "digit"], 'Cannot find task "digit": did you mean digits?');
    await refused(["lora", "lora-por"], 'Cannot find optimizer "lora-por": did you mean lora-pro?');
    await refused(["lora", "fool", ...asked], 'Cannot find optimizer "fool": known are full');
    await refused(["lora", "full", ...asked, "--within", "2"], 'Cannot read --within "2"');
    await refused(
      ["lora", "full", ...asked, "--budget", "soon"],
      'Cannot read --budget "soon": a time such as 90s',
    );
    await refused(["lora", "full", "--task", "arithmetic", "--rank", "4"], "it ships no settings");
    await refused(["lora", "full", "--task", "digits", "--rank", "x"], 'Cannot read --rank "x"');
  });
});

test("bench runs a sweep, writes its report, and repeats nothing", async () => {
  await inFolder(async ({ run, sweep, out }) => {
    const first = await run("bench", sweep, "--out", out, "--json");
    assertEquals([first.code, first.trained], [0, 14]);
    const printed = JSON.parse(first.out);
    assertEquals(printed.counts, { total: 14, done: 14, diverged: 0, failed: 0, left: 0 });
    assertEquals(printed.report, `${out}/report/index.html`);
    assertEquals(Object.keys(printed.runs[0]), [
      "id",
      "status",
      "task",
      "optimizer",
      "rank",
      "learningRate",
      "seed",
      "score",
    ]);
    const page = await Deno.readTextFile(`${out}/report/index.html`);
    assertStringIncludes(page, "Do made-up methods differ?");
    const second = await run("bench", sweep, "--out", out, "--json");
    assertEquals([second.code, second.trained], [0, 0]);
    assertEquals(await Deno.readTextFile(`${out}/report/index.html`), page);
  });
});

test("bench ends with the report's own verdict, a few rows that fit 80 columns, and where the report lies", async () => {
  await inFolder(async ({ run, sweep, out }) => {
    const { code, out: printed } = await run("bench", sweep, "--out", out, "--ranks", "2");
    assertEquals(code, 0);
    const { answer } = JSON.parse((await run("report", "--out", out, "--json")).out);
    assertEquals(
      JSON.parse((await run("bench", sweep, "--out", out, "--ranks", "2", "--json")).out).answer,
      answer,
    );
    const lines = printed.trim().split("\n");
    assert(lines.slice(2, 7).every((line) => line.length <= 80), printed);
    assertEquals(lines[0], answer[0]);
    assertEquals(lines[2], "Method            Rank  digits  vs lora               vs full");
    assertEquals(lines.slice(3, 7).map((line) => line.slice(0, 16).trim()).sort(), [
      "Full fine-tuning",
      "LoRA",
      "LoRA-GA",
      "LoRA-Pro",
    ]);
    assertEquals(lines.slice(-2), [
      `Results: ${out}/runs (8 done, 0 diverged, 0 failed)`,
      `Report:  ${out}/report/index.html`,
    ]);
    const again = await run("report", "--out", out);
    assertEquals(again.out.trim().split("\n").slice(0, 7), lines.slice(0, 7));
  });
});

test("bench stores results that the schema takes, one file a run", async () => {
  await inFolder(async ({ run, sweep, out }) => {
    await run(
      "bench",
      sweep,
      "--out",
      out,
      "--json",
      "--optimizers",
      "lora",
      "--ranks=2",
      "--seeds",
      "0",
      "--steps",
      "8",
    );
    const [file, ...others] = Array.from(Deno.readDirSync(`${out}/runs`));
    assertEquals(others, []);
    const { digest: _digest, ...stored } = JSON.parse(await Deno.readTextFile(`${out}/runs/${file!.name}`));
    const result = RunResult.parse(stored);
    assertEquals([result.config.steps, `${result.id}.json`], [8, file!.name]);
  });
});

test("report rebuilds the same bytes from the JSON files alone", async () => {
  await inFolder(async ({ run, sweep, out }) => {
    await run("bench", sweep, "--out", out, "--json");
    const names = [
      "index.html",
      "summary.md",
      "results.csv",
      "charts/score-by-rank.vl.json",
      "charts/loss-by-step.svg",
    ];
    const read = () => Promise.all(names.map((name) => Deno.readTextFile(`${out}/report/${name}`)));
    const before = await read();
    await Deno.remove(`${out}/report`, { recursive: true });
    const { code, out: printed } = await run("report", "--out", out, "--json");
    assertEquals(code, 0);
    assertEquals(JSON.parse(printed).report, `${out}/report/index.html`);
    assertEquals(await read(), before);
  });
});

test("--within sets the margin of the same, of a sweep for good and of a report for once", async () => {
  await inFolder(async ({ run, sweep, out }) => {
    await run("bench", sweep, "--out", out, "--json", "--within", "0.07");
    const margins = async () => {
      const page = await Deno.readTextFile(`${out}/report/summary.md`);
      return new Set(
        [...page.matchAll(/shown to be less than (0\.\d+) either way/g)].map(([, margin]) => margin),
      );
    };
    assertEquals(await margins(), new Set(["0.07"]));
    await run("report", "--out", out, "--within", "0.1");
    assertEquals(await margins(), new Set(["0.1"]));
    await run("report", "--out", out);
    assertEquals(await margins(), new Set(["0.07"]));
    const spec = JSON.parse(await Deno.readTextFile(sweep));
    await Deno.writeTextFile(sweep, JSON.stringify({ ...spec, within: 0.03 }));
    await run("bench", sweep, "--out", `${out}2`, "--json");
    assertStringIncludes(await Deno.readTextFile(`${out}2/report/summary.md`), "less than 0.03 either way");
  });
});

test("bench --frozen-weights, --checkpointing and --activations save memory in every run, and refuse what there is not", async () => {
  await inFolder(async ({ run, sweep, out }) => {
    const lora = [sweep, "--out", out, "--optimizers", "lora", "--dry-run", "--json"];
    const { out: printed } = await run(
      "bench",
      ...lora,
      "--frozen-weights",
      "int8",
      "--checkpointing",
      "blocks",
    );
    const { runs, notes } = JSON.parse(printed);
    for (const { config } of runs) {
      assertEquals(config.memory, { frozenWeights: "int8", checkpointing: "blocks" });
    }
    assert(notes.includes("Frozen weights are kept as int8"), notes.join());
    // What help names is what a config takes.
    for (const option of ["frozen-weights", "checkpointing", "activations"] as const) {
      for (const name of commands.bench.options[option].names as readonly string[]) {
        assertEquals((await run("bench", ...lora, `--${option}`, name)).code, 0, name);
      }
    }
    const halved = await run("bench", ...lora, "--activations", "f16");
    for (const { config } of JSON.parse(halved.out).runs) assertEquals(config.memory, { activations: "f16" });
    for (
      const [args, said] of [
        [["--frozen-weights", "int4"], 'Cannot find --frozen-weights "int4"'],
        [["--activations", "f8"], 'Cannot find --activations "f8"'],
        [
          ["--activations", "f16", "--checkpointing", "blocks"],
          'Cannot keep activations as f16 with checkpointing "blocks"',
        ],
      ] as const
    ) {
      const refused = await run("bench", ...lora, ...args);
      assertEquals(refused.code, 2);
      assertStringIncludes(refused.err, said);
    }
  });
});

test("memory tells what a model takes under each choice, and refuses what there is not by name", async () => {
  await inFolder(async ({ run }) => {
    const { code, out } = await run("memory", "llama-3-2-1b", "--ranks", "8", "--optimizers", "lora,full");
    assertEquals(code, 0);
    const lines = out.split("\n");
    assertEquals(lines.slice(1, 10).map((line) => line.split(/ {2,}/)[0]), [
      "method",
      "lora, rank 8",
      "lora, rank 8, kept in f16",
      "lora, rank 8, again",
      "lora, rank 8, again, f16",
      "full",
      "full, kept in f16",
      "full, again",
      "full, again, f16",
    ]);
    assertEquals(lines[9]!.split(/ {2,}/).slice(2), ["—", "—", "—"]);
    const { models: [{ choices }] } = JSON.parse(
      (await run("memory", "llama-3-2-1b", "--ranks", "8", "--json")).out,
    );
    const [{ peakBytes }] = choices;
    assertEquals(lines[2]!.split(/ {2,}/)[4]!.split(" ")[0], (peakBytes.nf4 / 1e9).toPrecision(3));
    // What nobody asked for gives way to a model that is too small for it: 128 tokens, width 32.
    const small = decodeURIComponent(new URL("tests/fixtures/hf/tiny-llama", import.meta.url).pathname);
    const { tokens, models: [least] } = JSON.parse((await run("memory", "--model", small, "--json")).out);
    const ranks = least.choices.map(({ rank }: { rank: number }) => rank);
    assertEquals([tokens, ...new Set(ranks)], [128, 8]);
    for (
      const [args, said] of [
        [[], "a model's name is needed, as in llama-3-2-1b, or --model DIR"],
        [["lama-3-2-1b"], "did you mean llama-3-2-1b?"],
        [["t5-base", "--tokens", "513"], 'memory of model "t5-base" for --tokens 513: it takes up to 512'],
        [["t5-base", "--ranks", "0"], 'Cannot read --ranks "0"'],
        [["t5-base", "--batch", "1,2"], 'Cannot read --batch "1,2": one whole number is needed'],
        [["vit-tiny", "--ranks", "4096"], 'Cannot use "lora" on model "vit-tiny"'],
        [["--model", small, "--ranks", "8,64"], "rank is 64, at most 32 is possible"],
      ] as const
    ) {
      const refused = await run("memory", ...args);
      assertEquals(refused.code, 2, args.join(" "));
      assertStringIncludes(refused.err, said);
    }
  }, shipped);
});

test("report --export writes files for other programs, and takes away those that an earlier report left", async () => {
  await inFolder(async ({ run, sweep, out }) => {
    await run("bench", sweep, "--out", out, "--json", "--ranks", "2");
    assertEquals((await run("report", "--out", out, "--export", "wandb,peft")).code, 0);
    const names = (folder: string) => Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();
    const ids = names(`${out}/runs`).map((name) => name.replace(".json", ""));
    const wandb = `${out}/report/exports/wandb`, peft = `${out}/report/exports/peft`;
    assertEquals(names(wandb), ids.map((id) => `${id}.jsonl`));
    assertEquals(names(peft).map((name) => name.slice(-21, -5)).sort(), ids);
    const [line] = (await Deno.readTextFile(`${wandb}/${ids[0]}.jsonl`)).split("\n");
    assertEquals(JSON.parse(line!)._run, `run-${ids[0]}`);

    // What is written is read back, ours beside ours.
    const { code, out: printed, err } = await run("report", "--out", out, "--with-peft", peft, "--json");
    assertEquals([code, err], [0, ""]);
    assertStringIncludes(
      JSON.parse(printed).caveats.at(-1),
      "8 results of PEFT's method comparison are shown",
    );
    await Deno.stat(`${out}/report/charts/score-beside-peft.svg`);
  });
});

test("report --with-peft names the files that it leaves out, and the next report without it has none of them", async () => {
  await inFolder(async ({ run, sweep, out, folder }) => {
    await run("bench", sweep, "--out", out, "--json", "--ranks", "2", "--seeds", "0");
    await Deno.writeTextFile(`${folder}/cut.json`, "{");
    const { code, err } = await run(
      "report",
      "--out",
      out,
      "--with-peft",
      `${folder}/cut.json`,
      "--with-peft",
      sweep,
    );
    assertEquals(code, 0);
    assertStringIncludes(err, "Cannot read cut.json: it is not whole JSON");
    assertStringIncludes(err, 'Cannot read fake.json: field "run_info" is missing');
    const summary = () => Deno.readTextFile(`${out}/report/summary.md`);
    assertStringIncludes(await summary(), "Cannot read cut.json");
    await run("report", "--out", out, "--export", "peft");
    await run("report", "--out", out, "--with-peft", `${out}/report/exports/peft`);
    assertStringIncludes(await summary(), "score-beside-peft.svg");
    await run("report", "--out", out);
    assertEquals(/peft/i.test(await summary()), false);
    const left = Array.from(Deno.readDirSync(`${out}/report/charts`), ({ name }) => name);
    assertEquals(left.filter((name) => /peft|png/.test(name)), []);
  });
});

test("report --against says what changed, writes it beside the report, and names what it can't use", async () => {
  await inFolder(async ({ run, sweep, out, folder }) => {
    const few = ["--ranks", "2", "--seeds", "0"], other = `${folder}/other`;
    await run("bench", sweep, "--out", out, "--json", ...few);
    await run("bench", sweep, "--out", other, "--json", ...few);
    const first = await run("report", "--out", out, "--against", other);
    assertEquals([first.code, first.err], [0, ""]);
    assertStringIncludes(first.out, "No run differs: all 4 runs that both have found the same, bit for bit.");
    const page = await Deno.readTextFile(`${out}/report/against.md`);
    assertStringIncludes(page, "- Scores are equal on every example.");
    assertStringIncludes(page, "| equal |");
    assertEquals(page.includes(folder), false);
    assertStringIncludes(
      await Deno.readTextFile(`${out}/report/index.html`),
      "Against the other sweep: scores",
    );

    const [cut] = Array.from(Deno.readDirSync(`${other}/runs`), ({ name }) => name);
    await Deno.truncate(`${other}/runs/${cut}`, 100);
    const second = await run("report", "--out", out, "--against", other, "--json");
    assertStringIncludes(second.err, `Cannot use runs/${cut}: it is not whole JSON`);
    const { against, answer } = JSON.parse(second.out);
    assertEquals(against, {
      verdict: "equal",
      both: 3,
      equal: 3,
      otherConfig: 0,
      failed: 0,
      onlyHere: 1,
      onlyThere: 0,
    });
    assertStringIncludes(answer.join("\n"), "Planned runs that are missing: 1 there.");
    assertStringIncludes(
      answer.join("\n"),
      `In the other sweep: Cannot use runs/${cut}: it is not whole JSON`,
    );
    await run("report", "--out", out);
    assertEquals(await Deno.stat(`${out}/report/against.md`).then(() => true, () => false), false);

    await Deno.mkdir(`${folder}/foreign/runs`, { recursive: true });
    await Deno.writeTextFile(`${folder}/foreign/runs/a.json`, "{}");
    for (
      const [dir, sentence] of [
        [`${folder}/none`, "there are no results in"],
        [`${out}/../out/`, "it is the same folder"],
        [
          `${folder}/foreign`,
          `Cannot compare with "${folder}/foreign": no run of it can be used (Cannot use`,
        ],
      ] as const
    ) {
      const { code, err, out: printed } = await run("report", "--out", out, "--against", dir);
      assertEquals([code, printed], [2, ""], err);
      assertStringIncludes(err, sentence);
    }
  });
});

test("bench sets a broken file aside, says so, and repeats that run only", async () => {
  await inFolder(async ({ run, sweep, out }) => {
    await run("bench", sweep, "--out", out, "--json");
    const [file] = Array.from(Deno.readDirSync(`${out}/runs`));
    const path = `${out}/runs/${file!.name}`;
    await Deno.truncate(path, 300);
    const reported = await run("report", "--out", out);
    assertEquals(reported.code, 0);
    assertStringIncludes(reported.err, `Cannot use ${path}: it is not whole JSON`);
    assertStringIncludes(await Deno.readTextFile(`${out}/report/summary.md`), "1 run is missing");
    const again = await run("bench", sweep, "--out", out, "--json");
    assertEquals([again.code, again.trained], [0, 1]);
    assertStringIncludes(again.err, `it was set aside as ${file!.name}.broken`);
    assertEquals((await Deno.stat(`${path}.broken`)).size, 300);
    assertStringIncludes(await Deno.readTextFile(`${out}/report/summary.md`), "1 broken file was set aside");
  });
});

test("bench ends with exit code 1 and a sentence where runs failed, and tries those again", async () => {
  await inFolder(async ({ run, sweep, out, broken }) => {
    broken.add("lora-ga");
    const first = await run("bench", sweep, "--out", out, "--json");
    assertEquals([first.code, JSON.parse(first.out).counts.failed], [1, 4]);
    assertStringIncludes(
      first.err,
      "4 of 14 runs failed, the same command tries them again. The first: digits, lora-ga r2",
    );
    assertStringIncludes(
      await Deno.readTextFile(`${out}/report/summary.md`),
      "4 runs failed by faults of ours",
    );
    broken.clear();
    const second = await run("bench", sweep, "--out", out, "--json");
    assertEquals([second.code, second.trained], [0, 4]);
  });
});

test("bench at several rates writes what it chose, and a later sweep's file can use it", async () => {
  await inFolder(async ({ run, sweep, out }) => {
    const { out: printed } = await run(
      "bench",
      sweep,
      "--out",
      out,
      "--json",
      "--learning-rates",
      "1e-3,4e-3,0.1",
    );
    assertEquals(JSON.parse(printed).chosen, `${out}/chosen.json`);
    const { rates } = JSON.parse(await Deno.readTextFile(`${out}/chosen.json`));
    // Full fine-tuning once, three methods at two ranks.
    assertEquals(rates.length, 7);
    assertEquals(rates[0].evidence.length, 3);
  });
});

test("bench on real data keeps the rates that it chose to its folder, where --rates finds them for the same data", async () => {
  await inFolder(async ({ folder, run, sweep, out }) => {
    const data = ["--data", `${folder}/mnist`], later = ["--out", `${folder}/later`];
    const tuned = await run("bench", sweep, ...data, "--out", out, "--learning-rates", "1e-3,4e-3,0.1");
    assertStringIncludes(
      tuned.out,
      `Chosen rates: ${out}/chosen.json (for sweeps on the same files: --rates ${out})`,
    );
    const { rates } = JSON.parse(await Deno.readTextFile(`${out}/chosen.json`));
    assert(rates.every((rate: ChosenRate) => rate.dataFingerprint === "0".repeat(64)));

    const lora = ["--optimizers", "lora", "--ranks", "2", "--seeds", "7"];
    const used = await run("bench", sweep, ...data, ...lora, ...later, "--rates", out, "--json");
    const [{ learningRate }] = JSON.parse(used.out).runs;
    assertEquals(
      learningRate,
      rates.find((rate: ChosenRate) => rate.optimizer === "lora" && rate.rank === 2).learningRate,
    );
    const report = await Deno.readTextFile(`${folder}/later/report/summary.md`);
    assertStringIncludes(report, "Validation loss by rate");
    for (
      const [args, sentence] of [
        [["--data", `${folder}/other`, "--rates", out], "they were tuned on data 0000000000000000 and"],
        [["--rates", out], "not on the task's own data and the project's model"],
        [
          [...data, "--rates", out, "--learning-rates", "1e-3"],
          `Cannot take the rates in ${out}: --learning-rates states others`,
        ],
        [[...data, "--rates", folder], `Cannot read ${folder}/chosen.json: there is no such file`],
      ] as const
    ) {
      const { code, err, trained } = await run("bench", sweep, ...args, ...lora, ...later);
      assertEquals([code, trained], [2, 0], sentence);
      assertStringIncludes(err, sentence);
    }
  }, takingData);
});

test("bench --dry-run runs nothing and writes nothing", async () => {
  await inFolder(async ({ run, sweep, out }) => {
    const { code, trained, out: printed } = await run("bench", sweep, "--out", out, "--dry-run", "--json");
    assertEquals([code, trained], [0, 0]);
    const { question, counts, estimateMs, pacesFrom, runs } = JSON.parse(printed);
    assertEquals([question, counts.total, counts.left, runs.length], [
      "Do made-up methods differ?",
      14,
      14,
      14,
    ]);
    // Nothing has run here: the paces are those that the shipped tuning recorded, in proportion to FLOPs.
    assert(estimateMs > 0);
    assert(/^sweep "[\w-]+" on /.test(pacesFrom), pacesFrom);
    RunConfig.parse(runs[0].config);
    const most = Math.max(...runs.map(({ peakBytes }: { peakBytes: number }) => peakBytes));
    assert(most > 10 * 1024);
    assert(!await Deno.stat(out).catch(() => null));
    await run("bench", sweep, "--out", out, "--json", "--seeds", "0");
    const half = await run("bench", sweep, "--out", out, "--dry-run");
    assertStringIncludes(half.out, "Do made-up methods differ?");
    assertStringIncludes(half.out, "14 runs, 7 left to do: about");
    assertStringIncludes(half.out, "an estimate from the paces of the runs that are stored");
    assertStringIncludes(half.out, `at most ${formatBytes(most)} on the GPU`);
  });
});

test("bench --dry-run of 20,000 seeds looks at each run's kind once, and lists no more than people read", async () => {
  const { lora } = fakeRegistries.optimizers;
  let asked = 0;
  const counting: Registries = {
    ...fakeRegistries,
    optimizers: {
      ...fakeRegistries.optimizers,
      lora: {
        ...lora!,
        validate(...run) {
          asked++;
          return lora!.validate(...run);
        },
      },
    },
  };
  await inFolder(async ({ run, sweep, out }) => {
    const seeds = Array.from({ length: 20_000 }, (_, seed) => seed).join(",");
    const dry = ["bench", sweep, "--out", out, "--dry-run", "--seeds", seeds];
    const { code, out: printed, err } = await run(...dry);
    assertEquals([code, err], [0, ""]);
    const lines = printed.trimEnd().split("\n");
    assert(lines.length < 120, `${lines.length} lines`);
    assertStringIncludes(printed, "… and 139900 more runs\n");
    assertStringIncludes(printed, "140000 runs, 140000 left to do: about");
    assert(asked < 100, `options were checked ${asked} times`);
    const { counts, runs, unlisted } = JSON.parse((await run(...dry, "--json")).out);
    assertEquals([counts.total, runs.length, unlisted], [140_000, 10_000, 130_000]);
    // The same names as a sweep of fewer seeds has.
    const few = JSON.parse((await run(...dry.toSpliced(-1, 1, "0"), "--json")).out);
    assertEquals(
      few.runs.map(({ id }: { id: string }) => id),
      runs.slice(0, 7).map(({ id }: { id: string }) => id),
    );
  }, counting);
});

test("bench --list prints what is known", async () => {
  await inFolder(async ({ run }) => {
    const known = JSON.parse((await run("bench", "--list", "--json")).out);
    assertEquals(known.tasks[0].id, "digits");
    assertEquals(known.tasks[0].family, "vision");
    assertEquals(known.optimizers.map(({ id }: { id: string }) => id), [
      "full",
      "lora",
      "lora-ga",
      "lora-pro",
    ]);
    assertEquals(known.models.map(({ id }: { id: string }) => id), ["vit-tiny", "decoder-tiny"]);
    assert(known.sweeps.some(({ id }: { id: string }) => id === "quick"));
    assertStringIncludes((await run("bench", "--list")).out, "lora-ga");
  });
});

test("main() refuses bad input with one sentence and exit code 2, before anything runs", async () => {
  await inFolder(async ({ run, folder, sweep, out }) => {
    await Deno.writeTextFile(`${folder}/text`, "not JSON");
    await Deno.writeTextFile(
      `${folder}/odd.json`,
      JSON.stringify({ ...fakeSweep, seeds: ["x"], sedes: [1] }),
    );
    const task = { ...fakeSweep.tasks[0], batchSize: 4, accumulate: 5 };
    await Deno.writeTextFile(`${folder}/parts.json`, JSON.stringify({ ...fakeSweep, tasks: [task] }));
    await Deno.writeTextFile(
      `${folder}/proto.json`,
      JSON.stringify({ ...fakeSweep, XX: 1 }).replace("XX", "__proto__"),
    );
    const named = async (name: string, changes: Record<string, unknown>) => {
      await Deno.writeTextFile(`${folder}/${name}.json`, JSON.stringify({ ...fakeSweep, ...changes }));
      return `${folder}/${name}.json`;
    };
    const method = await named("method", { optimizers: [{ id: "lora-por" }] });
    const mistyped = await named("task", { tasks: [{ ...fakeSweep.tasks[0], task: { id: "digit" } }] });
    const question = await named("against", { settle: { within: 0.1, budget: "1m", against: "lora-por" } });
    const cases: [string[], string][] = [
      [["bench", method], `Cannot find optimizer "lora-por", which ${method} names: did you mean lora-pro?`],
      [["bench", mistyped], `Cannot find task "digit", which ${mistyped} names: did you mean digits?`],
      [["bench", question], `Cannot find optimizer "lora-por", which ${question} names: did you mean`],
      [["bench", method, "--optimizers", "fool"], 'Cannot find optimizer "fool": known are'],
      [
        ["bnech"],
        'Cannot find command "bnech": did you mean bench? Known are bench, settle, claims, data, memory, fetch, ',
      ],
      [
        ["bench", "quikc"],
        'Cannot find sweep "quikc": did you mean quick? Known are alpha, batch, decay, forgetting, gauge, mode, ',
      ],
      [["bench", `${folder}/none.json`], `Cannot read ${folder}/none.json: there is no such file`],
      [["bench", `${folder}/text`], "it is not JSON"],
      [["bench", `${folder}/my.csv`], "my.csv: a sweep's file is needed, and --data takes one of data"],
      [["bench", `${folder}/odd.json`], `Cannot read ${folder}/odd.json: field "seeds.0" is "x"`],
      [
        ["bench", sweep, "--rank", "2"],
        'Cannot find option "--rank" of bench: did you mean --ranks? Known are --out, --dry-run',
      ],
      [
        ["bench", sweep, "--tasks", "digit"],
        'Cannot find task "digit": did you mean digits? Known are digits, arithmetic',
      ],
      [
        ["bench", sweep, "--optimizers", "lora,lora-por"],
        'Cannot find optimizer "lora-por": did you mean lora-pro? Known are full',
      ],
      [["bench", sweep, "--ranks", "0"], 'Cannot read --ranks "0": whole numbers from 1'],
      [["bench", sweep, "--ranks", "2,"], 'Cannot read --ranks "2,"'],
      [["bench", sweep, "--ranks", "9"], "rank is 9, 1 to 8 is needed"],
      [["bench", sweep, "--learning-rates=-0.1"], 'Cannot read --learning-rates "-0.1": numbers above 0'],
      [["bench", sweep, "--seeds", "1.5"], 'Cannot read --seeds "1.5"'],
      [["bench", sweep, "--steps", "many"], 'Cannot read --steps "many"'],
      [["bench", sweep, "--data", "/mnist"], 'Cannot train task "digits" on /mnist: it takes no real data'],
      [
        ["bench", sweep, "--train-on-test"],
        'Cannot train task "digits" on test examples: they are of real data, --data DIR is needed',
      ],
      [["bench", sweep, "--examples", "9,9"], 'Cannot read --examples "9,9": three numbers are needed'],
      [["bench", sweep, "--examples", "9,9,0"], 'Cannot read --examples "9,9,0": whole numbers from 1'],
      [["bench", sweep, "--gpu-tflops", "0"], 'Cannot read --gpu-tflops "0": a number above 0 is needed'],
      [["bench", sweep, "--gpu-efficiency", "40"], "a number above 0 and at most 1 is needed"],
      [
        ["bench", sweep, "--within", "0"],
        'Cannot read --within "0": a share above 0 and at most 1',
      ],
      [["report", "--out", out, "--within", "2%"], 'Cannot read --within "2%"'],
      [["report", "--out", out, "--gpu-gbs", "900"], "--gpu-tflops is needed too"],
      [["bench", sweep, "--out"], "Cannot read --out: a value is needed"],
      [["bench", sweep, "--out", "--json"], "Cannot read --out: a value is needed"],
      [["bench", sweep, "--learning-rates", "-1"], 'Cannot read --learning-rates "-1": numbers above 0'],
      [["bench", sweep, "--out="], "Cannot read --out: a value is needed"],
      [["bench", sweep, "--out", "a", "--out=b"], "Cannot read --out a and b: it is needed once"],
      [["bench", sweep, "--json=maybe"], "Cannot read --json=maybe: it takes no value"],
      [["bench", sweep, "--dry-run=false"], "Cannot read --dry-run=false: it takes no value"],
      [["bench", sweep, "--no-json"], 'Cannot find option "--no-json" of bench'],
      [["bench", sweep, "-json"], 'Cannot find option "-json" of bench'],
      [["bench", sweep, "--__proto__=1"], 'Cannot find option "--__proto__" of bench: known are --out'],
      [["bench", sweep, "--constructor", "1"], 'Cannot find option "--constructor" of bench'],
      [["__proto__"], 'Cannot find command "__proto__"'],
      [["bench", "__proto__"], 'Cannot find sweep "__proto__"'],
      [["bench", sweep, "--tasks", "__proto__"], 'Cannot find task "__proto__"'],
      [["bench", sweep, "--optimizers", "__proto__"], 'Cannot find optimizer "__proto__"'],
      [["bench", sweep, "--tasks", ""], "Cannot read --tasks: a value is needed"],
      [["bench", sweep, "--seeds", ","], 'Cannot read --seeds ",": whole numbers from 0'],
      [["bench", sweep, "--seeds=-0"], 'Cannot read --seeds "-0": whole numbers from 0'],
      [["bench", sweep, "--seeds", "0x10"], 'Cannot read --seeds "0x10": whole numbers from 0'],
      [
        ["bench", sweep, "--learning-rates", "1e999"],
        'Cannot read --learning-rates "1e999": numbers above 0',
      ],
      [
        ["bench", sweep, "--learning-rates", "1e-999"],
        'Cannot read --learning-rates "1e-999": numbers above 0',
      ],
      [["bench", sweep, "--learning-rates", "NaN"], 'Cannot read --learning-rates "NaN": numbers above 0'],
      [["bench", sweep, "--steps", "1,2"], 'Cannot read --steps "1,2": one number is needed'],
      [["bench", sweep, "--sharpness", "65"], 'Cannot read --sharpness "65": one whole number from 1 to 64'],
      [["bench", sweep, "--sharpness", "2,3"], 'Cannot read --sharpness "2,3": one number is needed'],
      [["bench", `${folder}/parts.json`], '"accumulate" is 5, a batch of 4 has at most 4 parts'],
      [["bench", `${folder}/proto.json`], 'proto.json: field "__proto__" is unknown'],
      [["bench", sweep, "smoke"], 'Cannot read "smoke": bench takes 1 name'],
      [["bench", sweep, "--out", `${folder}/text/x`], "Cannot write to the output folder"],
      [
        ["report", "--out", out, "--export", "pgn"],
        'Cannot find kind of export "pgn": did you mean png? Known are latex, p',
      ],
      [["report", "--out", out, "--with-peft", `${out}/no.json`], "there is no such file or folder"],
      [["report"], "--out DIR is needed"],
      [["report", "--out", `${out}/none`], "there are no results in"],
      [
        ["pretrain", "vit-huge"],
        'Cannot find model "vit-huge": known are vit-tiny, decoder-tiny',
      ],
      [["pretrain"], "the name of a model is needed"],
      [
        ["pretrain", "vit-tiny", "--data", "images"],
        "Cannot pretrain vit-tiny with --data: --out PATH is needed, what the project ships is made by its recipe",
      ],
      [["pretrain", "vit-tiny", "--out", "a", "--steps", "0"], 'Cannot read --steps "0"'],
      [
        ["pretrain", "vit-tiny", "--out", "a", "--examples", "1,1,1"],
        "they are of real images, --data DIR is needed",
      ],
      [
        ["pretrain", "vit-tiny", "--out", "a", "--train-on-test"],
        "Cannot pretrain vit-tiny with --train-on-test: they are of real images, --data DIR is needed",
      ],
      [["watch", "--port", "http"], 'Cannot read --port "http": a whole number from 0 to 65535'],
      [["watch", "--port", "65536"], 'Cannot read --port "65536"'],
      [["completions"], "Cannot print completions: the name of a shell is needed, bash, zsh, fish"],
      [["watch", "a", "b"], 'Cannot read "b": watch takes 1 name'],
      [["watch", `${folder}/text`], `Cannot watch ${folder}/text: it is no folder, that of a sweep`],
    ];
    for (const [args, sentence] of cases) {
      const { code, err, trained, out: printed } = await run(...args);
      assertEquals([code, trained, printed], [2, 0, ""], args.join(" "));
      assertStringIncludes(err, sentence);
      assertEquals(err.split("\n").length, 1, err);
    }
  });
});

/** Puts something else in a file's or folder's place. */
const kinds: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
  file: (path) => Deno.writeTextFile(path, ""),
  folder: (path) => Deno.mkdir(`${path}/inner`, { recursive: true }),
  fifo: (path) => new Deno.Command("sh", { args: ["-c", 'mkfifo "$0"', path] }).output(),
  dangling: (path) => Deno.symlink("/nowhere", path),
  loop: (path) => Deno.symlink(path, path),
};

test("bench says in one sentence what is in the place of its files and folders, before anything runs", async () => {
  await inFolder(async ({ run, sweep, folder }) => {
    const cases: [string, string, string][] = [
      ["runs", "file", "it is a file, a folder is needed"],
      ["runs", "fifo", "it is a named pipe, a folder is needed"],
      ["runs", "dangling", "it is a link that leads nowhere"],
      ["runs", "loop", "its links lead in a circle"],
      ["bases", "file", "it is a file, a folder is needed"],
      ["bases", "fifo", "it is a named pipe, a folder is needed"],
      ["bases", "dangling", "it is a link that leads nowhere"],
      ["bases", "loop", "its links lead in a circle"],
      ["sweep.json", "folder", "it is a folder"],
    ];
    for (const [i, [name, kind, reason]] of cases.entries()) {
      const out = `${folder}/${i}`;
      await Deno.mkdir(out);
      await kinds[kind]!(`${out}/${name}`);
      const { code, err, trained } = await run("bench", sweep, "--out", out, "--json");
      assertEquals([code, trained], [2, 0], err);
      assertStringIncludes(err, `${out}/${name}`);
      assertStringIncludes(err, reason);
      assertEquals(err.split("\n").length, 1, err);
    }
    const long = `${folder}/${"n".repeat(300)}`;
    for (const rest of [[], ["--dry-run"]]) {
      const { code, err } = await run("bench", sweep, "--out", long, ...rest);
      assertEquals([code, err.split("\n").length], [2, 1]);
      assertStringIncludes(err, `"${long}/runs": its name is too long`);
    }
  });
});

test("report says in one sentence what is in the place of its files and folders", async () => {
  await inFolder(async ({ run, sweep, out, folder }) => {
    await run("bench", sweep, "--out", out, "--json", "--seeds", "0", "--ranks", "2");
    const cases: [string, string, string][] = [
      ["report", "file", "it is a file, a folder is needed"],
      ["report", "fifo", "it is a named pipe, a folder is needed"],
      ["report/charts", "loop", "its links lead in a circle"],
      ["report/index.html", "folder", "it is a folder"],
      ["report/charts/loss-by-step.svg", "folder", "it is a folder"],
      ["runs", "fifo", "it is a named pipe, a folder is needed"],
    ];
    for (const [name, kind, reason] of cases) {
      await Deno.rename(out, `${folder}/whole`);
      await new Deno.Command("sh", { args: ["-c", 'cp -r "$0" "$1"', `${folder}/whole`, out] }).output();
      await Deno.remove(`${out}/${name}`, { recursive: true });
      await kinds[kind]!(`${out}/${name}`);
      const { code, err } = await run("report", "--out", out);
      assertEquals([code, err.split("\n").length], [2, 1], err);
      assertStringIncludes(err, `${out}/${name}`);
      assertStringIncludes(err, reason);
      await Deno.remove(out, { recursive: true });
      await Deno.rename(`${folder}/whole`, out);
    }
    await Deno.remove(`${out}/sweep.json`);
    await kinds["fifo"]!(`${out}/sweep.json`);
    const { code, err } = await run("report", "--out", out);
    assertEquals([code, err], [0, `Cannot read ${out}/sweep.json: it is a named pipe, a file is needed`]);
  });
});

test("bench waits for no named pipe: among results it is set aside, as a sweep's file it is refused", async () => {
  await inFolder(async ({ run, sweep, out, folder }) => {
    const few = ["--out", out, "--json", "--seeds", "0", "--ranks", "2"];
    await run("bench", sweep, ...few);
    const [file] = Array.from(Deno.readDirSync(`${out}/runs`)), path = `${out}/runs/${file!.name}`;
    await Deno.remove(path);
    await kinds["fifo"]!(path);
    const { code, err, trained } = await run("bench", sweep, ...few);
    assertEquals([code, trained], [0, 1]);
    assertStringIncludes(
      err,
      `Cannot use ${path}: it is a named pipe, a file is needed; it was set aside as`,
    );
    for (const name of ["sweep.json", "0123456789abcdef.json"]) {
      await kinds["fifo"]!(`${folder}/${name}`);
      const refused = await run("bench", `${folder}/${name}`);
      assertEquals(
        [refused.code, refused.err],
        [2, `Cannot read ${folder}/${name}: it is a named pipe, a file is needed`],
      );
    }
    const beside = await run("report", "--out", out, "--with-peft", `${folder}/sweep.json`);
    assertStringIncludes(beside.err, "Cannot read sweep.json: it is a named pipe, a file is needed");
  });
});

test("bench whose folder is deleted in mid-run says so, and begins anew", async () => {
  await inFolder(async ({ run, sweep, out, meanwhile }) => {
    meanwhile.set(3, () => Deno.remove(out, { recursive: true }));
    const { code, err, trained } = await run("bench", sweep, "--out", out, "--json");
    assertEquals([code, trained], [2, 3]);
    const last = err.split("\n").at(-1)!;
    assert(last.startsWith(`Cannot write ${out}/runs/`), err);
    assertStringIncludes(last, "its folder is gone; nothing is stored yet");
    meanwhile.clear();
    assertEquals((await run("bench", sweep, "--out", out, "--json")).code, 0);
  });
});

testOnDisk(
  "bench on a full disk names the path and what is kept, and once there is room goes on where it stopped",
  async () => {
    await inFolder(async ({ run, sweep, meanwhile }) => {
      await inNewDisk(4096, async ({ folder, fill, free }) => {
        const out = `${folder}/out`;
        meanwhile.set(3, () => fill());
        const full = await run("bench", sweep, "--out", out, "--json");
        assertEquals([full.code, full.trained], [2, 3]);
        const last = full.err.split("\n").pop()!;
        assert(last.startsWith(`Cannot write ${out}/runs/`), full.err);
        assertStringIncludes(
          last,
          `no space is left on its disk; 2 runs are stored in ${out}/runs, and the same command goes on from there`,
        );
        // The claim on the run was given back, which leaves room for a last word.
        const [pulse] = await readPulses(out);
        assertEquals(pulse?.live?.ending, { status: "failed", error: last });
        meanwhile.clear();
        await free();
        const next = await run("bench", sweep, "--out", out, "--json");
        assertEquals([next.code, next.trained], [0, 12]);

        const page = await Deno.readTextFile(`${out}/report/index.html`);
        await fill();
        const unwritten = await run("report", "--out", out);
        assertEquals(unwritten.code, 2);
        assert(unwritten.err.startsWith(`Cannot write ${out}/report/`), unwritten.err);
        assertStringIncludes(unwritten.err, ": no space is left on its disk");
        const begun = await run("bench", sweep, "--out", out, "--json");
        assertStringIncludes(begun.err, `no space is left on its disk; 14 runs are stored in ${out}/runs`);
        await free();
        assertEquals((await run("report", "--out", out)).code, 0);
        assertEquals(await Deno.readTextFile(`${out}/report/index.html`), page);
      });
    });
  },
);

test("bench and report sweep up what killed processes left half-written", async () => {
  await inFolder(async ({ run, sweep, out }) => {
    await run("bench", sweep, "--out", out, "--json", "--seeds", "0", "--ranks", "2");
    const left = [
      "sweep.json",
      "runs/a.json",
      "bases/a.json",
      "runs/.probe",
      "report/index.html",
      "report/charts/a.svg",
    ]
      .map((name) => `${out}/${name}.0123abcd.part`);
    for (const path of left) await Deno.writeTextFile(path, "{");
    using living = await Deno.open(`${out}/runs/b.json.0123abcd.part`, { write: true, createNew: true });
    await living.lock(true);
    await run("bench", sweep, "--out", out, "--json", "--seeds", "0", "--ranks", "2");
    for (const path of left) assertEquals(await Deno.stat(path).then(() => path, () => null), null);
    await Deno.stat(`${out}/runs/b.json.0123abcd.part`);
  });
});

test("main() lists its commands, and tells of each alone", async () => {
  await inFolder(async ({ run }) => {
    for (const args of [[], ["--help"], ["help"]]) {
      const { code, out } = await run(...args);
      assertEquals(code, 0);
      assertStringIncludes(out, "Usage: ./run COMMAND");
    }
    for (
      const args of [["report", "--help"], ["help", "report"], ["--help", "report"], ["report", "x", "-h"]]
    ) {
      const { code, out } = await run(...args);
      assertEquals(code, 0);
      assertStringIncludes(out, "Usage: ./run report");
      assertEquals(out.includes("--dry-run"), false);
    }
    assertEquals(
      (await run("help", "reprot")).err.slice(0, 51),
      'Cannot find command "reprot": did you mean report? ',
    );
  });
});

test("completions prints a script with the names that are known", async () => {
  await inFolder(async ({ run }) => {
    const { code, out } = await run("completions", "bash");
    assertEquals(code, 0);
    assertStringIncludes(out, "full lora lora-ga lora-pro");
    assertStringIncludes(out, `-ef '${decodeURIComponent(new URL("./run", import.meta.url).pathname)}'`);
  });
});

test("bench --with runs a method from a file beside ours, and reports need the file no more", async () => {
  await inFolder(async ({ run, folder, sweep, out }) => {
    const file = `${folder}/mine.ts`;
    const method = (title: string) =>
      `import { lora } from "@equivalent-gradient/harness"; export const m = { ...lora, id: "mine", title: "${title}" };`;
    await Deno.writeTextFile(file, method("Mine"));
    const first = await run("bench", sweep, "--with", file, "--out", out, "--json");
    assertEquals(first.code, 0, first.err);
    const { counts, runs, report } = JSON.parse(first.out);
    const own = runs.filter(({ optimizer }: { optimizer: string }) => optimizer === "mine");
    // As many as LoRA has: two ranks, two seeds.
    assertEquals([counts.total, own.length], [14 + own.length, 4]);
    const stored = JSON.parse(await Deno.readTextFile(`${out}/runs/${own[0].id}.json`));
    assertEquals(stored.config.optimizer.module.path, file);
    assertStringIncludes(await Deno.readTextFile(report), "Mine");

    assertEquals((await run("bench", sweep, "--with", file, "--out", out, "--json")).trained, 0);
    const again = await run("report", "--out", out);
    assertEquals(again.code, 0, again.err);
    assertStringIncludes(await Deno.readTextFile(report), "Mine");
    assertStringIncludes(await Deno.readTextFile(`${out}/report/summary.md`), "Mine");
    const without = await run("bench", `${out}/runs/${own[0].id}.json`, "--out", `${folder}/again`);
    assertEquals(without.code, 2);
    assertStringIncludes(without.err, `it was from ${file}, --with loads it`);
    const rerun = await run(
      ...["bench", `${out}/runs/${own[0].id}.json`, "--with", file, "--out", `${folder}/again`, "--json"],
    );
    assertEquals([rerun.code, JSON.parse(rerun.out).runs[0].id], [0, own[0].id]);

    // Other bytes are another method: its runs alone are made.
    await Deno.writeTextFile(`${folder}/other.ts`, method("My own"));
    assertEquals(
      (await run("bench", sweep, "--with", `${folder}/other.ts`, "--out", out, "--json")).trained,
      4,
    );
    assertStringIncludes(await Deno.readTextFile(report), "My own");
  });
});

test("verify makes a sample of a folder's runs again, and ends with 1 where one found something else", async () => {
  await inFolder(async ({ run, folder, sweep, out, broken }) => {
    assertEquals((await run("bench", sweep, "--out", out)).code, 0);
    const from = ["verify", `${out}/report/index.html`, "--sample", "4"];
    const { code, out: said, err, trained } = await run(...from, "--out", `${folder}/first`);
    assertEquals([code, trained], [0, 4], err);
    assertEquals(
      said,
      "Confirmed: 4 runs found the same, bit for bit, on SYNTHETIC, measured nowhere (none)",
    );
    const twice = await run(...from, "--out", `${folder}/first`);
    assertEquals([twice.code, twice.trained], [0, 0]);
    assertStringIncludes(
      twice.err,
      `4 of these runs were made by an earlier command and lie in ${folder}/first`,
    );
    // A page alone carries results of its own, whole: as many as there are here, and no more than twelve.
    const page = await Deno.readTextFile(`${out}/report/index.html`), alone = `${folder}/colleague.html`;
    await Deno.writeTextFile(alone, page);
    const carried = await run("verify", alone, "--sample", "all", "--out", `${folder}/alone`, "--json");
    const { size } = (await openStore(out).read()).results;
    assertEquals([carried.code, carried.trained], [0, Math.min(size, 12)], carried.err);
    assertEquals(JSON.parse(carried.out).confirmed, "bit for bit");
    const [, packed] = /id="data-evidence">([^<]+)</.exec(page)!;
    const evidence = await new Response(
      new Blob([Uint8Array.fromBase64(packed!)]).stream().pipeThrough(new DecompressionStream("deflate-raw")),
    ).json();
    evidence.results[0].outcome.score += 0.1;
    for (
      const [text, wanted] of [
        ["<!doctype html><p>Another page</p>", "it carries no results, as pages of reports do"],
        [page.replace(packed!, packed!.slice(0, 400)), "what it carries can't be used: "],
        [page.replace(packed!, await pack(evidence)), "its digest does not fit its content (edited?)"],
        [page.replace(packed!, await pack({ ...evidence, name: "../.." })), "it names no runs"],
      ] as const
    ) {
      await Deno.writeTextFile(alone, text);
      const refused = await run("verify", alone, "--out", `${folder}/refused`);
      assertEquals(refused.code, 2, refused.out);
      assertStringIncludes(refused.err, `Cannot verify "${alone}": `);
      assertStringIncludes(refused.err, wanted);
    }
    const gone = await run("verify", `${folder}/gone.html`, "--out", `${folder}/refused`);
    assertEquals([gone.code, gone.err.trim().split("\n").at(-1)], [
      2,
      `Cannot verify "${folder}/gone.html": there is no such file or folder`,
    ]);
    // Losses that somebody else stored are others.
    const store = openStore(out), { results: all } = await store.read();
    for (const result of all.values()) {
      if (result.status !== "done") continue;
      const trainLoss = result.outcome.trainLoss.map(({ step, value }) => ({ step, value: 1.5 * value }));
      await store.put({ ...result, outcome: { ...result.outcome, trainLoss } });
    }
    const other = await run("verify", out, "--sample", "all", "--out", `${folder}/second`, "--json");
    assertEquals([other.code, other.trained], [1, all.size], other.err);
    const { confirmed, differ, runs } = JSON.parse(other.out);
    assertEquals([confirmed, differ.length, runs.length], ["no", all.size, all.size]);
    broken.add("lora");
    const failed = await run("verify", out, "--sample", "all", "--out", `${folder}/third`);
    assertEquals(failed.code, 1);
    assertStringIncludes(failed.out, "it failed: Cannot go on: the device was lost");
    for (
      const [args, wanted] of [
        [["verify", `${folder}/none`], "there are no results in"],
        [
          ["verify", out, "--sample", "0"],
          'Cannot read --sample "0": a whole number from 1 is needed, or all',
        ],
        [["verify", out, "--seed", "-1"], 'Cannot read --seed "-1"'],
      ] as const
    ) {
      const refused = await run(...args, "--out", `${folder}/fourth`);
      assertEquals(refused.code, 2);
      assertStringIncludes(refused.err, wanted);
    }
  });
});

test("a sweep's file names files that bring entries, from its own folder; --list --with lists them", async () => {
  await inFolder(async ({ run, folder, sweep }) => {
    await Deno.writeTextFile(
      `${folder}/mine.ts`,
      `import { digits, lora } from "@equivalent-gradient/harness";
       export const m = { ...lora, id: "mine" }, t = { ...digits, id: "my-digits", title: "Mine" };`,
    );
    const spec = JSON.parse(await Deno.readTextFile(sweep));
    await Deno.writeTextFile(`${folder}/own.json`, JSON.stringify({ ...spec, with: ["./mine.ts"] }));
    const dry = await run("bench", `${folder}/own.json`, "--out", `${folder}/own`, "--dry-run", "--json");
    assertEquals(dry.code, 0, dry.err);
    const runs = JSON.parse(dry.out).runs.map(({ config }: { config: RunConfig }) =>
      `${config.task.id} ${config.optimizer.id}`
    );
    for (const pair of ["digits mine", "my-digits lora", "my-digits mine"]) assert(runs.includes(pair), pair);
    const some = await run(
      ...[
        "bench",
        `${folder}/own.json`,
        "--tasks",
        "my-digits",
        "--optimizers",
        "mine",
        "--dry-run",
        "--json",
      ],
    );
    assertEquals(
      new Set(JSON.parse(some.out).runs.map(({ config }: { config: RunConfig }) => config.task.id)),
      new Set(["my-digits"]),
    );
    const list = JSON.parse((await run("bench", "--with", `${folder}/mine.ts`, "--list", "--json")).out);
    assertEquals(list.optimizers.at(-1).id, "mine");
    assertEquals(list.tasks.at(-1), { id: "my-digits", family: "vision", title: "Mine" });
  }, shipped);
});

test("a file of one's own that can't be loaded ends a command in one sentence, before anything is written", async () => {
  await inFolder(async ({ run, folder, sweep, out }) => {
    const cases = {
      'throw new Error("seven is needed");': "seven is needed",
      "export const a = ;": "Expression expected",
      "export const a = 1;": "among its exports, it has a",
      'import { lora } from "@equivalent-gradient/harness"; export const m = { ...lora };':
        'Cannot use method "lora"',
    };
    for (const [i, [text, wanted]] of Object.entries(cases).entries()) {
      const file = `${folder}/${i}.ts`;
      await Deno.writeTextFile(file, text);
      const { code, out: printed, err, trained } = await run("bench", sweep, "--with", file, "--out", out);
      assertEquals([code, printed, trained, err.split("\n").length], [2, "", 0, 1], err);
      assertStringIncludes(err, wanted);
      assertStringIncludes(err, file);
    }
    await assertRejects(() => Deno.stat(out), Deno.errors.NotFound);
  });
});

test("a method from a file that nobody tuned is told how to be, and a tuning sweep gives it the grid of the others", async () => {
  await inFolder(async ({ run, folder, out }) => {
    const file = `${folder}/mine.ts`;
    await Deno.writeTextFile(
      file,
      'import { lora } from "@equivalent-gradient/harness"; export const m = { ...lora, id: "mine" };',
    );
    const own = ["--with", file, "--tasks", "digits", "--out", out];
    const bare = await run("bench", "quick", ...own);
    assertEquals([bare.code, bare.trained], [2, 0]);
    assertStringIncludes(
      bare.err,
      `sweep "tune" chose none for "mine" on "digits" (./run bench tune --with ${file} --optimizers mine chooses them`,
    );
    const dry = await run(
      "bench",
      "tune",
      ...own,
      "--optimizers",
      "mine",
      "--ranks",
      "2",
      "--dry-run",
      "--json",
    );
    assertEquals(dry.code, 0, dry.err);
    const learningRates = JSON.parse(dry.out).runs.map(({ config }: { config: RunConfig }) =>
      config.schedule.learningRate
    );
    assertEquals([...new Set(learningRates)], [
      ...[0.000125, 0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128],
    ]);
    const tuned = await run("bench", "tune", ...own, "--optimizers", "mine", "--ranks", "2");
    assertEquals(tuned.code, 0, tuned.err);
    assertStringIncludes(tuned.out, `for sweeps on the same files: --rates ${out}`);
    // What ships is beside it, so that the others keep their rates.
    const taken = await run(
      "bench",
      "quick",
      ...own.slice(0, 4),
      "--rates",
      out,
      "--ranks",
      "2",
      "--dry-run",
      "--json",
    );
    assertEquals(taken.code, 0, taken.err);
    const used = JSON.parse(taken.out).runs.map(({ config }: { config: RunConfig }) => config.optimizer.id);
    assertEquals(new Set(used), new Set(["full", "lora", "lora-ga", "lora-pro", "mine"]));
    // Stated rates need no tuning.
    assertEquals((await run("bench", "quick", ...own, "--learning-rates", "1e-3", "--dry-run")).code, 0);
  });
});

test("check says of each promise whether it holds, and ends with 1 where one doesn't", async () => {
  await inFolder(async ({ run }) => {
    const good = await run("check", "./good.ts");
    assertEquals([good.code, good.out], [
      0,
      "holds  method mine: it learns\nholds  method mine: it learns\n2 of 2 promises hold",
    ]);
    const bad = await run("check", "./bad.ts");
    assertEquals([bad.code, bad.out.split("\n").slice(1)], [1, [
      "FAILS  method mine: it learns",
      "       Lengths differ",
      "       at 3",
      "1 of 2 promises hold",
    ]]);
    const json = await run("check", "./bad.ts", "--json");
    assertEquals([json.code, JSON.parse(json.out).held], [1, 1]);
    for (const rank of ["0", "1.5", "x"]) {
      const { code, err } = await run("check", "./good.ts", "--rank", rank);
      assertEquals([code, err], [2, `Cannot read --rank "${rank}": a whole number from 1 is needed`]);
    }
  });
});

test("check without a file tells what holds of the adapter, tests by folder, and ends with 1 where one doesn't", async () => {
  await inFolder(async ({ run }) => {
    const good = await run("check");
    assertEquals([good.code, good.out.split("\n"), good.err], [0, [
      "holds  kernels/norm: 2 tests",
      "holds  kernels/linalg: 1 test",
      "holds  digits, lora: losses of 20 steps are the recorded ones",
      `${fakeEnvironment.adapter} passes: all 4 checks hold`,
    ], "What was found is in checked/made-up.json"]);
    adapterChecks.splice(1, 1, ["kernels/norm/norm: any rows", "Error 1 of the largest\nat 3"]);
    const bad = await run("check");
    assertEquals([bad.code, bad.out.split("\n"), bad.err], [1, [
      "holds  kernels/norm: 1 test",
      "FAILS  kernels/norm/norm: any rows",
      "       Error 1 of the largest",
      "       at 3",
      "holds  kernels/linalg: 1 test",
      "holds  digits, lora: losses of 20 steps are the recorded ones",
      `${fakeEnvironment.adapter} FAILS: 3 of 4 checks hold, so results made with it are not to be trusted`,
    ], "What was found is in checked/made-up.json: please attach it to an issue"]);
    const { ok, adapter, checks } = JSON.parse((await run("check", "--json")).out);
    assertEquals([ok, adapter, checks[1]], [false, fakeEnvironment.adapter, {
      name: "kernels/norm/norm: any rows",
      ok: false,
      error: "Error 1 of the largest\nat 3",
    }]);
    const { code, err } = await run("check", "--rank", "4");
    assertEquals([code, err], [
      2,
      "Cannot check an adapter at a rank or a learning rate: a file with methods is needed",
    ]);
  });
});

test("autotune says which choices differ from the rule and where they are, or prints all as JSON", async () => {
  await inFolder(async ({ run }) => {
    const { code, out, err } = await run("autotune");
    assertEquals([code, err], [0, "Measured 2 of 2 kinds of kernels, last nn 4x4x4 abc"]);
    assertEquals(out.split("\n"), [
      "nn 4x4x4 abc: staged 2.5 us instead of tiled 3 us",
      "norm: subgroups 4 us instead of lanes 5 us",
      "Tuned made-up with Deno 2: 2 of 3 choices differ from the rule, stored in made-up.json",
    ]);
    assertEquals(JSON.parse((await run("autotune", "--json")).out), { path: "made-up.json", ...fakeTuning });
    assertEquals((await run("autotune", "arithmetic")).code, 2);
  });
});

test("claims settles what a file claims, ends in one line, and goes on without a run", async () => {
  await inFolder(async ({ folder, out, run }) => {
    const { task, model } = fakeSweep.tasks[0]!;
    const claim = {
      name: "lora-above-full",
      source: "nobody, Table 1",
      says: "LoRA scores above full fine-tuning.",
      setting: "none",
      differs: "everything is made up",
      rates: "stated",
      sweep: {
        base: fakeSweep.base,
        tasks: [{ task, model }],
        optimizers: [{ id: "lora", learningRates: [0.004] }, { id: "full", learningRates: [0.004] }],
        ranks: [4],
        seeds: [0],
        settle: { within: 0.05, budget: "30m", atMost: 4 },
      },
      predictions: [{ of: "lora", against: "full", is: "better", over: "each" }],
    };
    const path = `${folder}/claim.json`,
      write = (value: object) => Deno.writeTextFile(path, JSON.stringify(value));
    await write(claim);
    const dry = await run("claims", path, "--out", out, "--dry-run");
    assertStringIncludes(dry.out, "lora-above-full: at most 8 runs");
    assertEquals([dry.code, dry.trained], [0, 0]);
    const first = await run("claims", path, "--out", out);
    assertEquals([first.code, first.trained], [0, 8]);
    assert(
      /^lora-above-full: (confirmed|refuted|undecided) here: .*Unlike there: everything is made up$/.test(
        first.out,
      ),
    );
    const of = `${out}/lora-above-full`, read = () => Deno.readTextFile(`${of}/report/summary.md`);
    const summary = await read();
    const again = await run("claims", path, "--out", out, "--json");
    assertEquals([again.code, again.trained], [0, 0]);
    const [{ outcome, line }] = JSON.parse(again.out);
    assertEquals(first.out, `lora-above-full: ${line}`);
    const stored = JSON.parse(await Deno.readTextFile(`${out}/lora-above-full/verdict.json`));
    assertEquals([stored.outcome, stored.line, stored.runs], [outcome, line, 8]);
    // The report opens with it, and says the same when it is made again from the folder.
    const [told, differs] = line.split(". Unlike there: ");
    assertStringIncludes(summary, `**${told[0].toUpperCase()}${told.slice(1)}.**`);
    assertStringIncludes(summary, "- Claim: LoRA scores above full fine-tuning. (nobody, Table 1).");
    assertStringIncludes(summary, `- Unlike there: There: none. Here: ${differs}.`);
    assertStringIncludes(summary, `| ${outcome} | LoRA is better than Full fine-tuning | `);
    const last = await read();
    await Deno.remove(`${of}/report`, { recursive: true });
    assertEquals((await run("report", "--out", of)).code, 0);
    assertEquals(await read(), last);
    // Of a question that is not answered an old verdict says nothing.
    const { settled: _, ...open } = JSON.parse(await Deno.readTextFile(`${of}/sweep.json`));
    await Deno.writeTextFile(`${of}/sweep.json`, JSON.stringify(open));
    assertEquals((await run("report", "--out", of)).code, 0);
    assert(!(await read()).includes(" here: "));
    // Wrong names end before anything runs.
    await write({ ...claim, predictions: [{ ...claim.predictions[0], of: "pissa" }] });
    const wrong = await run("claims", path, "--out", `${folder}/other`);
    assertEquals([wrong.code, wrong.trained], [2, 0]);
    assertStringIncludes(wrong.err, 'does not compare "pissa" with "full", and has "lora", "full"');
    assertStringIncludes((await run("claims", "pro-modes")).err, "did you mean pro-mode?");
  });
});
