/** @file Holds a differentiable operation against its float64 reference: value, gradients, and who gets one. */
import { assertEquals } from "@std/assert";
import { createGradients } from "../../autodiff/gradients.ts";
import { Tape, type Var } from "../../autodiff/tape.ts";
import type { Shape } from "../../gpu/tensor.ts";
import { createRandom } from "../../numerics/random.ts";
import { assertClose } from "./assert_close.ts";
import { centralDifference } from "./central_difference.ts";
import { dot, type Matrix, matrix, randomMatrix } from "../reference/matrix.ts";
import { testGpu } from "./test_gpu.ts";
import { upload } from "./upload.ts";

/** One operation, at one point. */
export interface GradientCheck {
  /** Entries that f32 can hold, as `randomMatrix` gives them. */
  readonly inputs: readonly Matrix[];
  /** Shapes of the inputs' tensors where they are not `[rows, columns]`. */
  readonly shapes?: readonly (Shape | undefined)[];
  operation(tape: Tape, inputs: readonly Var[]): Var;
  reference(inputs: readonly Matrix[]): Matrix;
  /** Error of the value and of each gradient, as a share of its largest entry. 5e-6 by default: some f32 roundings. */
  readonly relative?: number;
  /** What is being checked, for errors. */
  readonly label?: string;
}

/**
 * Checks an operation's value and the gradients of all its inputs against central differences, (1) with all inputs
 * wanted, (2) with one wanted at a time, where the others must have no gradient, and (3) as parameters, whose gradients
 * are added to what their store holds, over two parts of a batch.
 */
export async function checkGradients(check: GradientCheck): Promise<void> {
  const { inputs, operation, reference, relative = 5e-6, label = "" } = check;
  const gpu = await testGpu();
  const value = reference(inputs), random = createRandom(99);
  const upstream = randomMatrix(value.rows, value.columns, random.fork("upstream"));
  const gradients = inputs.map((_, index) =>
    centralDifference(
      (data) =>
        dot(
          reference(data.map((entries, i) => matrix(inputs[i]!.rows, inputs[i]!.columns, entries))),
          upstream,
        ),
      inputs.map(({ data }) => data),
      index,
    )
  );
  const tensors = () => inputs.map((input, i) => upload(gpu, input, `input ${i}`, check.shapes?.[i]));
  const runBackward = (tape: Tape, variables: readonly Var[]) => {
    const output = operation(tape, variables);
    tape.backward(output, upload(gpu, upstream, "upstream", output.value.shape));
    return output;
  };

  const choices = [inputs.map(() => true), ...inputs.map((_, only) => inputs.map((_, i) => i === only))];
  for (const wanted of choices) {
    using _ = gpu.scope("gradient check");
    const tape = new Tape(gpu, createGradients(gpu, []));
    const variables = tensors().map((tensor, i) => wanted[i] ? tape.input(tensor) : tape.constant(tensor));
    const output = runBackward(tape, variables);
    const found = variables.map((variable) => tape.gradientOf(variable));
    assertEquals(
      found.map((gradient) => gradient !== null),
      wanted,
      `${label} gradients where ${wanted} are wanted`,
    );
    const present = found.flatMap((gradient, i) => gradient ? [{ gradient, i }] : []);
    present.forEach(({ gradient, i }) => assertEquals(gradient.shape, variables[i]!.value.shape));
    // One wait for all: it takes longer than the work.
    const [out, ...data] = await gpu.downloadAll([output.value, ...present.map(({ gradient }) => gradient)]);
    assertClose(out!, value.data, { relative }, `${label} value`);
    present.forEach(({ i }, place) =>
      assertClose(
        data[place]!,
        gradients[i]!,
        { relative, absolute: 1e-7 },
        `${label} gradient of input ${i}`,
      )
    );
  }

  using _ = gpu.scope("gradient check");
  const parameters = tensors().map((tensor, i) => ({ name: `parameter ${i}`, value: tensor }));
  const store = createGradients(gpu, parameters);
  const before = inputs.map((input, i) =>
    randomMatrix(input.rows, input.columns, random.fork(`before ${i}`))
  );
  parameters.forEach((parameter, i) => gpu.write(store.of(parameter), Float32Array.from(before[i]!.data)));
  for (let part = 0; part < 2; part++) {
    const tape = new Tape(gpu, store);
    runBackward(tape, parameters.map((parameter) => tape.parameter(parameter)));
  }
  const sums = await gpu.downloadAll(parameters.map((parameter) => store.of(parameter)));
  sums.forEach((sum, i) => {
    const wanted = before[i]!.data.map((entry, j) => entry + 2 * gradients[i]![j]!);
    assertClose(sum, wanted, { relative }, `${label} gradients added to parameter ${i}`);
  });
}
