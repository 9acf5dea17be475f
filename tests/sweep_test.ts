/** @file The smoke sweep as a user runs it: a process of its own, with the permissions that `./run` gives it and no more. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { decoderTiny } from "../models/mod.ts";
import { RunResult } from "../training/schemas.ts";
import { LLAMA, writeModel } from "./support/model_writer.ts";
import { reproducible, resultsIn } from "./support/stored_results.ts";
import { PROGRAMS, testNeeding } from "./support/test_needing.ts";
import { inFolder } from "./support/in_folder.ts";

const test = testNeeding(PROGRAMS);

const repository = new URL("../", import.meta.url).pathname;

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What `./run` starts, as it starts it; the first argument is the folder that it was called from. */
const START = `words=$(deno run --no-prompt --allow-read=. --allow-env launch.ts "$0" "$@") || exit
eval "set -- $words"
exec deno "$@"`;

interface Called {
  readonly env?: Readonly<Record<string, string>>;
  readonly from?: string;
}

function command(args: readonly string[], { env = {}, from = repository }: Called = {}): Deno.Command {
  return new Deno.Command("sh", {
    args: ["-c", START, from.replace(/\/$/, ""), ...args],
    cwd: repository,
    env: { NO_COLOR: "1", ...env },
    stdout: "piped",
    stderr: "piped",
  });
}

