/** @file The ways a model's linear maps are computed: as they are, adapted by a method, merged, or watched. */
import { addRow, matmul } from "../../autodiff/mod.ts";
import { isLowPrecision, type KeptOfBlock, type Tape, type Var } from "../../autodiff/tape.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { keepRows, matmul as product } from "../../kernels/mod.ts";
import type { Forward, TargetModule } from "../../models/model.ts";
import type { Optimizer } from "../../optimizers/optimizer.ts";
import type { MemoryOptions } from "../run.ts";

/** How a tape's linear maps are computed. */
export type ForwardOf = (tape: Tape) => Forward;

/** The product of x with what a target module's weight is at the moment, transposed. */
type Product = (tape: Tape, targetModule: TargetModule, x: Var) => Var;

const withOwnWeight: Product = (tape, { weight }, x) =>
  matmul(tape, x, tape.parameter(weight), { transposeB: true });

/** x W_effᵀ + b, with the product formed by `product`. */
function forwardWith(tape: Tape, product: Product): Forward {
  return {
    tape,
    linear(targetModule, x) {
      const y = product(tape, targetModule, x);
      return targetModule.bias ? addRow(tape, y, tape.parameter(targetModule.bias), { overwrite: true }) : y;
    },
    block: (inputs, body) => tape.block(inputs, (tape, inputs) => body(forwardWith(tape, product), inputs)),
  };
}

/** The model's own weights. */
export function plainForward(tape: Tape): Forward {
  return forwardWith(tape, withOwnWeight);
}

/** The method's linear maps at its target modules, the model's own elsewhere. */
export function adaptedForward(
  tape: Tape,
  optimizer: Optimizer,
  targetModules: ReadonlySet<TargetModule>,
): Forward {
  return forwardWith(
    tape,
    (tape, targetModule, x) =>
      targetModules.has(targetModule)
        ? optimizer.linear(tape, targetModule, x)
        : withOwnWeight(tape, targetModule, x),
  );
}

/** Weights that were merged once, for evaluation: as fast for every method. */
export function mergedForward(tape: Tape, weights: ReadonlyMap<TargetModule, Tensor>): Forward {
  return forwardWith(tape, (tape, targetModule, x) => {
    const weight = weights.get(targetModule);
    return weight
      ? matmul(tape, x, tape.constant(weight), { transposeB: true })
      : withOwnWeight(tape, targetModule, x);
  });
}

/** The same, but of each block only inputs are kept, and the rest is computed again: see `Tape.block`. */
export function checkpointedForward(inner: ForwardOf): ForwardOf {
  return forwardKeeping(inner, "inputs");
}

/** The same, but of each block stays what `keep` says: see `Tape.block`. */
export function forwardKeeping(inner: ForwardOf, keep: KeptOfBlock): ForwardOf {
  return (tape) => ({
    ...inner(tape),
    block: (inputs, body) => tape.block(inputs, (tape, inputs) => body(inner(tape), inputs), { keep }),
  });
}

const KEPT = { blocks: "inputs", "blocks-f16": "inputs-f16" } as const;

/** The same under a run's memory options. */
export function withMemory(inner: ForwardOf, memory: MemoryOptions | undefined): ForwardOf {
  const { checkpointing = "none", activations = "f32" } = memory ?? {};
  if (checkpointing !== "none") return forwardKeeping(inner, KEPT[checkpointing]);
  return activations === "f32" ? inner : forwardKeeping(inner, "all-f16");
}

/**
 * The same, but the backward pass also adds dL/dW_eff = dYᵀ X to `full` for each target module in it, whatever W_eff is made of.
 *
 * `full` holds tensors `[out, in]`, zero before the first part of a batch.
 */
export function measuredForward(inner: ForwardOf, full: ReadonlyMap<TargetModule, Tensor>): ForwardOf {
  const measure = (forward: Forward): Forward => ({
    tape: forward.tape,
    linear(targetModule, x) {
      const y = forward.linear(targetModule, x), into = full.get(targetModule);
      if (!into) return y;
      const { tape } = forward, { weight } = targetModule;
      const trained = !isLowPrecision(weight) && tape.parameter(weight).needsGradient;
      // A trained weight's own gradient is the same product, and the same in every bit.
      return measureWeight(tape, x, y, into, { reuse: !trained });
    },
    block: (inputs, body) => forward.block(inputs, (forward, inputs) => body(measure(forward), inputs)),
  });
  return (tape) => measure(inner(tape));
}

/**
 * y itself; on the way back dYᵀ X is added to `into`. It asks for the gradient of y even where nothing is trained, as a
 * trained weight would.
 */
function measureWeight(
  tape: Tape,
  x: Var,
  y: Var,
  into: Tensor,
  { reuse }: { readonly reuse: boolean },
): Var {
  return tape.record({
    name: "measureWeight",
    inputs: [y, tape.input(into)],
    keeps: { x: x.value },
    output: y.value,
    ...(y.overwritable && { overwritable: true }),
    backward(gradient, inputs, { x }) {
      product(tape.gpu, gradient, x, { transposeA: true, into, accumulate: true, reuse });
      inputs.pass(0, gradient);
    },
  });
}

/**
 * The same, but the backward pass also adds XᵀX to `moments` for each target module in it, of those rows of its inputs on which the
 * loss depends: of the others, such as padding, the gradient is 0 in every bit.
 *
 * That gradient is of all maps that take the same x in, adapted or not: a query alone may be without effect, where it has but one key.
 * `moments` holds tensors `[in, in]`, zero before the first part of the first batch.
 */
export function momentsForward(inner: ForwardOf, moments: ReadonlyMap<TargetModule, Tensor>): ForwardOf {
  const watch = (forward: Forward): Forward => {
    const inputs = new Map<Var, WatchedInput>();
    return {
      tape: forward.tape,
      linear(targetModule, x) {
        const input = inputs.get(x) ?? watchInput(forward.tape, x), into = moments.get(targetModule);
        inputs.set(x, input);
        if (into) input.moments.push(into);
        return forward.linear(targetModule, input.x);
      },
      block: (inputs, body) => forward.block(inputs, (forward, inputs) => body(watch(forward), inputs)),
    };
  };
  return (tape) => watch(inner(tape));
}

/** An input of linear maps whose gradient is looked at. */
interface WatchedInput {
  /** What the maps take in. */
  readonly x: Var;
  /** Where XᵀX goes: to each of these. */
  readonly moments: Tensor[];
}

/** x itself, whose gradient is asked for even where nothing is trained; on the way back XᵀX is added to `moments`. */
function watchInput(tape: Tape, x: Var): WatchedInput {
  const moments: Tensor[] = [], { gpu } = tape;
  const watched = tape.record({
    name: "watchInput",
    inputs: [x, tape.input(x.value)],
    keeps: { x: x.value },
    output: x.value,
    backward(gradient, inputs, { x }) {
      inputs.pass(0, gradient);
      if (moments.length === 0) return;
      using _ = gpu.scope("rows on which the loss depends", "scratch");
      const rows = keepRows(gpu, x, gradient);
      for (const into of moments) {
        product(gpu, rows, x, { transposeA: true, into, accumulate: true, reuse: true });
      }
    },
  });
  return { x: watched, moments };
}
