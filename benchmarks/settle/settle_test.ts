import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { UserError } from "../../errors/user_error.ts";
import type { Registries } from "../../training/configuration.ts";
import type { RunConfig, RunResult } from "../../training/run.ts";
import { fakeRegistries } from "../../tests/support/fakes/registries.ts";
import { fakeDiverged, fakeDone, fakeEnvironment } from "../../tests/support/fakes/results.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import { createLines } from "../command_line/display.ts";
import { ChosenRates } from "../rates/rates.ts";
import type { Role } from "../sweep/folder.ts";
import { readPlan } from "../sweep/plan.ts";
import { openStore } from "../sweep/store.ts";
import type { SweepSpec } from "../sweep/sweep.ts";
import { answerToJson, minutesToGoOn } from "./answer.ts";
import { type Asked, askQuestion, FIRST_SEED, specOf, statedSpec } from "./question.ts";
import { settle } from "./settle.ts";
import { newFile, SettleFile } from "./settle_file.ts";

const test = testNeeding(FILES);

/** A copy of LoRA under another id, and a pool of test examples of three slices. */
const registries: Registries = {
  ...fakeRegistries,
  tasks: {
    ...fakeRegistries.tasks,
    digits: {
      ...fakeRegistries.tasks["digits"]!,
      load: async (...args) => ({ ...await fakeRegistries.tasks["digits"]!.load(...args), testPool: 150 }),
    },
  },
  optimizers: {
    ...fakeRegistries.optimizers,
    twin: { ...fakeRegistries.optimizers["lora"]!, id: "twin", title: "LoRA's twin" },
  },
};

/** How a made-up method does. */
interface Ability {
  /** Share of the examples that it gets right, on the average. */
  readonly score: number;
  /** What one seed's share varies by. */
  readonly spread?: number;
  readonly bestPeak?: number;
  readonly diverges?: (seed: number) => boolean;
}

const abilities: Readonly<Record<string, Ability>> = {
  full: { score: 0.7 },
  lora: { score: 0.5 },
  twin: { score: 0.5 },
  "lora-pro": { score: 0.5, spread: 0.08 },
  "lora-ga": { score: 0.62, spread: 0.02 },
};

/** A run that is a function of its config alone, and of nothing that only says who made it. */
async function made(config: RunConfig, able = abilities): Promise<RunResult> {
  const { id } = config.optimizer, { score, spread = 0.03, bestPeak = 1e-3, diverges } = able[id]!;
  const { seed, task: { testExamples, testSlice = 0 }, schedule: { learningRate } } = config;
  if (diverges?.(seed)) return await fakeDiverged(config);
  const done = await fakeDone(config);
  const own = createRandom(seed).fork(id === "twin" ? "lora" : id);
  const ability = score + own.normal(1, spread)[0]!;
  const luck = createRandom(testSlice).fork("examples").uniform(testExamples, 0, 1);
  const loss = 0.3 + 0.02 * Math.log2(learningRate / bestPeak) ** 2 + 0.001 * own.normal(1, 1)[0]!;
  const points = [0, 5, 10, 15, 20].map((step) => ({ step, value: loss + 2 * Math.exp(-step / 4) }));
  const scores = Array.from(luck, (value) => value < ability ? 1 : 0);
  return {
    ...done,
    outcome: {
      ...done.outcome,
      scores,
      score: scores.reduce<number>((sum, one) => sum + one, 0) / scores.length,
      testLoss: config.scoreOn === "test" ? loss * (1.5 - ability) : null,
      trainLoss: points.slice(1),
      validationLoss: points,
      cost: { ...done.outcome.cost, totalMs: 1000, scoringMs: 100 },
    },
  };
}

interface Going {
  readonly asked?: Partial<Asked>;
  readonly able?: Readonly<Record<string, Ability>>;
  /** Happens before each run. */
  readonly before?: (config: RunConfig, interruption: AbortController) => void | Promise<void>;
  readonly role?: Role;
}

