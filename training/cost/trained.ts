/** @file How many numbers a run trains, by formula. */
import { elementCount } from "../../gpu/tensor.ts";
import { alsoTrained } from "../also_trained.ts";
import { allOptions, type KnownModel, type KnownOptimizer, matchTargetModules } from "../configuration.ts";
import type { RunConfig } from "../run.ts";

/** The numbers that a complete config trains on a model: the method's own, a new head's, and what is trained beside. */
export function countTrained(config: RunConfig, model: KnownModel, method: KnownOptimizer): number {
  const targetModules = matchTargetModules(config.targetModules, model.targetModules());
  const head = [...model.newHead ?? [], ...alsoTrained(config, method, model, targetModules)];
  const { trained } = method.footprint(allOptions(method, config), {
    targetModules,
    parameters: model.parameters.map(({ shape }) => elementCount(shape)),
    head: head.map(({ shape }) => elementCount(shape)),
  });
  return trained.reduce((sum, numbers) => sum + numbers, 0);
}
