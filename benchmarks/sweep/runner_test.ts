import { assert, assertEquals, assertRejects } from "@std/assert";
import { resolveRuns } from "../../training/resolve/resolve.ts";
import type { RunConfig, RunResult } from "../../training/run.ts";
import { UserError } from "../../errors/user_error.ts";
import {
  fakeBase,
  fakeDiverged,
  fakeDone,
  fakeEnvironment,
  fakeFailed,
} from "../../tests/support/fakes/results.ts";
import { fakePlan, fakeSweep } from "../../tests/support/fakes/sweep.ts";
import { Forecast } from "../cost/estimate.ts";
import { fakeRegistries } from "../../tests/support/fakes/registries.ts";
import { createLines } from "../command_line/display.ts";
import { countRuns } from "../cost/run_work.ts";
import { type RunDeps, runSweep } from "./runner.ts";
import type { Claims } from "./claims.ts";
import type { Sharing } from "./queue.ts";
import type { Store } from "./store.ts";

const { runs } = await fakePlan({ ...fakeSweep, tasks: [fakeSweep.tasks[0]!], ranks: [2], seeds: [0] });

const forecast = new Forecast(
  await countRuns(await resolveRuns(runs.map(({ config }) => config), fakeRegistries)),
);

class FakeGpu implements AsyncDisposable {
  closed = false;
  [Symbol.asyncDispose](): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }
}

/** A made-up sweep: keeps what happened. */
function stage(train: (config: RunConfig) => Promise<RunResult>) {
  const gpus: FakeGpu[] = [], trained: string[] = [], stored: RunResult[] = [], lines: string[] = [];
  const deps: RunDeps<FakeGpu> = {
    open() {
      gpus.push(new FakeGpu());
      return Promise.resolve(gpus.at(-1)!);
    },
    async train(gpu, config, { onProgress }) {
      assert(!gpu.closed);
      trained.push(config.optimizer.id);
      onProgress({
        phase: "training",
        step: 1,
        steps: config.steps,
        loss: 2,
        trainLoss: [{ step: 1, value: 2 }],
        validationLoss: [],
        discrepancies: [],
      });
      return await train(config);
    },
    scoreBase: (_gpu, config) => fakeBase(config),
    environment: () => Promise.resolve(fakeEnvironment),
  };
  const store: Store = {
    folder: "",
    read: () => Promise.reject(new Error("not needed")),
    names: () => Promise.resolve(new Set(stored.map(({ id }) => id))),
    has: (id) => Promise.resolve(stored.some((result) => result.id === id)),
    renew: () => Promise.resolve(),
    find: (id) => Promise.resolve(stored.findLast((result) => result.id === id) ?? null),
    put(result) {
      stored.push(result);
      return Promise.resolve();
    },
    setAside: () => Promise.reject(new Error("not needed")),
  };
  const interruption = new AbortController();
  const go = (earlier: readonly RunResult[] = [], sharing: Sharing | null = null) =>
    runSweep(
      runs,
      store,
      { results: new Map(earlier.map((result) => [result.id, result])), faults: [], setAside: [] },
      deps,
      createLines((line) => lines.push(line), { every: 0 }),
      { signal: interruption.signal, forecast, sharing },
    );
  return { go, gpus, trained, stored, lines, interruption };
}

Deno.test("runSweep() runs in order, stores each run and closes the GPU", async () => {
  const { go, gpus, trained, stored } = stage(fakeDone);
  const outcome = await go();
  assertEquals(trained, ["full", "lora", "lora-ga", "lora-pro"]);
  assertEquals(stored.map(({ id }) => id), runs.map(({ id }) => id));
  assertEquals([outcome.ran, outcome.interrupted, outcome.results.size], [4, false, 4]);
  assertEquals(gpus.map((gpu) => gpu.closed), [true]);
});

Deno.test("runSweep() repeats failed runs, but no finished or diverged ones", async () => {
  const { go, trained } = stage(fakeDone);
  const [full, lora, loraGa] = runs.map(({ config }) => config);
  const outcome = await go([await fakeDone(full!), await fakeDiverged(lora!), await fakeFailed(loraGa!)]);
  assertEquals(trained, ["lora-ga", "lora-pro"]);
  assertEquals(outcome.results.get(runs[2]!.id)!.status, "done");
});

Deno.test("runSweep() takes what is stored for the result of a run that another took over and ended first", async () => {
  const theirs: RunResult = {
    ...await fakeDone(runs[0]!.config),
    environment: { ...fakeEnvironment, commit: "theirs" },
  };
  const { go, stored } = stage((config) => {
    if (config.optimizer.id === "full") stored.push(theirs);
    return fakeDone(config);
  });
  const claim = () => Promise.resolve({ release: () => Promise.resolve() });
  const claims: Claims = {
    take: claim,
    await: claim,
    takeNew: claim,
    held: () => Promise.resolve(new Set<string>()),
    forget: () => Promise.resolve(),
    end() {},
  };
  const { results } = await go([], { claims, waits: false });
  assertEquals(stored.length, runs.length);
  assertEquals(results.get(theirs.id)!.environment.commit, "theirs");
});

Deno.test("runSweep() opens no GPU where nothing is left to do", async () => {
  const { go, gpus, lines } = stage(fakeDone);
  await go(await Promise.all(runs.map(({ config }) => fakeDone(config))));
  assertEquals(gpus.length, 0);
  assertEquals(lines, ["All 4 runs are stored already"]);
});

Deno.test("runSweep() stores a fault as failed and goes on with a new GPU", async () => {
  const { go, gpus, stored } = stage((config) =>
    config.optimizer.id === "lora"
      ? Promise.reject(new Error("Cannot go on: the device was lost"))
      : fakeDone(config)
  );
  await go();
  assertEquals(stored.map(({ status }) => status), ["done", "failed", "done", "done"]);
  const failed = stored[1]!;
  assertEquals(failed.status === "failed" && failed.error, "Cannot go on: the device was lost");
  assertEquals(gpus.map((gpu) => gpu.closed), [true, true]);
});

Deno.test("runSweep() stores a result that isn't one as failed", async () => {
  const { go, stored } = stage(async (config) => {
    const result = await fakeDone(config);
    return { ...result, outcome: { ...result.outcome, score: NaN } };
  });
  await go();
  assertEquals(stored.map(({ status }) => status), ["failed", "failed", "failed", "failed"]);
});

Deno.test("runSweep() ends with what only the user can mend", async () => {
  const { go, gpus, stored } = stage(() => Promise.reject(new UserError("Cannot read x.safetensors")));
  await assertRejects(go, UserError, "x.safetensors");
  assertEquals(stored, []);
  assertEquals(gpus[0]!.closed, true);
});

Deno.test("runSweep() gives up the run at work where it is interrupted", async () => {
  const staged = stage((config) => {
    if (config.optimizer.id !== "lora") return fakeDone(config);
    staged.interruption.abort();
    return new Promise(() => {});
  });
  const outcome = await staged.go();
  assertEquals(outcome.interrupted, true);
  assertEquals(staged.stored.map(({ config }) => config.optimizer.id), ["full"]);
});
