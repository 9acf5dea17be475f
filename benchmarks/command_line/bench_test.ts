import { assert, assertEquals } from "@std/assert";
import { fakeRegistries } from "../../tests/support/fakes/registries.ts";
import { fakeBase, fakeDone, fakeEnvironment } from "../../tests/support/fakes/results.ts";
import { fakeSweep } from "../../tests/support/fakes/sweep.ts";
import { inFolder } from "../../tests/support/in_folder.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import type { RunConfig, RunResult } from "../../training/run.ts";
import type { Role } from "../sweep/folder.ts";
import { readPlan } from "../sweep/plan.ts";
import { bench, planBench } from "./bench.ts";
import { createLines } from "./display.ts";

const test = testNeeding(FILES);

/** A search among eight rates, with two methods and a seed. */
const sweep = {
  ...fakeSweep,
  name: "searching",
  tasks: fakeSweep.tasks.slice(0, 1),
  optimizers: [{ id: "lora" }, { id: "lora-pro" }].map((one) => ({
    ...one,
    learningRates: Array.from({ length: 8 }, (_, i) => 0.001 * 2 ** i),
  })),
  ranks: [2],
  seeds: [100],
  search: true as const,
};

/** A made-up run whose validation loss is least at a rate of 0.016: an edge of the first round. */
async function made(config: RunConfig): Promise<RunResult> {
  const result = await fakeDone(config), loss = Math.abs(Math.log2(config.schedule.learningRate / 0.016));
  return {
    ...result,
    outcome: { ...result.outcome, validationLoss: [{ step: config.steps, value: 1 + loss }] },
  };
}

async function benched(out: string, role: Role) {
  const ran: string[] = [], gpus = { opened: 0, closed: 0 };
  const outcome = await bench(
    await planBench({ sweep, overrides: {}, command: "./run bench …" }, fakeRegistries),
    out,
    {
      role,
      deps: {
        open() {
          gpus.opened++;
          return Promise.resolve({ [Symbol.asyncDispose]: () => Promise.resolve(void gpus.closed++) });
        },
        async train(_gpu, config) {
          ran.push(JSON.stringify(config));
          // Long enough for the others to look meanwhile.
          await new Promise((resolve) => setTimeout(resolve, 3));
          return await made(config);
        },
        scoreBase: (_gpu, config) => fakeBase(config),
        environment: () => Promise.resolve(fakeEnvironment),
      },
      display: createLines(() => {}),
      signal: new AbortController().signal,
      checkpointEveryMs: Infinity,
      say: () => {},
      pollMs: 5,
    },
  );
  return { outcome, ran, gpus };
}

test("bench() of a search by three workers makes each run once, round by round, and --report chooses as one alone", async () => {
  await inFolder(async (folder) => {
    const once = await benched(`${folder}/alone`, "whole"), out = `${folder}/shared`;
    assertEquals(once.gpus, { opened: 1, closed: 1 }, "for the base checkpoint and for every round");
    assertEquals((await benched(out, "plan")).ran, []);
    // Nothing is stored yet: nothing is chosen, and the plan stays that of all rates.
    const early = await benched(out, "report");
    assertEquals([early.ran, early.outcome.chosen, (await readPlan(out))!.runs.length], [[], null, 16]);
    const workers = await Promise.all(Array.from({ length: 3 }, () => benched(out, "worker")));
    const ran = workers.flatMap(({ ran }) => ran);
    assertEquals(ran.toSorted(), once.ran.toSorted());
    assert(ran.length > 6 && ran.length < 16, `${ran.length} runs are no search`);
    assert(workers.every(({ ran, outcome }) => ran.length > 0 && outcome.report === null));
    const late = await benched(out, "report");
    assertEquals([late.ran, late.outcome.report !== null], [[], true]);
    const chosen = (at: string) => Deno.readTextFile(`${at}/chosen.json`);
    assertEquals(await chosen(out), await chosen(`${folder}/alone`));
    assertEquals((await readPlan(out))!.runs.length, ran.length);
    assertEquals([...Deno.readDirSync(out)].some(({ name }) => name === "claims"), false);
  });
});
