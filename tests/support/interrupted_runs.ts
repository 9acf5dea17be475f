/**
 * @file Runs that are interrupted and go on, for tests. Run by itself, as `deno run … interrupted_runs.ts FOLDER STEPS`, it is
 * the new process in which all methods go on from the checkpoints below FOLDER, are interrupted after these steps, and go on
 * again; it prints what they found, by method.
 */
import { type Gpu, openGpu } from "../../gpu/gpu.ts";
import { baseWeights } from "../../models/base_weights.ts";
import * as optimizers from "../../optimizers/mod.ts";
import type { Optimizer, OptimizerModule } from "../../optimizers/optimizer.ts";
import { Interrupted } from "../../training/checkpoint/interrupted.ts";
import { fromExactJson, toExactJson } from "../../training/checkpoint/exact_json.ts";
import type { TrainHooks } from "../../training/loop/progress.ts";
import { type RunParts, runSession, type Session } from "../../training/loop/session.ts";
import { resolveRun } from "../../training/resolve/resolve.ts";
import type { RunConfig } from "../../training/run.ts";
import { withShipped } from "../../training/shipped.ts";

/** All that ship. */
export const methods = Object.values(optimizers) as unknown as readonly OptimizerModule[];

/** Twelve steps with three windows, telemetry at four of them, four validations and a score. */
export function shortRun({ id, defaults }: OptimizerModule, changes: Partial<RunConfig> = {}): RunConfig {
  return {
    schema: 1,
    task: { id: "digits", trainExamples: 40, validationExamples: 12, testExamples: 10 },
    model: { id: "vit-tiny" },
    targetModules: ["layers.0.self_attn.v_proj", "layers.1.mlp.fc2"],
    optimizer: { id, options: "rank" in defaults ? { rank: 2 } : {} },
    steps: 12,
    batchSize: 5,
    accumulate: 1,
    schedule: { kind: "cosine", learningRate: 1e-3, warmup: 1, floor: 0.1 },
    clip: 1,
    validateEvery: 5,
    telemetryEvery: 7,
    scoreOn: "test",
    seed: 3,
    ...changes,
  };
}

/** A config with what it names. */
export interface PreparedRun {
  readonly config: RunConfig;
  readonly parts: RunParts;
}

/** Looks a run up once: each of its sessions takes the same. */
export async function prepareRun(
  module: OptimizerModule,
  changes: Partial<RunConfig> = {},
): Promise<PreparedRun> {
  const { config, task, model } = await resolveRun(
    shortRun(module, changes),
    withShipped(methods.includes(module) ? {} : { optimizers: { module } }),
  );
  return { config, parts: { task, entry: model, module, source: await baseWeights(model) } };
}

/** The method, with something that happens after each of its steps. */
export function withSteps(
  module: OptimizerModule,
  after: (step: number, optimizer: Optimizer) => void | Promise<void>,
): OptimizerModule {
  return {
    ...module,
    async attach(setup, options) {
      const optimizer = await module.attach(setup, options);
      return {
        ...optimizer,
        async step(gradients, at) {
          await optimizer.step(gradients, at);
          await after(at.step, optimizer);
        },
      };
    },
  };
}

/**
 * One session of a run, which is asked to stop during step `last` and goes on from the checkpoints in `folder`. Null where it
 * was interrupted.
 */
export async function session(
  gpu: Gpu,
  { config, parts }: PreparedRun,
  { folder, last = Infinity, everyMs = Infinity, say = () => {}, ...hooks }: TrainHooks & {
    readonly folder: string;
    readonly last?: number;
    readonly everyMs?: number;
    readonly say?: (sentence: string) => void;
  },
): Promise<Session | null> {
  const interruption = new AbortController();
  const module = withSteps(parts.module, (step) => {
    if (step >= last) interruption.abort();
  });
  try {
    return await runSession(gpu, config, { ...parts, module }, {
      signal: interruption.signal,
      ...hooks,
      checkpoints: { folder, everyMs, say },
    });
  } catch (error) {
    if (error instanceof Interrupted) return null;
    throw error;
  }
}

/** What must not depend on when, how fast and in how many pieces a run was made. */
export function findings({ cost, earlierMs: _, ...found }: Session): unknown {
  const { attachMs: _a, medianStepMs: _b, medianHostMs: _c, scoringMs: _d, onlyFirstWindow: _e, ...bytes } =
    cost;
  return { ...found, bytes };
}

/** The first step after which runs go on in a new process. */
const NEW_PROCESS = 8;

/**
 * Interrupts a run of each method after the given ones of its 12 steps, and lets it go on each time, from step 8 on in a new
 * process. Returns what was found undisturbed and what was found so, by method, and what was said of each.
 */
export async function interruptAll(gpu: Gpu, folder: string, stops: readonly number[]): Promise<{
  readonly wanted: Readonly<Record<string, unknown>>;
  readonly found: Readonly<Record<string, unknown>>;
  readonly said: ReadonlyMap<string, readonly string[]>;
}> {
  const wanted: Record<string, unknown> = {}, said = new Map<string, readonly string[]>();
  for (const module of methods) {
    const run = await prepareRun(module), sentences: string[] = [];
    wanted[module.id] = fromExactJson(
      toExactJson(findings(await runSession(gpu, run.config, run.parts, {}))),
    );
    const own = { folder: `${folder}/${module.id}`, say: (sentence: string) => sentences.push(sentence) };
    for (const last of stops.filter((last) => last < NEW_PROCESS)) {
      if (await session(gpu, run, { ...own, last }) !== null) {
        throw new Error(`${module.id} was not interrupted`);
      }
    }
    said.set(module.id, sentences);
  }
  const script = decodeURIComponent(new URL(import.meta.url).pathname);
  const later = stops.filter((last) => last >= NEW_PROCESS).join();
  const { code, stdout, stderr } = await new Deno.Command("deno", {
    args: ["run", "--no-prompt", "--allow-read", `--allow-write=${folder}`, script, folder, later],
  }).output();
  if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
  return { wanted, found: fromExactJson(new TextDecoder().decode(stdout)) as Record<string, unknown>, said };
}

if (import.meta.main) {
  const [folder, stops = ""] = Deno.args, found: Record<string, unknown> = {};
  await using gpu = await openGpu();
  for (const module of methods) {
    const run = await prepareRun(module), own = { folder: `${folder}/${module.id}` };
    for (const last of stops.split(",").map(Number)) await session(gpu, run, { ...own, last });
    const result = await session(gpu, run, own);
    found[module.id] = result && findings(result);
  }
  console.log(toExactJson(found));
}
