/** @file Reverse mode over kernels: one forward pass is recorded and run backward once. */
import type { Gpu } from "../gpu/gpu.ts";
import type { Scope } from "../gpu/pool.ts";
import {
  allocatedBytes,
  byteLength,
  type DType,
  elementCount,
  type LowPrecision,
  type Tensor,
} from "../gpu/tensor.ts";
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

/** Tensors that a backward pass reads, by names of the operation's own; null for one that it does without. */
export type Keeps = Readonly<Record<string, Tensor<DType> | null>>;

/** A differentiable operation that already ran forward. */
export interface Operation<K extends Keeps = Keeps> {
  /** For errors. */
  readonly name: string;
  /** What the gradients go to, in order. */
  readonly inputs: readonly Var[];
  /** What the forward pass computed. */
  readonly output: Tensor;
  /** The backward pass does not read the output, which is nothing else's either: who alone takes it in may write over it. */
  readonly overwritable?: true;
  /**
   * All that the backward pass reads of what variables hold: of inputs, parameters and the output. It gets them as `kept`, and nothing
   * else may be read of them: a block frees what none of its operations keeps, and may round what they do keep. What must
   * stay exact, such as the statistics of rows, is a tensor of the operation's own, which is left alone.
   */
  readonly keeps: K;
  /** Computes the gradients of those inputs that are wanted; `kept` are the tensors of `keeps`. */
  backward(outputGradient: Tensor, inputs: InputGradients, kept: K): void;
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
 * What of a block stays for its backward pass: "all" that its operations keep; "all-f16", the same as 16-bit floats; its "inputs",
 * from which the rest is computed again; or "inputs-f16", the same where those that other blocks made are kept as 16-bit
 * floats.
 */
export type KeptOfBlock = "all" | "all-f16" | "inputs" | "inputs-f16";

/** A tensor that lives on in 16 bits, and what it was. */
interface Halved {
  readonly whole: Tensor;
  readonly half: Tensor<"f16">;
}

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
  /** Those of which a block that took them in has freed the 32 bits: nothing else may take them in. */
  readonly #taken = new Set<Var>();
  /** What operations have put out, by buffers. */
  readonly #made = new Map<GPUBuffer, Tensor>();
  /** What the backward pass reads in the place of what was kept, by the buffers that this was in. */
  readonly #restored = new Map<GPUBuffer, Tensor>();
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
  record<const K extends Keeps>(operation: Operation<K>): Var {
    return this.#note(operation, operation.inputs.some((input) => input.needsGradient));
  }

  /**
   * `body(inputs)`, whose tensors are freed once its backward pass is done, or at once where it has none or no operation
   * keeps them; of them the output and the gradients of the inputs stay. A gradient that came from another block is freed by the
   * block that it goes to.
   *
   * With `keep` "all-f16" what operations keep is rounded once the forward pass of the block is done, and is back in 32 bits while
   * its backward pass runs: the forward pass has the bits that it has without, gradients do not. So are those inputs that
   * other blocks made: nothing else may take them in after this block.
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
    this.#requireWhole(inputs);
    const rounded = inputs.map((input) => keep === "inputs-f16" ? this.#roundedOutput(input) : null);
    const taken = keep === "all-f16" ? this.#ownOutputs(inputs) : new Map<GPUBuffer, Var>();
    const run = (values: readonly Tensor[]) => {
      const tape = new Tape(gpu, store);
      const own = inputs.map(({ needsGradient }, i): Var => {
        const half = rounded[i];
        return { value: half ? toFloat(gpu, half) : values[i]!, needsGradient };
      });
      // As many as there are inputs, each in its place.
      return { tape, own, output: body(tape, own as readonly Var[] as V) };
    };
    let first: ReturnType<typeof run> | null, held: Disposable | null = null, output: Var;
    let halves: readonly Halved[] = [];
    const isHalved = (buffer: GPUBuffer) => halves.some(({ whole }) => whole.buffer === buffer);
    {
      using scope = gpu.scope("block");
      first = run(inputs.map(({ value }) => value));
      ({ output } = first);
      scope.keep(output.value);
      if (keep.startsWith("inputs") || !output.needsGradient) first = null;
      else {
        first.tape.#freeUnkept(scope);
        if (keep === "all-f16") halves = first.tape.#halve((one) => scope.owns(one) || taken.has(one.buffer));
        // What it keeps of them but not in 16 bits stays.
        for (const [buffer, { value }] of taken) {
          if (first.tape.#keeps(value) && !isHalved(buffer)) taken.delete(buffer);
        }
        held = scope.hold();
      }
    }
    const isOwn = ({ value }: Var, i: number) => rounded[i] !== null || taken.has(value.buffer);
    const passed: (Tensor | null)[] = inputs.map((input, i) => isOwn(input, i) ? null : input.value);
    // Where an operation inside reads the output back, it has to stay when another block takes it in.
    if (first !== null && first.tape.#keeps(output.value)) passed.push(output.value);
    const operation: Operation = {
      name: "block",
      inputs,
      keeps: Object.fromEntries(passed.entries()),
      output: output.value,
      backward: (gradient, into, kept) => {
        {
          using scope = gpu.scope("backward pass of a block");
          const now = passed.map((_, i) => kept[i] as Tensor | null);
          const { tape, own, output } = first ?? run(inputs.map(({ value }, i) => now[i] ?? value));
          if (first) now.forEach((value, i) => value && tape.#restored.set(passed[i]!.buffer, value));
          else tape.#freeUnkept(scope);
          tape.#restore(halves);
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
    for (const [buffer, input] of taken) {
      this.#taken.add(input);
      this.#made.delete(buffer);
      if (!isHalved(buffer)) gpu.free(input.value);
    }
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
      if (held) operation.backward(held.tensor, this.#inputsOf(operation), this.#keptBy(operation));
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

  /** Those of some variables that blocks made and no operation of this tape keeps, by buffers. */
  #ownOutputs(variables: readonly Var[]): Map<GPUBuffer, Var> {
    const own = variables.filter((one) => this.#outputsOfBlocks.has(one) && !this.#keeps(one.value));
    return new Map(own.map((one) => [one.value.buffer, one]));
  }