/** Settles a question of digits at rank 8, with made-up runs of a second each. */
async function settled(out: string, { asked, able, before, role = "whole" }: Going = {}) {
  const whole: Asked = {
    methods: ["lora-ga", "lora"],
    tasks: ["digits"],
    ranks: [8],
    within: 0.05,
    budget: "30m",
    ...asked,
  };
  const spec = specOf(whole, registries);
  const learningRates = { lora: [0.0005, 0.001, 0.002], twin: [0.0005, 0.001, 0.002] } as Record<
    string,
    number[]
  >;
  const question = await askQuestion(
    {
      ...spec,
      optimizers: spec.optimizers.map((one) => ({
        ...one,
        learningRates: learningRates[one.id] ?? [0.0005, 0.001, 0.002],
      })),
    },
    registries,
    null,
    false,
  );
  const ran: RunConfig[] = [], said: string[] = [], interruption = new AbortController();
  const gpus = { opened: 0, closed: 0 };
  const outcome = await settle(question, out, "./run settle …", registries, {
    deps: {
      open() {
        gpus.opened++;
        return Promise.resolve({ [Symbol.asyncDispose]: () => Promise.resolve(void gpus.closed++) });
      },
      async train(_gpu, config) {
        await before?.(config, interruption);
        ran.push(config);
        return await made(config, able);
      },
      scoreBase: () => Promise.reject(new Error("no base is asked for")),
      environment: () => Promise.resolve(fakeEnvironment),
    },
    display: createLines(() => {}),
    signal: interruption.signal,
    checkpointEveryMs: Infinity,
    role,
    pollMs: 5,
    say: (sentence) => said.push(sentence),
  });
  const json = answerToJson(question, out, outcome);
  const verdicts = json.verdicts.filter(({ outcome }) => outcome === "score");
  return {
    outcome,
    ran,
    said,
    gpus,
    json,
    verdicts,
    scored: ran.filter(({ scoreOn }) => scoreOn === "test"),
  };
}

