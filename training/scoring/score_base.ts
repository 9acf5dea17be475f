/** @file The score of a base checkpoint before fine-tuning, so that gains can be told. */
import type { Gpu } from "../../gpu/gpu.ts";
import { baseWeights } from "../../models/base_weights.ts";
import { Answers } from "../checkpoint/answers.ts";
import { type KeepingHooks, openKeeper } from "../checkpoint/keeper.ts";
import { precisionsOf, requireBindings } from "../loop/bindings.ts";
import { plainForward } from "../loop/forward.ts";
import { resolveModel } from "../configuration.ts";
import { environmentOf } from "../environment.ts";
import { loadExamples } from "../resolve/examples.ts";
import { withHead } from "../resolve/heads.ts";
import { lookup } from "../lookup.ts";
import type { OwnEntries } from "../registry.ts";
import { openFolders } from "../resolve/resolve.ts";
import { createPredictor } from "./predict.ts";
import { type BaseConfig, type BaseResult, recordId } from "../run.ts";
import { withShipped } from "../shipped.ts";
import { scoreExamples } from "./score_examples.ts";

/**
 * Scores a base checkpoint on the examples that its runs are scored on.
 *
 * @param options the caller's own tasks and models, beside those that ship; and how scoring is stopped and kept
 * @throws {Interrupted} where its signal asked it to stop
 * @throws {UserError} for unknown names
 * @throws {CheckpointError} where the checkpoint is missing or does not fit
 */
export async function scoreBase(
  gpu: Gpu,
  config: BaseConfig,
  options: OwnEntries & KeepingHooks = {},
): Promise<BaseResult> {
  const { task: { id: taskId, module }, model, scoreOn, targetModules = [] } = config;
  const { tasks, models } = await openFolders([config], withShipped(options));
  const task = lookup("task", tasks, taskId, module), own = resolveModel(model, models);
  const precisions = precisionsOf(targetModules, config, own);
  requireBindings(gpu, own, precisions);
  // No seed changes what is scored, or its order.
  const data = await loadExamples(task, own, { ...config, seed: 0 });
  const source = await baseWeights(own);
  const entry = await withHead(gpu, model, own, data, source);
  const environment = await environmentOf(gpu);
  try {
    using _ = gpu.scope("base", "weights");
    const built = entry.create(gpu, source, precisions);
    const id = await recordId(config), keeper = await openKeeper(gpu, id, options);
    const saved = await keeper.load(() => null);
    const answers = new Answers(saved?.host as readonly unknown[] | undefined);
    keeper.begin(() => Promise.resolve({ step: 0, host: answers.all, buffers: [] }));
    const predictor = createPredictor(gpu, built, plainForward, data.needs.inputSize, {
      answers,
      onPass: () => keeper.pause(),
    });
    const found = await scoreExamples(task, data, predictor, scoreOn);
    const score = found.scores.reduce((sum, one) => sum + one, 0) / found.scores.length;
    const commonest = data.commonest && { commonest: data.commonest(scoreOn) };
    const header = { schema: 1, id, config, environment } as const;
    return { ...header, status: "done", score, ...commonest, ...found };
  } finally {
    gpu.trim();
  }
}
