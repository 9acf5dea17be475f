/** @file Reverse mode over kernels: one forward pass is recorded and run backward once. */
import type { Gpu } from "../gpu/gpu.ts";
import { elementCount, type LowPrecision, type Tensor } from "../gpu/tensor.ts";
import { accumulate, add, toFloat, toHalf } from "../kernels/mod.ts";

/** A named tensor that outlives a step. Its identity is the object; its value changes in place. */
export interface Parameter {
  /** Unique in a run; checkpoints know it by this name. */
  readonly name: string;
  /** Changed in place by optimizers. */
  readonly value: Tensor;
}

/** A frozen parameter in low precision: less memory, and no gradient. Only products of matrices read it. */
export interface LowPrecisionParameter {
  /** As a parameter's. */
  readonly name: string;
  /** Replaced in place where a method's start rewrites the weight. */
  readonly value: Tensor<LowPrecision>;
}

/** True where a weight is kept in low precision. */
export function isLowPrecision(weight: Parameter | LowPrecisionParameter): weight is LowPrecisionParameter {
  return weight.value.dtype !== "f32";
}

/** A value on a tape. Its identity is the object. */
export interface Var {
  /** What the forward pass computed. */
  readonly value: Tensor;
  /** True where a trainable parameter lies upstream. */
  readonly needsGradient: boolean;
  /** See `Operation`. */
  readonly overwritable?: true;
}

/** Where an operation's backward pass puts the gradients of its inputs. */
export interface InputGradients {
  /** False where nobody needs it: compute nothing then (a frozen weight costs nothing). */
  wanted(input: number): boolean;
  /** A tensor of the input's shape to write into; with `accumulate` it already holds a part to add to. */
  target(input: number): { readonly into: Tensor; readonly accumulate: boolean };
  /** Hands over a finished gradient, which may be the output's own: it is not changed afterwards. */
  pass(input: number, gradient: Tensor): void;
}

/** A differentiable operation that already ran forward. */
export interface Operation {
  /** For errors. */
  readonly name: string;
  /** What the gradients go to, in order. */
  readonly inputs: readonly Var[];
  /** What the forward pass computed. */
  readonly output: Tensor;
  /** The backward pass does not read the output, which is nothing else's either: who alone takes it in may write over it. */
  readonly overwritable?: true;
  /** Computes the gradients of those inputs that are wanted. */
  backward(outputGradient: Tensor, inputs: InputGradients): void;
}

/** Gradients by parameter, each of its parameter's shape. */
export interface Gradients {
  /** The gradient of `parameter`. @throws {Error} where it is not among the trainable ones */
  of(parameter: Parameter): Tensor;
}

/** Accumulated gradients of a fixed set of parameters. */
export interface GradientStore extends Gradients {
  /** In the order of the packed gradients. */
  readonly parameters: readonly Parameter[];
  /** All gradients, with zeros in the gaps: few dispatches clip or measure them. */
  readonly flats: readonly Tensor[];
  /** True where `parameter` is among them. */
  has(parameter: Parameter): boolean;
  /** Sets all gradients to 0: once a step, before its first part. */
  clear(): void;
}

/**
 * What of a block stays for its backward pass: "all" that its forward pass made; its "inputs", from which the rest is computed
 * again; or "inputs-f16", the same where those that other blocks made are kept as 16-bit floats.
 */
export type KeptOfBlock = "all" | "inputs" | "inputs-f16";

interface Held {
  tensor: Tensor;
  /** False while another variable may hold the same tensor: it must be copied before it is added to. */
  owned: boolean;
}

/** Records one forward pass and runs it backward once. Everything it allocates lies in the caller's scope. */
export class Tape {
  /** Where the tape computes. */
  readonly gpu: Gpu;
  readonly #store: GradientStore;
  readonly #operations: { operation: Operation; output: Var }[] = [];
  readonly #parameters = new Map<Parameter, Var>();
  readonly #leaves = new Map<Var, Tensor>();
  readonly #gradients = new Map<Var, Held>();
  /** Outputs of blocks, in 16 bits where that is how they are kept from when another block took them in. */
  readonly #outputsOfBlocks = new Map<Var, Tensor<"f16"> | null>();
  /** Buffers of gradients that blocks have made for what lies below them. */
  readonly #ofBlocks = new Set<GPUBuffer>();

