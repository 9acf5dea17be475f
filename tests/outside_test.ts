/**
 * @file The examples of the docs as files of a reader's own, in an empty folder outside the repository: they are checked,
 * listed, compared, tuned and reported by `./run`, and what they compute is what float64 says.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { assertClose } from "../contract/assert_close.ts";
import type { OptimizerModule } from "../optimizers/optimizer.ts";
import { loadModules } from "../training/resolve/modules.ts";
import {
  add,
  fromFloat32,
  type Matrix,
  multiply,
  scale as times,
  subtract,
  transpose,
  zeros,
} from "./reference/matrix.ts";
import { type AdamMoments, adamwStep } from "./reference/network.ts";
import { examplesOf } from "./support/docs_examples.ts";
import { inFolder } from "./support/in_folder.ts";
import { freshProblem, onQuadratics, scaledOptions } from "./support/low_rank_problems.ts";
import { PROGRAMS, testNeeding } from "./support/test_needing.ts";

const test = testNeeding(PROGRAMS);

const project = new URL("../", import.meta.url).pathname;

/** What `./run` says, called from a folder. */
async function run(cwd: string, ...args: string[]) {
  const command = new Deno.Command("sh", { args: [`${project}run`, ...args], cwd, env: { NO_COLOR: "1" } });
  const { code, stdout, stderr } = await command.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

/** `./run check` without a look at types, which docs_test.ts has for all examples at once. */
async function check(cwd: string, file: string, ...args: string[]) {
  const words = [
    "run",
    "--no-prompt",
    "--allow-read",
    `${project}cli.ts`,
    "check",
    `${cwd}/${file}`,
    ...args,
  ];
  const { code, stdout, stderr } = await new Deno.Command("deno", { args: words, cwd: project }).output();
  return { code, out: new TextDecoder().decode(stdout), err: new TextDecoder().decode(stderr) };
}

const small = ["--steps", "3", "--ranks", "2", "--seeds", "0"];

test("docs: methods in files outside the repository are checked, listed, compared and reported by one command each", async () => {
  const [middle, randomXs] = await examplesOf("adding-a-method.md");
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/middle.ts`, middle!);
    await Deno.writeTextFile(`${folder}/random_xs.ts`, randomXs!);
    for (
      const checked of [
        await run(folder, "check", "./middle.ts"),
        await check(folder, "random_xs.ts", "--rank", "8"),
      ]
    ) {
      const { code, out, err } = checked;
      assertEquals(code, 0, `${out}${err}`);
      const [, held, of] = /^(\d+) of (\d+) promises hold$/m.exec(out)!;
      assert(Number(held) >= 16 && held === of, out);
    }
    const both = ["--with", "./middle.ts", "--with", "./random_xs.ts", "--tasks", "digits", ...small];
    const three = [...both, "--optimizers", "lora,middle,random-xs"];
    const list = JSON.parse((await run(folder, "bench", "--list", "--json", "--with", "./middle.ts")).out);
    assertEquals(list.optimizers.at(-1), { id: "middle", title: "Middle PiSSA" });
    const dry = JSON.parse(
      (await run(folder, "bench", "smoke", ...three, "--dry-run", "--json", "--out", "out")).out,
    );
    assertEquals(dry.counts, { total: 3, finished: 0, left: 3 });
    const ran = await run(folder, "bench", "smoke", ...three, "--json", "--out", "out");
    assertEquals(ran.code, 0, ran.err);
    assertEquals(JSON.parse(ran.out).counts, { total: 3, done: 3, diverged: 0, failed: 0, left: 0 });
    const page = `${folder}/out/report/index.html`, first = await Deno.readTextFile(page);
    for (const name of ["Middle PiSSA", "LoRA-XS, random"]) assertStringIncludes(first, name);

    // The report needs the files no more, and a sweep says which it lacks.
    await Deno.remove(`${folder}/middle.ts`);
    const again = await run(folder, "report", "--out", "out");
    assertEquals(again.code, 0, again.err);
    for (const name of ["Middle PiSSA", "LoRA-XS, random"]) {
      assertStringIncludes(await Deno.readTextFile(page), name);
    }
    const gone = await run(folder, "bench", "smoke", ...three, "--out", "out");
    assertEquals([gone.code, gone.err.trim().split("\n").length], [2, 1], gone.err);
    assertStringIncludes(gone.err, "middle.ts");
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["out", "random_xs.ts"]);
  });
});

test("docs: a task in a file outside the repository is checked, planned with its settings, and run", async () => {
  const [file] = await examplesOf("adding-a-task.md");
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/backward_sums.ts`, file!);
    const checked = await check(folder, "backward_sums.ts");
    assertEquals(checked.code, 0, `${checked.out}${checked.err}`);
    const own = [
      "--with",
      "./backward_sums.ts",
      "--tasks",
      "backward-sums",
      "--learning-rates",
      "1e-3",
      "--out",
      "out",
    ];
    const dry = await run(folder, "bench", "paper", ...own, "--dry-run", "--json");
    const { config: { task, steps, model } } = JSON.parse(dry.out).runs[0];
    assertEquals([task.trainExamples, steps, model.id], [2000, 100, "decoder-tiny"]);
    const amounts = ["--examples", "32,8,8", "--optimizers", "lora", "--json"];
    const ran = await run(folder, "bench", "smoke", ...own, ...small, ...amounts);
    assertEquals(ran.code, 0, ran.err);
    assertEquals(JSON.parse(ran.out).counts, { total: 1, done: 1, diverged: 0, failed: 0, left: 0 });
    assertStringIncludes(
      await Deno.readTextFile(`${folder}/out/report/index.html`),
      "Sums answered backwards",
    );
  });
});

