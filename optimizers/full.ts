/** @file Full fine-tuning: every weight is trained. */
import { matmul } from "../autodiff/mod.ts";
import {
  ADAMW_WORK,
  adamwDefaults,
  type AdamwOptions,
  adamwState,
  createAdamw,
  validateAdamw,
} from "./adamw.ts";
import { defineOptimizer, noHostState, type OptimizerModule } from "./optimizer.ts";
import { trainableWeight } from "./module_weight.ts";

/** What full fine-tuning trains. */
const SCOPES = ["all", "targetModules"] as const;
/** Settings of full fine-tuning. */
export type FullOptions = AdamwOptions & {
  /** "all" or "target modules". */
  trains: string;
};
const defaults: FullOptions = { trains: "all", ...adamwDefaults };

/**
 * Full fine-tuning with AdamW. Option `trains`: "all" (default) trains every parameter of the model, as in the paper;
 * "target modules" only the weights that low-rank methods adapt, and the head. Source: Loshchilov and Hutter, arXiv 1711.05101.
 */
export const full: OptimizerModule<FullOptions> = defineOptimizer({
  id: "full",
  title: "Full fine-tuning",
  source: "https://arxiv.org/abs/1711.05101",
  paper: {
    title: "Decoupled Weight Decay Regularization",
    authors: ["Ilya Loshchilov", "Frank Hutter"],
    year: 2017,
  },
  defaults,
  validate(options) {
    if (!SCOPES.some((known) => known === options.trains)) {
      return `trains is "${options.trains}", known are ${SCOPES.join(", ")}`;
    }
    return validateAdamw(options);
  },
  describe: (options) => options.trains === "all" ? "" : "adapted target modules only",
  stepWork({ trains }, { targetModules, others, parameters, parts }) {
    const maps = trains === "all" ? [...targetModules, ...others] : targetModules;
    const trained = trains === "all"
      ? parameters
      : targetModules.reduce((sum, targetModule) => sum + targetModule.in * targetModule.out, 0);
    return {
      trainsAll: trains === "all",
      weightFlops: maps.reduce((sum, map) => sum + 2 * map.rows * map.in * map.out, 0),
      factorFlops: 0,
      updateFlops: ADAMW_WORK.flops * trained,
      elements: maps.reduce((sum, map) => sum + map.rows * (map.in + map.out) + parts * map.in * map.out, 0),
      updateElements: ADAMW_WORK.elements * trained,
      activations: 0,
      trained,
      added: 0,
      state: ADAMW_WORK.state * trained,
    };
  },
  footprint({ trains }, { targetModules, parameters, head }) {
    const trained = trains === "all"
      ? parameters
      : [...targetModules.map((targetModule) => targetModule.in * targetModule.out), ...head];
    return {
      adapters: [],
      trained,
      state: adamwState(trained),
      tables: [],
      scratch: [],
      linear: () => ({ forward: [], backward: [] }),
      trainsWeights: true,
      trainsAll: trains === "all",
      fullGradients: false,
    };
  },
  attach({ gpu, targetModules, parameters, head }, options) {
    const weights = targetModules.map(trainableWeight);
    const trainable = options.trains === "all" ? parameters : [...weights, ...head];
    using _ = gpu.countAs("state");
    const adamw = createAdamw(gpu, trainable, options);
    return Promise.resolve({
      trainable,
      state: adamw.state,
      hostState: noHostState,
      linear: (tape, targetModule, x) =>
        matmul(tape, x, tape.parameter(trainableWeight(targetModule)), { transposeB: true }),
      step: (gradients, at) => adamw.step(gradients, at),
      effectiveWeight: (targetModule) => trainableWeight(targetModule).value,
      equivalentGradients: (gradients) =>
        new Map(
          targetModules.map((targetModule) => [targetModule, gradients.of(trainableWeight(targetModule))]),
        ),
      factors: () => null,
      inspect: () => Promise.resolve({}),
    });
  },
});
