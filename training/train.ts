/** @file One run, from what was asked for to its result. */
import type { Gpu } from "../gpu/gpu.ts";
import { baseWeights } from "../models/base_weights.ts";
import { environmentOf } from "./environment.ts";
import { precisionsOf, requireBindings } from "./loop/bindings.ts";
import type { TrainHooks } from "./loop/progress.ts";
import { runSession } from "./loop/session.ts";
import type { OwnEntries } from "./registry.ts";
import { resolveRun } from "./resolve/resolve.ts";
import { type RunConfig, runId, type RunOutcome, type RunResult } from "./run.ts";
import { openRetained } from "./scoring/forgetting.ts";
import { withShipped } from "./shipped.ts";

/** What a caller may bring and watch. */
export interface TrainOptions extends OwnEntries, TrainHooks {}

/**
 * Runs one config from its base checkpoint, the user's where the model has a path, or from seeded random weights where it
 * has none, to its score. Equal configs on one machine give equal bits.
 *
 * With `options.checkpoints` an interrupted run goes on where it was, with the same bits as without the interruption.
 *
 * A run whose loss or gradient stops being finite ends as "diverged": a finding about the method.
 *
 * @param options the caller's own tasks, models and methods beside those that ship, and what it wants to watch
 * @throws {Interrupted} where `options.signal` asked it to stop
 * @throws {UserError} for configs that name unknown things or ask for the impossible, a task among them whose vocabulary,
 * classes or lengths are not the model's, before the GPU is used
 * @throws {CheckpointError} where the model's folder cannot be read, or does not fit its own config
 */
export async function train(gpu: Gpu, config: RunConfig, options: TrainOptions = {}): Promise<RunResult> {
  const begun = performance.now();
  const { config: complete, task, model, method } = await resolveRun(config, withShipped(options));
  requireBindings(gpu, model, precisionsOf(complete.targetModules, complete.memory, model));
  const environment = await environmentOf(gpu);
  const source = await baseWeights(model);
  const retained = await openRetained(gpu, complete, model, source);
  const parts = { task, entry: model, module: method, source, retained };
  const session = await runSession(gpu, complete, parts, options);
  const header = { schema: 1, id: await runId(complete), config: complete, environment } as const;
  if (session.divergedAt !== null) {
    return { ...header, status: "diverged", step: session.divergedAt, trainLoss: session.trainLoss };
  }
  const { scores } = session;
  const outcome: RunOutcome = {
    score: scores.reduce((sum, score) => sum + score, 0) / scores.length,
    scores,
    testLoss: session.testLoss,
    ...(session.measures && { measures: session.measures }),
    ...(session.forgetting && { forgetting: session.forgetting }),
    ...(session.sharpness && { sharpness: session.sharpness }),
    trainLoss: session.trainLoss,
    validationLoss: session.validationLoss,
    discrepancies: session.discrepancies,
    ...(session.changes && { changes: session.changes }),
    inspected: session.inspected,
    kernels: session.kernels,
    ...(session.data && { data: session.data }),
    ...(session.rows && { rows: session.rows }),
    cost: { ...session.cost, totalMs: session.earlierMs + performance.now() - begun },
  };
  return { ...header, status: "done", outcome };
}
