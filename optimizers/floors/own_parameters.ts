/** @file What methods share that train parameters of the model itself, of one kind, and adapt no linear map. */
import { matmul } from "../../autodiff/mod.ts";
import { isLowPrecision } from "../../autodiff/tape.ts";
import { adamwDefaults, type AdamwOptions, adamwState, createAdamw, validateAdamw } from "../adamw.ts";
import { copyWeight } from "../module_weight.ts";
import { defineOptimizer, noHostState, type OptimizerModule } from "../optimizer.ts";

/**
 * A method that trains all parameters of the kinds that `alsoTrains` names, with AdamW, and nothing else but a new head. Target
 * modules are left as they are, whichever they are: they tell reports for which maps full gradients are compared, and the
 * method's part in these is 0.
 */
export function trainsOwn(
  { alsoTrains, ...names }:
    & Pick<OptimizerModule, "id" | "title" | "source" | "paper">
    & Required<Pick<OptimizerModule, "alsoTrains">>,
): OptimizerModule<AdamwOptions> {
  return defineOptimizer<AdamwOptions>({
    ...names,
    alsoTrains,
    defaults: { ...adamwDefaults },
    validate: (options) => validateAdamw(options),
    describe: () => "",
    // What is trained beside adapters is counted for every method alike.
    stepWork: () => ({
      trainsAll: false,
      weightFlops: 0,
      factorFlops: 0,
      updateFlops: 0,
      elements: 0,
      updateElements: 0,
      activations: 0,
      trained: 0,
      added: 0,
      state: 0,
    }),
    footprint: (_, { head }) => ({
      adapters: [],
      trained: head,
      state: adamwState(head),
      tables: [],
      scratch: [],
      linear: () => ({ forward: [], backward: [] }),
      trainsWeights: false,
      trainsAll: false,
      fullGradients: false,
    }),
    attach({ gpu, targetModules, head }, options) {
      using _ = gpu.countAs("state");
      const adamw = createAdamw(gpu, head, options);
      return Promise.resolve({
        trainable: head,
        state: adamw.state,
        hostState: noHostState,
        linear: (tape, { weight }, x) => matmul(tape, x, tape.parameter(weight), { transposeB: true }),
        step: (gradients, at) => adamw.step(gradients, at),
        effectiveWeight: (targetModule) =>
          isLowPrecision(targetModule.weight) ? copyWeight(gpu, targetModule) : targetModule.weight.value,
        equivalentGradients: () =>
          new Map(targetModules.map((targetModule) => [
            targetModule,
            gpu.zeros([targetModule.out, targetModule.in], `${targetModule.name} equivalent gradient`),
          ])),
        factors: () => null,
        inspect: () => Promise.resolve({}),
      });
    },
  });
}