async function inFolder(work: (out: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await work(`${folder}/out`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function fileIn(out: string): Promise<SettleFile> {
  return SettleFile.parse(JSON.parse(await Deno.readTextFile(`${out}/settle.json`)));
}

test("settle() tells the better of two, after pairs with seeds and examples of their own", async () => {
  await inFolder(async (out) => {
    const { outcome, ran, scored, verdicts, json, gpus } = await settled(out);
    const [found] = verdicts;
    // What it compiled for the first round is there for the others.
    assertEquals(gpus, { opened: 1, closed: 1 });
    assertEquals([found!.verdict, found!.of, found!.against], ["better", "lora-ga", "lora"]);
    const [low, high] = found!.interval!;
    assert(low! > 0 && low! < 0.12 && 0.12 < high!, `${low} to ${high}`);
    assertEquals(scored.length, 2 * found!.pairs);
    const keys = scored.map(({ seed, task }) => [seed, task.testSlice ?? 0]);
    assertEquals(keys, scored.map((_, i) => [FIRST_SEED + Math.floor(i / 2), Math.floor(i / 2)]));
    // Rates are chosen with other seeds, on other examples.
    const tuning = ran.filter(({ scoreOn }) => scoreOn === "validation");
    assertEquals(new Set(tuning.map(({ seed }) => seed)), new Set([900, 901, 902]));
    assertEquals(tuning.length, 2 * 3 * 3);
    assertEquals(outcome.answer.length, 4);
    assertStringIncludes(
      outcome.answer[0]!,
      "LoRA-GA is better than LoRA on Shifted digits at rank 8: by 0.153 (",
    );
    assertStringIncludes(outcome.answer[1]!, "test loss");
    assertStringIncludes(outcome.answer[2]!, "LoRA-GA 0.001, next 5e-4 with");
    assertStringIncludes(outcome.answer[3]!, "More pairs change nothing any more");
    assertStringIncludes(
      outcome.answer[3]!,
      "150 test examples of Shifted digits come round again after pair 3",
    );
    assertEquals(json.minutes, Number((ran.length / 60).toFixed(2)));
    const page = await Deno.readTextFile(`${out}/report/index.html`);
    assertStringIncludes(page, "LoRA-GA is better than LoRA");
    assert(!page.includes("Verdicts are corrected in families"), "a verdict of another rule stands beside");
    assertEquals((await fileIn(out)).answer, [...outcome.answer]);
    // Another sweep takes the rates from here.
    const chosen = ChosenRates.parse(JSON.parse(await Deno.readTextFile(`${out}/chosen.json`)));
    assertEquals(chosen.rates.map(({ optimizer, learningRate }) => [optimizer, learningRate]), [[
      "lora-ga",
      1e-3,
    ], [
      "lora",
      1e-3,
    ]]);
  });
});

test("settle() tells a higher loss by how much higher it is", async () => {
  await inFolder(async (out) => {
    const { outcome, json } = await settled(out, { asked: { methods: ["lora", "full"] } });
    assertStringIncludes(outcome.answer[0]!, "LoRA is worse than Full fine-tuning");
    const [, low, high] = /test loss \d+% higher \((\d+)% to (\d+)%\): worse/.exec(outcome.answer[1]!)!;
    assert(Number(low) < Number(high), outcome.answer[1]);
    const { interval } = json.verdicts.find(({ outcome }) => outcome === "log loss")!;
    assertEquals(Math.round(100 * Math.expm1(-interval![0]!)), Number(high));
  });
});

test("settle() writes question, looks and bounds before the first run, and rates before the first that is scored", async () => {
  await inFolder(async (out) => {
    const seen: Record<string, SettleFile> = {};
    await settled(out, {
      before: async ({ scoreOn }) => void (seen[scoreOn] ??= await fileIn(out)),
    });
    const { validation, test } = seen;
    assertEquals([validation!.choices, test!.choices!.length, test!.answer], [null, 2, null]);
    assertEquals(validation!.agreed, test!.agreed);
    assertEquals([test!.agreed.within, test!.agreed.level, test!.agreed.firstSeed], [0.05, 0.05, 1000]);
    assertEquals(test!.agreed.cells[0]!.bounds.differ[0], 7.704);
  });
});

test("settle() finds two that differ by little the same, and a method and its copy identical after four pairs", async () => {
  await inFolder(async (out) => {
    const { verdicts: [same] } = await settled(out, {
      asked: { methods: ["lora-ga", "lora"], within: 0.3 },
    });
    assertEquals(same!.verdict, "same");
  });
  await inFolder(async (out) => {
    const { verdicts: [twin], outcome, json } = await settled(out, { asked: { methods: ["twin", "lora"] } });
    assertEquals([twin!.verdict, twin!.pairs, twin!.difference], ["identical", 4, 0]);
    assertStringIncludes(outcome.answer[0]!, "LoRA's twin and LoRA are identical");
    assertEquals(json.verdicts.map(({ verdict }) => verdict), ["identical", "identical"]);
  });
});

test("settle() gives what is decided no more runs, and the rest its time; several share the level", async () => {
  await inFolder(async (out) => {
    const { verdicts, scored, outcome } = await settled(out, {
      asked: { methods: ["full", "lora-pro"], against: "lora", within: 0.05, budget: "60s" },
    });
    const [full, pro] = verdicts;
    assertEquals([full!.verdict, full!.against, pro!.verdict], ["better", "lora", "undecided"]);
    const count = (id: string) => scored.filter(({ optimizer }) => optimizer.id === id).length;
    assertEquals([count("full"), count("lora-pro"), count("lora")], [full!.pairs, pro!.pairs, pro!.pairs]);
    assertGreater(pro!.pairs, full!.pairs);
    assertEquals((await fileIn(out)).agreed.cells[0]!.bounds.differ[0], 9.778);
    assertLess(outcome.usedMs, 60_000);
    assertGreater(pro!.more!, 0);
    assertStringIncludes(outcome.answer[3]!, `about ${pro!.more} more pairs`);
    assertStringIncludes(outcome.answer[3]!, "--budget");
  });
});

test("settle() that is stopped, killed or short of time goes on to the same verdicts, and repeats no run", async () => {
  const asked = { methods: ["lora-ga", "lora-pro", "lora"], within: 0.04 };
  await inFolder(async (whole) => {
    const once = await settled(whole, { asked });
    await inFolder(async (parts) => {
      let ran = 0, first: string | null = null;
      const short = await settled(parts, { asked: { ...asked, budget: "30s" } });
      ran += short.ran.length;
      assertEquals(short.verdicts.map(({ verdict }) => verdict), ["undecided", "undecided"]);
      for (let stop = 3; ran < once.ran.length; stop += 2) {
        let left = stop;
        const part = await settled(parts, {
          asked,
          before: (_, interruption) => left-- === 0 ? interruption.abort() : undefined,
        });
        ran += part.outcome.interrupted ? part.ran.length - 1 : part.ran.length;
        assertEquals(part.outcome.report === null, part.outcome.interrupted);
        // Whatever was decided once stays as it was told.
        const told = part.verdicts.filter(({ verdict }) => verdict !== "undecided");
        for (const one of told) {
          assert(once.verdicts.some((other) => JSON.stringify(other) === JSON.stringify(one)));
        }
        first ??= JSON.stringify((await fileIn(parts)).agreed);
        assertEquals(JSON.stringify((await fileIn(parts)).agreed), first);
      }
      assertEquals(ran, once.ran.length);
      const again = await settled(parts, { asked: { ...asked, budget: "10h" } });
      assertEquals(again.ran, []);
      assertEquals(again.verdicts, once.verdicts);
      assertEquals(again.outcome.answer, once.outcome.answer);
    });
  });
});

test("settle() shared by three makes each run once, for the answer of one alone; a worker needs what was begun", async () => {
  await inFolder(async (alone) => {
    const once = await settled(alone);
    await inFolder(async (out) => {
      await assertRejects(() => settled(out, { role: "worker" }), UserError, "no question was begun there");
      assertEquals((await settled(out, { role: "plan" })).ran, []);
      assertEquals((await fileIn(out)).agreed, (await fileIn(alone)).agreed);
      // Long enough for the others to look meanwhile.
      const before = () => new Promise<void>((resolve) => setTimeout(resolve, 3));
      const all = await Promise.all(
        (["worker", "worker", "whole"] as const).map((role) => settled(out, { role, before })),
      );
      const made = all.flatMap(({ ran }) => ran.map((config) => JSON.stringify(config)));
      assertEquals([made.length, new Set(made).size], [once.ran.length, once.ran.length]);
      assert(all.every(({ ran }) => ran.length > 0), "one has made all");
      assertEquals(all.map(({ outcome }) => outcome.report === null), [true, true, false]);
      assertEquals(all.map(({ outcome }) => outcome.answer), all.map(() => once.outcome.answer));
      const late = await settled(out, { role: "report" });
      assertEquals([late.ran, late.outcome.answer], [[], once.outcome.answer]);
      assertEquals((await fileIn(out)).answer, [...once.outcome.answer]);
    });
  });
});

test("settle() writes its question with every rate stated: it is the same one where other rates ship", async () => {
  await inFolder(async (out) => {
    const asked = {
      methods: ["lora-pro", "lora"],
      tasks: ["digits"],
      ranks: [8],
      within: 0.05,
      budget: "20s",
      atLeast: 6,
    };
    const { outcome } = await settled(out, { asked });
    const question = await askQuestion((await readPlan(out))!.asks!, registries, null, false);
    assertEquals(newFile(question).agreed, (await fileIn(out)).agreed);

    const chosen = ChosenRates.parse(JSON.parse(await Deno.readTextFile(`${out}/chosen.json`)));
    const others = { ...chosen, rates: chosen.rates.map((rate) => ({ ...rate, learningRate: 0.01 })) };
    const ask = async (spec: SweepSpec, rates: ChosenRates) =>
      await askQuestion(spec, registries, rates, false);
    const usual = await ask(specOf(asked, registries), chosen);
    const elsewhere = await ask(statedSpec(usual)!, others);
    assertEquals(newFile(elsewhere).agreed, newFile(usual).agreed);
    assertNotEquals(newFile(await ask(usual.spec, others)).agreed, newFile(usual).agreed);

    // It had time for rates alone.
    assertEquals(outcome.judged.map(({ standing }) => standing.score.verdict), ["undecided"]);
    const minutes = minutesToGoOn(question, outcome)!;
    assertGreater(minutes * 60, 20);
    const more = await settled(out, { asked: { ...asked, budget: "2h" } });
    assertEquals(more.outcome.judged.map(({ standing }) => standing.score.verdict), ["same"]);
    assertEquals(minutesToGoOn(question, more.outcome), null);
  });
});

test("settle() refuses a folder in which another question was begun", async () => {
  await inFolder(async (out) => {
    await settled(out);
    for (const asked of [{ within: 0.02 }, { methods: ["lora-pro", "lora"] }, { ranks: [4] }]) {
      await assertRejects(() => settled(out, { asked }), UserError, "another question was begun there");
    }
    await Deno.writeTextFile(`${out}/settle.json`, "{");
    await assertRejects(() => settled(out), UserError, "settle.json: it is not whole JSON");
  });
});

test("settle() counts runs that diverge as chance, and names them and pairs that lie far from the others", async () => {
  await inFolder(async (out) => {
    const able = {
      ...abilities,
      "lora-ga": { ...abilities["lora-ga"]!, diverges: (seed: number) => seed === 1002 },
    };
    const { outcome, json } = await settled(out, { able });
    const pair = json.scores[0]!.pairs.find(({ seed }) => seed === 1002)!;
    assertEquals(pair.ours.toFixed(6), "0.100000");
    assertStringIncludes(outcome.answer[3]!, "Diverged, counted as chance: LoRA-GA with seed 1002");
    assertStringIncludes(outcome.answer[3]!, "Pairs far from the others, counted like them: seeds 1002");
  });
});

test("settle() widens a grid whose best rate is at its edge, and takes no rate at which a run diverged", async () => {
  await inFolder(async (out) => {
    const able = {
      ...abilities,
      "lora-ga": { ...abilities["lora-ga"]!, bestPeak: 0.008 },
      lora: { ...abilities["lora"]!, bestPeak: 0.002, diverges: (seed: number) => seed === 901 },
    };
    const { json, ran } = await settled(out, { able });
    const [ga, lora] = json.rates!;
    assertEquals([ga!.learningRate, ga!.atEdge], [0.008, false]);
    const tried = new Set(
      ran.filter(({ scoreOn, optimizer }) => scoreOn === "validation" && optimizer.id === "lora-ga")
        .map(({ schedule }) => schedule.learningRate),
    );
    assertEquals([...tried].sort(), [0.0005, 0.001, 0.002, 0.004, 0.008, 0.016]);
    assert([0.004, 0.016].includes(ga!.runnerUp!));
    // One seed diverges at every rate: the first is taken, and nothing is said of a lead.
    assertEquals([lora!.atEdge, lora!.lead], [true, null]);
  });
});

test("settle() ends where a run fails, judges nothing by it, and goes on where it is mended", async () => {
  await inFolder(async (out) => {
    const broken = await settled(out, {
      before: ({ seed, optimizer }) => {
        if (seed === 1001 && optimizer.id === "lora") throw new Error("Cannot go on: the device was lost");
      },
    });
    assertEquals([broken.json.failed, broken.verdicts[0]!.verdict, broken.verdicts[0]!.pairs], [
      1,
      "undecided",
      1,
    ]);
    assertStringIncludes(broken.outcome.answer.at(-1)!, "1 run failed, the same command makes it again");
    const mended = await settled(out);
    assertEquals([mended.json.failed, mended.verdicts[0]!.verdict], [0, "better"]);
  });
});

test("settle() shows watchers the runs of its stage, and leaves those of its answer to the report", async () => {
  await inFolder(async (out) => {
    const stages = new Map<string, number>();
    await settled(out, {
      before: async ({ scoreOn }) => void stages.set(scoreOn, (await readPlan(out))!.runs.length),
    });
    assertEquals(stages.get("validation"), 18);
    const { results } = await openStore(out).read(), plan = (await readPlan(out))!;
    assertEquals(plan.runs.every(({ id, config }) => results.has(id) && config.scoreOn === "test"), true);
    assertEquals(stages.get("test"), plan.runs.length);
    assertEquals(plan.rates.length, 2);
  });
});

test("settle() fixes its choice of rates only once the file for others has it", async () => {
  await inFolder(async (out) => {
    await Deno.mkdir(`${out}/chosen.json`, { recursive: true });
    await assertRejects(() => settled(out), UserError, "Cannot write");
    assertEquals((await fileIn(out)).choices, null);
    await Deno.remove(`${out}/chosen.json`);
    await settled(out);
    assert((await Deno.stat(`${out}/chosen.json`)).isFile);
  });
});

test("settle() leaves an answer's plan as it is, whoever comes after it", async () => {
  await inFolder(async (out) => {
    await settled(out);
    const [plan, file] = [await readPlan(out), await fileIn(out)];
    assertEquals((await settled(out, { role: "worker" })).ran, []);
    assertEquals([await readPlan(out), await fileIn(out)], [plan, file]);
  });
});

Deno.test("askQuestion() refuses sweeps that can't be settled", async () => {
  const spec = specOf({
    methods: ["lora", "full"],
    tasks: ["digits"],
    ranks: [8],
    within: 0.02,
    budget: "1m",
  }, registries);
  const { settle: _, ...plain } = spec;
  const cases = [
    [plain, 'it has no "settle"'],
    [{ ...spec, seeds: [1000] }, "1000 is the first that is scored"],
    [{ ...spec, base: { ...spec.base, scoreOn: "validation" as const } }, '"test" is needed'],
    [{ ...spec, settle: { ...spec.settle!, against: "lora-pro" } }, "none of its methods"],
    [{ ...spec, optimizers: spec.optimizers.slice(0, 1) }, "has nothing to be compared with"],
    [{ ...spec, search: true }, "is for sweeps of another kind"],
  ] as const;
  for (const [one, sentence] of cases) {
    await assertRejects(
      () => askQuestion(structuredClone(one) as SweepSpec, registries, null, false),
      UserError,
      sentence,
    );
  }
  // Varied fields: methods at each value, or of one method the values.
  const varied = await askQuestion({ ...spec, vary: { batchSize: [4] } }, registries, null, false);
  const told = ({ cells }: typeof varied) =>
    cells.map(({ title, contenders }) => [title, ...contenders.map(({ name }) => name)]);
  assertEquals(told(varied), [["Shifted digits", "lora", "full"], [
    "Shifted digits, batch size 4",
    "lora",
    "full",
  ]]);
  const one = { ...spec, optimizers: [{ id: "lora" }], vary: { alpha: [4] } };
  assertEquals(told(await askQuestion(one, registries, null, false)), [[
    "Shifted digits",
    "lora",
    "lora, alpha 4",
  ]]);
  const { notes, cells } = await askQuestion(spec, registries, null, false);
  assertEquals(notes.length, 2);
  assertEquals(cells[0]!.contenders[0]!.rates, [5e-4, 1e-3, 2e-3]);
});