async function run(args: readonly string[], called: Called = {}): Promise<Outcome> {
  const { code, stdout, stderr } = await command(args, called).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

const QUICKEST = ["bench", "smoke", "--optimizers", "lora,lora-pro", "--tasks", "digits"];

/** The whole smoke sweep, run once for the tests that look at it. */
let made: Promise<{ readonly out: string; readonly first: Outcome }> | null = null;

function smoke() {
  return made ??= (async () => {
    const out = `${await Deno.makeTempDir({ prefix: "smoke" })}/results`;
    return { out, first: await run(["bench", "smoke", "--out", out, "--json"]) };
  })();
}

Deno.test.afterAll(async () => {
  if (made !== null) await Deno.remove((await made).out.replace(/\/results$/, ""), { recursive: true });
});

test("bench runs the smoke sweep from the command line to the report, and repeats nothing", async () => {
  const { out, first } = await smoke();
  assertEquals(first.code, 0, first.stderr);
  const printed = JSON.parse(first.stdout);
  assertEquals(printed.counts, { total: 8, done: 8, diverged: 0, failed: 0, left: 0 });
  const stored = await resultsIn(out);
  assertEquals([...stored.keys()].sort(), printed.runs.map((entry: { id: string }) => entry.id).sort());
  for (const { result } of stored.values()) {
    assert(result.status === "done");
    assertEquals(result.outcome.trainLoss.length, result.config.steps);
    assert(result.outcome.discrepancies.length > 0 && result.outcome.cost.medianStepMs! > 0);
  }
  const report = async () => {
    const files = [
      "index.html",
      "summary.md",
      "results.csv",
      "charts/score-by-rank.vl.json",
      "charts/score-by-rank.svg",
    ];
    return await Promise.all(files.map((file) => Deno.readTextFile(`${out}/report/${file}`)));
  };
  const pages = await report();
  assert(
    !/(?:src|href)="https?:/.test(pages[0]!.replaceAll(/<a [^>]*>/g, "")),
    "the page loads nothing from elsewhere",
  );

  const again = await run(["bench", "smoke", "--out", out, "--json"]);
  assertEquals(again.code, 0, again.stderr);
  for (const [id, { text }] of await resultsIn(out)) assertEquals(text, stored.get(id)!.text);
  await Deno.remove(`${out}/report`, { recursive: true });
  assertEquals((await run(["report", "--out", out])).code, 0);
  assertEquals(await report(), pages);
});

test("bench survives kill -9 and broken files: it names them, repeats only what is missing, and has the same bits", async () => {
  await inFolder(async (folder) => {
    const out = `${folder}/killed`;
    const killed = command([...QUICKEST, "--out", out]).spawn();
    // Killed as soon as the first run is stored, while the second is under way.
    const exists = async (path: string) => await Deno.stat(path).then(() => true, () => false);
    while (
      !(await exists(`${out}/runs`)) ||
      [...Deno.readDirSync(`${out}/runs`)].every(({ name }) => !name.endsWith(".json"))
    ) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    killed.kill("SIGKILL");
    await killed.output();
    const before = await resultsIn(out);
    const next = await run([...QUICKEST, "--out", out, "--json"]);
    assertEquals(next.code, 0, next.stderr);
    const after = await resultsIn(out), elsewhere = await resultsIn((await smoke()).out);
    assertEquals(after.size, 2);
    for (const [id, { text }] of before) assertEquals(after.get(id)!.text, text);
    // Whatever was killed, scores, losses and measurements are those of the whole sweep, bit for bit.
    for (const [id, { result }] of after) {
      assertEquals(reproducible(result), reproducible(elsewhere.get(id)!.result));
    }

    const stored = [...after];
    const [cut, { text: whole }] = stored[0]!;
    const [kept, { text: other }] = stored[1]!;
    await Deno.writeTextFile(`${out}/runs/${cut}.json`, whole.slice(0, whole.length / 2));
    const shown = await run(["report", "--out", out]);
    assertEquals(shown.code, 0);
    assertStringIncludes(shown.stderr, cut);
    const mended = await run([...QUICKEST, "--out", out]);
    assertEquals(mended.code, 0, mended.stderr);
    assertStringIncludes(mended.stderr, cut);
    const finally_ = await resultsIn(out);
    assertEquals(finally_.get(kept)!.text, other);
    assertEquals(
      reproducible(finally_.get(cut)!.result),
      reproducible(RunResult.parse((({ digest: _, ...rest }) => rest)(JSON.parse(whole)))),
    );
    const aside = [...Deno.readDirSync(`${out}/runs`)].filter(({ name }) => name.includes("broken"));
    assertEquals(aside.length, 1);
    assertEquals(await Deno.readTextFile(`${out}/runs/${aside[0]!.name}`), whole.slice(0, whole.length / 2));
  });
});

test("bench runs the scaling sweep's smallest sizes, from random weights to predicted costs", async () => {
  await inFolder(async (folder) => {
    const spec = JSON.parse(await Deno.readTextFile(`${repository}benchmarks/sweeps/scaling.json`));
    const smallest = Object.fromEntries(
      Object.entries(spec.vary as Record<string, number[]>).map(([axis, sizes]) => [axis, sizes.slice(0, 2)]),
    );
    // Validated twice: what is timed once alone holds the compilation of kernels.
    const [{ model: { width: _, ...model }, ...task }] = spec.tasks;
    const small = {
      ...spec,
      tasks: [{ ...task, model }],
      base: { ...spec.base, batchSize: 2, validateEvery: 6 },
      vary: { ...smallest, batchSize: [2, 3] },
    };
    await Deno.writeTextFile(`${folder}/small.json`, JSON.stringify(small));
    const out = `${folder}/small`;
    const rates = ["--gpu-tflops", "100", "--gpu-gbs", "1000"];
    const args = ["bench", `${folder}/small.json`, "--steps", "8", "--optimizers", "full,lora-pro", ...rates];
    const { code, stdout, stderr } = await run([...args, "--out", out, "--json"]);
    assertEquals(code, 0, stderr);
    // The base, three sizes more, and two ranks more for the method that has one.
    assertEquals(JSON.parse(stdout).counts, { total: 10, done: 10, diverged: 0, failed: 0, left: 0 });
    const summary = await Deno.readTextFile(`${out}/report/summary.md`);
    assertStringIncludes(summary, "a prediction, not a measurement");
    assertStringIncludes(summary, "100 TFLOP/s and 1000 GB/s");
    assertStringIncludes(summary, "scores and losses mean nothing");
    await Deno.stat(`${out}/report/charts/growth-of-peak-bytes.svg`);
    for (const { result } of (await resultsIn(out)).values()) assertEquals(result.status, "done");
  });
});

/** What of each ablation is run for real: its smallest form that still has what the question is about. */
const ABLATIONS: readonly { name: string; args: string[]; runs: number; charts: string[]; says: string[] }[] =
  [
    {
      name: "tune",
      args: [
        "--optimizers",
        "lora,lora-pro",
        "--learning-rates",
        "1e-3,4e-3",
        "--ranks",
        "2",
        "--seeds",
        "100",
      ],
      runs: 4,
      charts: ["loss-by-rate", "score-by-rate"],
      says: ["## Learning rates", "optimistic, not for comparing methods"],
    },
    {
      name: "gauge",
      args: ["--optimizers", "lora-pro", "--learning-rates", "2e-3", "--ranks", "2", "--seeds", "0"],
      runs: 3,
      charts: ["discrepancy-by-step"],
      says: [
        "1 seed cannot tell 2 methods from LoRA-Pro, gauge sylvester",
        "Against LoRA-Pro, gauge sylvester: observed, not decided, LoRA-Pro, gauge zero",
        "gauge symmetric",
      ],
    },
    {
      name: "mode",
      args: ["--optimizers", "lora-pro", "--learning-rates", "2e-3", "--ranks", "2"],
      runs: 8,
      charts: ["move-of-a-by-step"],
      says: ["mode efficient", "relativeDamping 1e-6", "mode sgd", "cap 0.1"],
    },
  ];

for (const { name, args, runs, charts, says } of ABLATIONS) {
  test(`bench runs a few steps of sweep "${name}", and its report has what answers the question`, async () => {
    await inFolder(async (folder) => {
      const spec = JSON.parse(await Deno.readTextFile(`${repository}benchmarks/sweeps/${name}.json`));
      const [task] = spec.tasks;
      const few = { ...task.task, trainExamples: 16, validationExamples: 8, testExamples: 8 };
      const small = { ...spec, base: { ...spec.base, batchSize: 4 }, tasks: [{ ...task, task: few }] };
      await Deno.writeTextFile(`${folder}/small.json`, JSON.stringify(small));
      const command = ["bench", `${folder}/small.json`, "--steps", "3", ...args, "--out", folder, "--json"];
      const { code, stdout, stderr } = await run(command);
      assertEquals(code, 0, stderr);
      assertEquals(JSON.parse(stdout).counts, { total: runs, done: runs, diverged: 0, failed: 0, left: 0 });
      for (const chart of charts) await Deno.stat(`${folder}/report/charts/${chart}.svg`);
      const summary = await Deno.readTextFile(`${folder}/report/summary.md`);
      for (const sentence of says) assertStringIncludes(summary, sentence);
      if (name === "mode") await assertJump(folder);
    });
  });
}

/** From B = 0, LoRA-Pro's second step moves A by a large part of its norm, unless Adam or the cap bounds it. */
async function assertJump(out: string): Promise<void> {
  for (const { result } of (await resultsIn(out)).values()) {
    assert(result.status === "done");
    const { mode, cap } = result.config.optimizer.options;
    const moves = (step: number) =>
      result.outcome.discrepancies.filter((one) => one.step === step).map(({ moveOfA }) => moveOfA!);
    assert(moves(1).every((move) => move === 0), `${mode}: A moved at B = 0`);
    const second = Math.max(...moves(2));
    assert(second > 0, `${mode}`);
    if (cap !== 0) assert(second < 0.1 + 1e-4, `${mode}, cap ${cap}: ${second}`);
    else assertEquals(second > 0.2, mode !== "efficient", `${mode}: ${second}`);
  }
}

test("bench --dry-run tells a shipped sweep's question, cost in runs and estimated time, before anything ran", async () => {
  await inFolder(async (folder) => {
    // One without rates of its own, and one at tuned ones.
    for (const name of ["gauge", "paper"]) {
      const { code, stdout, stderr } = await run(["bench", name, "--dry-run", "--out", folder]);
      assertEquals(code, 0, stderr);
      const { question } = JSON.parse(await Deno.readTextFile(`${repository}benchmarks/sweeps/${name}.json`));
      assertStringIncludes(stdout, question);
      assert(
        /\d+ runs, \d+ left to do: about \d+ (min|h) .*, an estimate from the paces of sweep "/.test(stdout),
        stdout,
      );
    }
  });
});

test("bench --dry-run names the methods that are left out at some ranks, and what they said", async () => {
  await inFolder(async (folder) => {
    const args = ["bench", "smoke", "--optimizers", "lora,lora-ga", "--ranks", "8,40", "--dry-run", "--json"];
    const { code, stdout, stderr } = await run([...args, "--out", folder]);
    assertEquals(code, 0, stderr);
    const { counts, notes } = JSON.parse(stdout);
    assertEquals(counts.total, 6);
    assertEquals(notes.length, 2);
    assertStringIncludes(
      notes[0],
      '"lora-ga" is left out at rank 40 on digits: rank is 40, at most 32 is possible at',
    );
  });
});

test("the command line refuses what it cannot do in one sentence, with the exit code that tells whose fault it is", async () => {
  const file = await Deno.makeTempFile();
  try {
    for (
      const [args, wanted] of [
        [["bench", "qick"], "qick"],
        [["bench", "smoke", "--optimizers", "lora-por"], "lora-pro"],
        [["bench", "smoke", "--tasks", "glue"], "digits"],
        [["bench", "smoke", "--ranks", "0"], "--ranks"],
        [["bench", "smoke", "--ranks", "65"], "rank is 65, at most 64"],
        [["bench", "smoke", "--ranks", "33", "--optimizers", "lora-ga"], "at most 32"],
        [["bench", "smoke", "--learning-rates=-1"], "--learning-rates"],
        [["bench", "scaling", "--gpu-tflops", "312"], "--gpu-gbs is needed too"],
        [["bench", "smoke", "--stepz", "3"], "--stepz"],
        [["bench", "smoke", "--out", `${file}/runs`], file],
        [["report", "--out", "/nonexistent"], "/nonexistent"],
        [["pretrain", "gpt-5"], "decoder-tiny"],
        [["benhc"], "benhc"],
      ] as const
    ) {
      const { code, stderr, stdout } = await run(args);
      assertEquals(code, 2, `${args.join(" ")}: ${stderr}${stdout}`);
      // A stage may be told before the sentence.
      assertMatch(stderr, /^((Planning the runs|Making the report)\n)?[^\n]+\n$/);
      assertStringIncludes(stderr.trimEnd().split("\n").at(-1)!, wanted);
    }
  } finally {
    await Deno.remove(file);
  }
});

test("bench reads no file beside its own that a sweep names, unless the command line allows it", async () => {
  await inFolder(async (folder) => {
    const spec = JSON.parse(await Deno.readTextFile(`${repository}benchmarks/sweeps/smoke.json`));
    const far = `${folder}/far`, sweep = `${folder}/near/sweep.json`;
    await writeModel(`${far}/llama`, LLAMA, decoderTiny, { sharded: false });
    await Deno.mkdir(`${folder}/near`);
    // Called from elsewhere, paths mean what they say there.
    const called = { from: folder };
    const [digits, arithmetic] = spec.tasks;
    const named = {
      images: { ...digits, task: { ...digits.task, data: `${far}/images` } },
      llama: { ...arithmetic, model: { id: "llama", path: `${far}/llama` } },
    };
    for (const [name, task] of Object.entries(named)) {
      await Deno.writeTextFile(sweep, JSON.stringify({ ...spec, tasks: [task] }));
      const args = ["bench", "near/sweep.json", "--optimizers", "lora", "--out=my out", "--dry-run"];
      const { code, stdout, stderr } = await run(args, called);
      assertEquals([code, stdout], [2, ""]);
      assertMatch(
        stderr,
        new RegExp(
          `^Planning the runs\nCannot [^\n]*reading "${far}/${name}[^\n]* is not allowed, ./run bench --may-read ${far}[^\n]*\n$`,
        ),
      );
      const allowed = await run([...args, "--may-read", "far"], called);
      if (name === "llama") assertEquals(allowed.code, 0, allowed.stderr);
      // It was looked for, then.
      else assertStringIncludes(allowed.stderr, "there is no such file or folder");
    }
  });
});

// Elsewhere no variable hides the adapter.
const testOnLinux = testNeeding(PROGRAMS, Deno.build.os === "linux" ? null : "Linux");
testOnLinux("bench without an adapter says how to get one, and that it is not the user's fault", async () => {
  await inFolder(async (folder) => {
    const hidden = {
      DENO_WEBGPU_BACKEND: "vulkan",
      VK_DRIVER_FILES: "/nonexistent",
      VK_ICD_FILENAMES: "/nonexistent",
    };
    const { code, stderr } = await run([...QUICKEST, "--out", `${folder}/none`], { env: hidden });
    assertEquals(code, 1);
    assertStringIncludes(stderr, "mesa-vulkan-drivers");
    assert(!/\n\s+at /.test(stderr), stderr);
  });
});

test("bench --model begins with the weights of a folder, names them, and reports without the folder", async () => {
  await inFolder(async (folder) => {
    const out = `${folder}/out`, model = `${folder}/My_Llama v2`;
    await writeModel(model, LLAMA, decoderTiny, { sharded: true });
    const args = ["bench", "smoke", "--tasks", "arithmetic", "--optimizers", "lora", "--model", model];
    const dry = await run([...args, "--dry-run"]);
    assertEquals(dry.code, 0, dry.stderr);
    const first = await run([...args, "--out", out, "--json"]);
    assertEquals(first.code, 0, first.stderr);
    const [own] = [...(await resultsIn(out)).values()];
    const { fingerprint, ...choice } = own!.result.config.model;
    assertEquals(choice, { id: "my-llama-v2", path: model });
    assert(/^[0-9a-f]{64}$/.test(fingerprint!));
    // The same weights as those of the sweep's own model, so the same scores; nothing runs twice.
    const theirs = [...(await resultsIn((await smoke()).out)).values()].filter(({ result: { config } }) =>
      config.task.id === "arithmetic" && config.optimizer.id === "lora"
    );
    assertEquals(theirs.length, 1);
    assert(theirs[0]!.result.status === "done");
    // What a folder's weights were pre-trained on nobody knows.
    const { forgetting: _, ...outcome } = theirs[0]!.result.outcome;
    assertEquals(reproducible(own!.result), reproducible({ ...theirs[0]!.result, outcome }));
    const again = await run([...args, "--out", out, "--json"]);
    assertEquals([again.code, JSON.parse(again.stdout).runs], [0, JSON.parse(first.stdout).runs]);

    const wrong = await run([
      "bench",
      "smoke",
      "--optimizers",
      "lora",
      "--model",
      model,
      "--out",
      `${folder}/wrong`,
    ]);
    assertEquals(wrong.code, 2);
    assertStringIncludes(
      wrong.stderr,
      'Cannot train model "my-llama-v2" on task "digits": it is a decoder model',
    );
    await Deno.remove(model, { recursive: true });
    const report = await run(["report", "--out", out]);
    assertEquals(report.code, 0, report.stderr);
    const gone = await run([...args, "--out", out]);
    assertEquals(gone.code, 2);
    assertStringIncludes(gone.stderr, "there is no such folder");
  });
});