test("docs: a model in a file outside the repository is checked, and a sweep's file trains it on a task", async () => {
  const [file] = await examplesOf("models.md");
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/decoder_narrow.ts`, file!);
    const checked = await check(folder, "decoder_narrow.ts");
    assertEquals(checked.code, 0, `${checked.out}${checked.err}`);
    const smoke = JSON.parse(await Deno.readTextFile(`${project}benchmarks/sweeps/smoke.json`));
    const tasks = [{ ...smoke.tasks[1], model: { id: "decoder-narrow" } }];
    const sweep = {
      ...smoke,
      name: "narrow",
      tasks,
      optimizers: [{ id: "lora" }],
      with: ["decoder_narrow.ts"],
    };
    await Deno.writeTextFile(`${folder}/narrow.json`, JSON.stringify(sweep));
    const ran = await run(folder, "bench", "./narrow.json", "--out", "out", "--json");
    assertEquals(ran.code, 0, ran.err);
    const { counts, runs: [{ id }] } = JSON.parse(ran.out);
    assertEquals(counts, { total: 1, done: 1, diverged: 0, failed: 0, left: 0 });
    const { config } = JSON.parse(await Deno.readTextFile(`${folder}/out/runs/${id}.json`));
    assertEquals(config.model.module.path, `${folder}/decoder_narrow.ts`);
  });
});

/** The method of a file of the docs. */
async function methodOf(example: string): Promise<OptimizerModule> {
  return await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/method.ts`, example);
    return Object.values((await loadModules([`${folder}/method.ts`])).optimizers)[0]!;
  });
}

test("docs: a trained factor between frozen ones is float64's W + s B R A, with R alone trained", async () => {
  const [, example] = await examplesOf("adding-a-method.md"), module = await methodOf(example!);
  for (const [rows, columns, rank, scale] of [[9, 14, 1, 2], [14, 9, 3, 0.5], [12, 12, 12, 1]] as const) {
    const { base, target } = freshProblem(rows, columns, rank, 31), rate = 0.02;
    let r: Matrix = zeros(rank, rank), moments: AdamMoments | undefined;
    const label = `${rows} x ${columns}, rank ${rank}`;
    await onQuadratics(module, scaledOptions(rank, scale), [{ base, target }], async (run, gpu) => {
      const { trainable, state } = run.optimizer;
      assertEquals(trainable.map(({ name }) => name), ["map 0.R"], label);
      assertEquals(
        state.map(({ name }) => name),
        ["map 0.A", "map 0.B", "map 0.R.m", "map 0.R.v"],
        label,
      );
      const [a, b] = (await gpu.downloadAll([state[0]!.value, state[1]!.value])).map((data, i) =>
        i === 0 ? fromFloat32(data, rank, columns) : fromFloat32(data, rows, rank)
      ) as [Matrix, Matrix];
      const weight = () => add(base, multiply(multiply(b, r), a), scale);
      assertClose((await run.readOne()).weight.data, base.data, { relative: 1e-6 }, `start of ${label}`);
      for (let step = 1; step <= 5; step++) {
        const gradient = subtract(weight(), target);
        const ofR = times(multiply(multiply(transpose(b), gradient), transpose(a)), scale);
        const [found] = await run.gradients();
        const equivalent = times(multiply(multiply(b, ofR), a), scale);
        assertClose(found!.equivalent.data, equivalent.data, { relative: 1e-5 }, `g̃ of ${label}`);
        const next = adamwStep(r, ofR, moments, { learningRate: rate, weightDecay: 0, epsilon: 1e-8 });
        [r, moments] = [next.parameter, next.moments];
        await run.step(step, rate);
        const { weight: taken } = await run.readOne();
        assertClose(taken.data, weight().data, { relative: 1e-5 }, `step ${step} of ${label}`);
      }
    });
  }
});