  /** Gradients of the parameters in `store` are added to what it holds. */
  constructor(gpu: Gpu, store: GradientStore) {
    this.gpu = gpu;
    this.#store = store;
  }

  /** A value that nothing is differentiated for. */
  constant(value: Tensor): Var {
    return { value, needsGradient: false };
  }

  /** The parameter's variable on this tape: always the same one. A frozen one in low precision stands for itself. */
  parameter(parameter: Parameter): Var;
  /** The same for weights of either kind. */
  parameter(parameter: Parameter | LowPrecisionParameter): Var | LowPrecisionParameter;
  parameter(parameter: Parameter | LowPrecisionParameter): Var | LowPrecisionParameter {
    if (isLowPrecision(parameter)) return parameter;
    let known = this.#parameters.get(parameter);
    if (!known) {
      const needsGradient = this.#store.has(parameter);
      known = { value: parameter.value, needsGradient };
      this.#parameters.set(parameter, known);
      if (needsGradient) this.#leaves.set(known, this.#store.of(parameter));
    }
    return known;
  }

  /** A variable whose gradient is wanted although no parameter lies upstream, e.g. an input under test. */
  input(value: Tensor): Var {
    return { value, needsGradient: true };
  }

  /** Notes an operation that already ran forward; returns its output. */
  record(operation: Operation): Var {
    return this.#note(operation, operation.inputs.some((input) => input.needsGradient));
  }

