/** @file The float64 references against PyTorch's numbers: two writings of the same formulas. */
import { assertClose } from "../support/assert_close.ts";
import { centralDifference } from "../support/central_difference.ts";
import { golden, goldenCase, goldenMatrix, type GoldenName } from "../golden/golden.ts";
import {
  factorGradients,
  type Gauge,
  loraProStep,
  loraStep,
  type LowRankState,
  weightChange,
} from "./low_rank.ts";
import { add, dot, type Matrix, matrix, norm, subtract } from "./matrix.ts";
import {
  type AdamMoments,
  adamwStep,
  attention,
  crossEntropy,
  crossEntropyGradient,
  gelu,
  geluTanh,
  layerNorm,
  quickGelu,
  rmsNorm,
  rotary,
  swiglu,
} from "./network.ts";

/** Both sides are float64 and sizes are tiny. */
const ROUNDING = { relative: 1e-12 };
/** Central differences with a step of 1e-5. */
const DIFFERENCE = { relative: 1e-8 };

/** Compares output and, by central differences, every gradient with the recorded ones. */
function compare(name: GoldenName, f: (...inputs: Matrix[]) => Matrix): void {
  const recorded = goldenCase(name);
  const inputs = Object.values(recorded.inputs);
  assertClose(f(...inputs).data, recorded.output.data, ROUNDING, `${name} output`);
  Object.entries(recorded.gradients).forEach(([input, gradient], index) => {
    const difference = centralDifference(
      (values) =>
        dot(
          f(...values.map((v, i) => matrix(inputs[i]!.rows, inputs[i]!.columns, v))),
          recorded.outputGradient,
        ),
      inputs.map((m) => m.data),
      index,
    );
    assertClose(difference, gradient.data, DIFFERENCE, `${name} gradient of ${input}`);
  });
}

Deno.test("rmsNorm() agrees with PyTorch, as do its gradients", () => {
  compare("rms_norm", (x, weight) => rmsNorm(x!, weight!.data, golden.rms_norm.options.epsilon));
});

Deno.test("layerNorm() agrees with PyTorch, as do its gradients", () => {
  compare("layer_norm", (x, weight, bias) => {
    return layerNorm(x!, weight!.data, bias!.data, golden.layer_norm.options.epsilon);
  });
});

Deno.test("gelu(), geluTanh() and quickGelu() agree with PyTorch, as do their gradients", () => {
  compare("gelu", (x) => gelu(x!));
  compare("gelu_tanh", (x) => geluTanh(x!));
  compare("quick_gelu", (x) => quickGelu(x!));
});

Deno.test("swiglu() agrees with PyTorch, as do its gradients", () => {
  compare("swiglu", (gate, up) => swiglu(gate!, up!));
});

Deno.test("rotary() agrees with Hugging Face's formulas in PyTorch, with and without Llama 3's frequencies", () => {
  compare("rotary", (x) => rotary(x!, golden.rotary.options));
  compare("rotary_llama3", (x) => rotary(x!, golden.rotary_llama3.options));
});

Deno.test("attention() agrees with PyTorch where it is causal, grouped and rotated, as do its gradients", () => {
  const options = golden.attention_causal_grouped_rotary.options;
  compare("attention_causal_grouped_rotary", (q, k, v) => {
    const turn = (x: Matrix, heads: number) => rotary(x, { ...options, heads });
    return attention(turn(q!, options.heads), turn(k!, options.keyValueHeads), v!, options);
  });
});

Deno.test("attention() agrees with PyTorch where every position sees all, as do its gradients", () => {
  compare("attention_plain", (q, k, v) => attention(q!, k!, v!, golden.attention_plain.options));
});

Deno.test("crossEntropy() agrees with PyTorch where targets are ignored, as does its gradient", () => {
  const { targets, options } = golden.cross_entropy;
  compare("cross_entropy", (logits) => {
    return matrix(1, 1, [crossEntropy(logits!, targets, options.count, options.ignore)]);
  });
  const { inputs, gradients } = goldenCase("cross_entropy");
  const gradient = crossEntropyGradient(inputs["logits"]!, targets, options.count, options.ignore);
  assertClose(gradient.data, gradients["logits"]!.data, ROUNDING);
});

Deno.test("adamwStep() agrees with torch.optim.AdamW for five steps, with and without weight decay", () => {
  for (const name of ["adamw", "adamw_weight_decay"] as const) {
    let parameter = goldenMatrix(golden[name].start), moments: AdamMoments | undefined;
    for (const step of golden[name].steps) {
      ({ parameter, moments } = adamwStep(
        parameter,
        goldenMatrix(step.gradient),
        moments,
        golden[name].options,
      ));
      assertClose(parameter.data, step.parameter.data, ROUNDING, name);
    }
  }
});

/** Follows a recorded trajectory on L = |W - target|^2 / 2 and compares the factors and the loss of each step. */
function follow(
  name: `lora${string}` & keyof typeof golden,
  step: (state: LowRankState, gradients: ReturnType<typeof factorGradients>) => LowRankState,
): void {
  const { problem, start, steps, options } = golden[name];
  const base = goldenMatrix(problem.base), target = goldenMatrix(problem.target);
  const error = (state: LowRankState) => subtract(add(base, weightChange(state)), target);
  let state: LowRankState = { a: goldenMatrix(start.a), b: goldenMatrix(start.b), scale: options.scale };
  steps.forEach((expected, index) => {
    state = step(state, factorGradients(error(state), state));
    assertClose(state.a.data, expected.a.data, { relative: 1e-10 }, `${name} A after step ${index + 1}`);
    assertClose(state.b.data, expected.b.data, { relative: 1e-10 }, `${name} B after step ${index + 1}`);
    assertClose([norm(error(state)) ** 2 / 2], [expected.loss], { relative: 1e-10 }, `${name} loss`);
  });
}

Deno.test("loraStep() follows torch.optim.AdamW on the factors from B = 0", () => {
  follow("lora_adamw", (state, gradients) => loraStep(state, gradients, golden.lora_adamw.options));
});

for (const mode of ["full", "efficient"] as const) {
  for (const gauge of ["zero", "sylvester", "symmetric"] as const satisfies readonly Gauge[]) {
    const name = `lora_pro_${mode}_${gauge}` as const;
    Deno.test(`loraProStep() follows PyTorch in mode "${mode}" with gauge "${gauge}"`, () => {
      const { learningRate } = golden[name].options;
      follow(name, (state, gradients) => {
        return loraProStep(state, gradients, { mode, gauge, damping: { relative: 0 }, learningRate });
      });
    });
  }
}

Deno.test('loraProStep() follows PyTorch in mode "sgd"', () => {
  const { learningRate } = golden.lora_pro_sgd_sylvester.options;
  follow("lora_pro_sgd_sylvester", (state, gradients) => {
    return loraProStep(state, gradients, {
      mode: "sgd",
      gauge: "sylvester",
      damping: { absolute: 0 },
      learningRate,
    });
  });
});