  /** @throws {Error} where a block has taken one of the variables in and has it in 16 bits */
  #requireWhole(variables: readonly Var[]): void {
    const taken = variables.find((variable) => this.#taken.has(variable));
    if (taken) {
      throw new Error(`Cannot take in "${taken.value.label}": a block took it in and has it in 16 bits`);
    }
  }

  /** Whether an operation keeps what lies in the tensor's buffer. */
  #keeps({ buffer }: Tensor): boolean {
    return this.#operations.some(({ operation: { keeps } }) =>
      Object.values(keeps).some((kept) => kept?.buffer === buffer)
    );
  }

  /** What operations keep, by buffers: several tensors where they see it under several shapes. */
  #keptTensors(): Map<GPUBuffer, Tensor<DType>[]> {
    const kept = new Map<GPUBuffer, Tensor<DType>[]>();
    for (const { operation } of this.#operations) {
      for (const tensor of Object.values(operation.keeps)) {
        if (tensor) kept.set(tensor.buffer, [...kept.get(tensor.buffer) ?? [], tensor]);
      }
    }
    return kept;
  }

  /** Frees what operations put out in a scope and none keeps. */
  #freeUnkept(scope: Scope): void {
    const kept = this.#keptTensors();
    for (const [buffer, tensor] of this.#made) {
      if (!kept.has(buffer) && scope.owns(tensor)) this.gpu.free(tensor);
    }
  }

  /** Brings what operations keep to 16 bits, where it is theirs and that saves bytes, and frees it. */
  #halve(isOwn: (tensor: Tensor) => boolean): Halved[] {
    const { gpu } = this;
    return [...this.#keptTensors().values()].flatMap((views): Halved[] => {
      const [whole] = views as [Tensor, ...Tensor[]];
      const count = elementCount(whole.shape);
      const isWhole = views.every(({ offset, shape, dtype }) =>
        dtype === "f32" && offset === 0 && elementCount(shape) === count
      );
      const bytes = (dtype: DType) => allocatedBytes(byteLength({ shape: whole.shape, dtype }));
      if (!isWhole || bytes("f16") >= bytes("f32") || !isOwn(whole)) return [];
      const half = toHalf(gpu, whole);
      gpu.free(whole);
      return [{ whole, half }];
    });
  }

  /** Brings them back to 32 bits, in the scope of the moment, for the backward pass. */
  #restore(halves: readonly Halved[]): void {
    for (const { whole, half } of halves) {
      this.#restored.set(whole.buffer, toFloat(this.gpu, half));
      this.gpu.free(half);
    }
  }

  /** What an operation keeps, as it is now. */
  #keptBy({ keeps }: Operation): Keeps {
    const entries = Object.entries(keeps).map(([name, tensor]) => {
      const now = tensor && this.#restored.get(tensor.buffer);
      return [name, now ? { ...tensor, buffer: now.buffer } : tensor];
    });
    return Object.fromEntries(entries);
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
    this.#requireWhole(operation.inputs);
    const output: Var = { value, needsGradient, ...overwritable && { overwritable } };
    this.#made.set(value.buffer, value);
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