  /**
   * `body(inputs)`, whose tensors are freed once its backward pass is done, or at once where it has none; of them the output
   * and the gradients of the inputs stay. A gradient that came from another block is freed by the block that it goes to.
   *
   * With `keep` "inputs" what lies between is freed at once in any case, and computed again for the backward pass, block by
   * block. Kernels round the same way each time, so gradients keep their bits. Source: Chen et al., arXiv 1604.06174.
   * With "inputs-f16" a block's output is rounded when the next block takes it in, and nothing but blocks may read it then: both
   * passes compute with the rounded numbers, in 32 bits. Magnitudes of 65,520 and more become infinite.
   *
   * `body` records on the tape that it is given and returns a tensor that it made. Unless all is kept it runs twice, so it must be
   * a pure function of its inputs and of parameters.
   */
  block<const V extends readonly Var[]>(
    inputs: V,
    body: (tape: Tape, inputs: V) => Var,
    { keep = "all" }: { readonly keep?: KeptOfBlock } = {},
  ): Var {
    const { gpu } = this, store = this.#store;
    const rounded = inputs.map((input) => keep === "inputs-f16" ? this.#roundedOutput(input) : null);
    const run = () => {
      const tape = new Tape(gpu, store);
      const own = inputs.map(({ value, needsGradient }, i): Var => {
        const half = rounded[i];
        return { value: half ? toFloat(gpu, half) : value, needsGradient };
      });
      // As many as there are inputs, each in its place.
      return { tape, own, output: body(tape, own as readonly Var[] as V) };
    };
    let first: ReturnType<typeof run> | null, held: Disposable | null = null, output: Var;
    {
      using scope = gpu.scope("block");
      first = run();
      ({ output } = first);
      scope.keep(output.value);
      if (keep !== "all" || !output.needsGradient) first = null;
      else held = scope.hold();
    }
    const operation: Operation = {
      name: "block",
      inputs,
      output: output.value,
      backward: (gradient, into) => {
        {
          using scope = gpu.scope("backward pass of a block");
          const { tape, own, output } = first ?? run();
          // Sums that later blocks began go on inside, in the order of a tape that keeps everything: the same bits.
          const isFirst = (i: number) => inputs.indexOf(inputs[i]!) === i;
          own.forEach((variable, i) => isFirst(i) && tape.#continue(variable, this, inputs[i]!));
          const outside = new Set(
            own.flatMap((variable) => tape.#gradients.get(variable)?.tensor.buffer ?? []),
          );
          // An input that the block only passes on has the output's own gradient; two may share one.
          outside.add(gradient.buffer);
          tape.backward(output, gradient);
          own.forEach((variable, i) => {
            const held = tape.#gradients.get(variable);
            if (!held || !into.wanted(i)) return;
            if (!outside.has(held.tensor.buffer)) this.#ofBlocks.add(scope.keep(held.tensor).buffer);
            outside.add(held.tensor.buffer);
            if (isFirst(i)) this.#gradients.set(inputs[i]!, held);
            else into.pass(i, held.tensor);
          });
        }
        first = null;
        held?.[Symbol.dispose]();
        this.#drop(variable);
      },
    };
    // The inputs may need no gradient where parameters inside do.
    const variable = this.#note(operation, output.needsGradient);
    this.#outputsOfBlocks.set(variable, null);
    return variable;
  }

  /** Runs backward from `output`, whose own gradient is `gradient` (of its shape). Once per tape. */
  backward(output: Var, gradient: Tensor): void {
    if (elementCount(gradient.shape) !== elementCount(output.value.shape)) {
      throw new RangeError(
        `Cannot run backward from "${output.value.label}" [${output.value.shape}] with a gradient [${gradient.shape}]`,
      );
    }
    this.#gradients.set(output, { tensor: gradient, owned: false });
    for (const { operation, output } of this.#operations.reverse()) {
      const held = this.#gradients.get(output);
      if (held) operation.backward(held.tensor, this.#inputsOf(operation));
    }
    this.#operations.length = 0;
  }

  /** The gradient of a variable after `backward`; null where none reached it, and for what lies between two blocks. */
  gradientOf(variable: Var): Tensor | null {
    return this.#leaves.get(variable) ?? this.#gradients.get(variable)?.tensor ?? null;
  }

  /** A block's output in 16 bits, in whose place it is kept from now on; null for other variables. */
  #roundedOutput(variable: Var): Tensor<"f16"> | null {
    const known = this.#outputsOfBlocks.get(variable);
    // Several blocks may take it in: the first of them frees the 32 bits.
    if (known !== null) return known ?? null;
    const half = toHalf(this.gpu, variable.value);
    this.#outputsOfBlocks.set(variable, half);
    this.gpu.free(variable.value);
    return half;
  }

  /** Frees the gradient of a block's output, where another block made it and nobody else has it. */
  #drop(output: Var): void {
    const { tensor } = this.#gradients.get(output)!;
    if (!this.#ofBlocks.has(tensor.buffer)) return;
    this.#gradients.delete(output);
    for (const { tensor: other } of this.#gradients.values()) if (other.buffer === tensor.buffer) return;
    this.#ofBlocks.delete(tensor.buffer);
    this.gpu.free(tensor);
  }

  /** Adds to the gradient of `variable` where another tape has got to with that of `theirs`. */
  #continue(variable: Var, other: Tape, theirs: Var): void {
    const leaf = other.#leaves.get(theirs), held = other.#gradients.get(theirs);
    if (leaf) this.#leaves.set(variable, leaf);
    if (held) this.#gradients.set(variable, held);
  }

  #note(operation: Operation, needsGradient: boolean): Var {
    const { output: value, overwritable } = operation;
    const output: Var = { value, needsGradient, ...overwritable && { overwritable } };
    if (needsGradient) this.#operations.push({ operation, output });
    return output;
  }

  #inputsOf(operation: Operation): InputGradients {
    const { gpu } = this;
    return {
      wanted: (input) => operation.inputs[input]!.needsGradient,
      target: (input) => {
        const variable = operation.inputs[input]!;
        const leaf = this.#leaves.get(variable);
        if (leaf) return { into: leaf, accumulate: true };
        const held = this.#gradients.get(variable);
        if (!held) {
          const into = gpu.empty(variable.value.shape, `d ${variable.value.label}`);
          this.#gradients.set(variable, { tensor: into, owned: true });
          return { into, accumulate: false };
        }
        if (!held.owned) {
          const copy = gpu.empty(variable.value.shape, `d ${variable.value.label}`);
          gpu.copy(held.tensor, copy);
          held.tensor = copy;
          held.owned = true;
        }
        return { into: held.tensor, accumulate: true };
      },
      pass: (input, gradient) => {
        const variable = operation.inputs[input]!;
        if (!variable.needsGradient) return;
        const leaf = this.#leaves.get(variable);
        if (leaf) return accumulate(gpu, leaf, gradient);
        const held = this.#gradients.get(variable);
        if (!held) this.#gradients.set(variable, { tensor: gradient, owned: false });
        else if (held.owned) accumulate(gpu, held.tensor, gradient);
        else this.#gradients.set(variable, { tensor: add(gpu, held.tensor, gradient), owned: true });
      },
    };
  }
}
