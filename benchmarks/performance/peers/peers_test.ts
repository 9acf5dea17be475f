import { assert, assertEquals, assertGreater, assertLess, assertStringIncludes } from "@std/assert";
import { type DecoderConfig, decoderParameters } from "../../../models/decoder.ts";
import { initialWeights } from "../../../models/weights.ts";
import { createRandom } from "../../../numerics/random.ts";
import { assertClose } from "../../../tests/support/assert_close.ts";
import { centralDifference } from "../../../tests/support/central_difference.ts";
import { type Matrix, matrix, zip } from "../../../tests/reference/matrix.ts";
import * as reference from "../../../tests/reference/network.ts";
import { testGpu } from "../../../tests/support/test_gpu.ts";
import { READING, testNeeding } from "../../../tests/support/test_needing.ts";
import { type Contestant, interleave } from "./interleave.ts";
import { formatOutcome, formatTable, lossDifference, type Outcome, type Row } from "./outcome.ts";
import { ours } from "./ours.ts";
import { createProblem, type Problem, variants } from "./problem.ts";
import { productFlops, weightMaps } from "./products.ts";

const test = testNeeding(READING);

Deno.test("createProblem() gives every library the same numbers each time, with targets one token ahead", () => {
  assertEquals(variants.map((variant) => createProblem(variant).label), [
    "L2 V64",
    "L2 V256",
    "L4 V64",
    "L4 V256",
  ]);
  const problem = createProblem(variants[0]!);
  assertEquals(problem, createProblem(variants[0]!));
  for (const { tokens, targets } of problem.batches) {
    assertEquals(tokens.shape, [16, 64]);
    assert(tokens.data.every((token) => token >= 0 && token < 64));
    for (let row = 0; row < 16; row++) {
      assertEquals(
        targets.data.slice(row * 64, row * 64 + 63),
        tokens.data.slice(row * 64 + 1, row * 64 + 64),
      );
    }
  }
});

Deno.test("weightMaps() are the projections and the output layer; productFlops() counts three products of each", () => {
  const problem = createProblem({ layers: 2, vocabulary: 64 });
  const maps = weightMaps(problem);
  assertEquals(maps.length, 2 * 7 + 1);
  assertEquals(maps.at(-1), { rows: 1024, in: 128, out: 64 });
  const parameters = 2 * (4 * 128 * 128 + 3 * 128 * 344) + 64 * 128;
  assertEquals(productFlops(maps), 6 * 1024 * parameters);
});

Deno.test("interleave() lets contestants take turns and gives medians per unit", async () => {
  let now = 0;
  const log: string[] = [];
  const contestant = (name: string, ms: (call: number) => number): Contestant => {
    let calls = 0;
    return {
      share: 100,
      run(units) {
        log.push(`${name}${units}`);
        now += 10 + units * ms(calls++);
        return Promise.resolve();
      },
    };
  };
  const timings = await interleave([
    // Quick, but each run waits 10 ms: one unit alone looks like 11 ms. The first call compiles for a second.
    contestant("a", (call) => call === 0 ? 1000 : 1),
    contestant("b", (call) => [500, 300, 290, 790, 390][call]!),
  ], { rounds: 3, clock: { now: () => now, cpu: () => 2 * now } });
  assertEquals(log.slice(-6), ["a47", "b1", "a47", "b1", "a47", "b1"]);
  const [a, b] = timings;
  assertClose([a!.ms, a!.cpuMs], [57 / 47, 2 * 57 / 47], { relative: 1e-12 });
  assertEquals(b, { ms: 400, cpuMs: 800, spread: [300, 800], units: 1 });
});

Deno.test("lossDifference() is relative to ours, and infinite for what cannot be compared", () => {
  assertClose([lossDifference([4, 2], [4.004, 1.99])], [0.005], { relative: 1e-9 });
  assertEquals(lossDifference([4, 2], [4]), Infinity);
  assertEquals(lossDifference([4, 2], [4, NaN]), Infinity);
});

const timed: Row = {
  ...{ config: "L2 V64", name: "ours", backend: "webgpu", msPerStep: 100, loss: 3.7 },
  ...{ losses: [4, 3.7], lossDifference: 0, firstStepMs: 1500, spread: [90, 120], steps: 8, rounds: 5 },
};
const outcome: Outcome = {
  adapter: "a made-up adapter",
  rows: [
    timed,
    { ...timed, name: "tfjs", msPerStep: 250, lossDifference: 2e-7, note: "a note" },
    {
      ...timed,
      name: "pytorch",
      backend: "cpu",
      msPerStep: null,
      loss: null,
      error: "No module named 'torch'",
    },
  ],
  ourStep: {
    configs: [{
      ...{
        config: "L2 V64",
        gflop: 2.5,
        matmulMs: 80,
        matmulGflops: 31.25,
        stepMs: 100,
        stepOverMatmuls: 1.25,
      },
      ...{
        byCpuTime: { stepOverMatmuls: 1.3, shareOfBest: 0.6 },
        bestGflops: 50,
        bestProduct: "1024 x 512 x 512",
        shareOfBest: 0.625,
      },
    }],
  },
  method: "As it was.",
};

Deno.test("formatOutcome() gives ratios to ours, and names who did not run", () => {
  const text = formatOutcome(outcome),
    line = (start: RegExp) => text.split("\n").find((line) => start.test(line))!;
  assertStringIncludes(line(/tfjs/), "2.50x");
  assertStringIncludes(line(/tfjs/), "a note");
  assertStringIncludes(line(/pytorch/), "did not run: No module named 'torch'");
  assertStringIncludes(text, "63%");
  assertEquals(formatTable(["a", "b"], [["long", "x"], ["s", "a sentence that runs on"]]).split("\n"), [
    "a     b",
    "long  x",
    "s     a sentence that runs on",
  ]);
});

test("The peers' own packages match the project's where both name one", async () => {
  const read = async (path: string) =>
    JSON.parse(await Deno.readTextFile(new URL(path, import.meta.url))) as {
      imports: Record<string, string>;
    };
  const [project, own] = [await read("../../../deno.json"), await read("./deno.json")];
  for (const [name, version] of Object.entries(own.imports)) {
    if (name in project.imports) assertEquals(version, project.imports[name]);
    else assert(/jax|tfjs/.test(name), name);
  }
});

/** A problem small enough for finite differences. */
function tinyProblem(): Problem {
  const decoder: DecoderConfig = {
    ...{ vocabulary: 5, width: 4, layers: 1, heads: 2, keyValueHeads: 2, headSize: 2, hidden: 3, length: 4 },
    ...{ normEpsilon: 1e-5, ropeTheta: 100, tiedHead: false },
  };
  const random = createRandom(5), source = initialWeights(random);
  const shape = [2, 4];
  const draw = (label: string) => ({
    data: Int32Array.from(random.fork(label).integers(8, decoder.vocabulary)),
    shape,
  });
  return {
    label: "tiny",
    decoder,
    batch: 2,
    // A table of deviation 0.02 would leave the norms' epsilon in charge.
    weights: decoderParameters(decoder).map(({ name, shape }) => ({
      name,
      shape,
      data: source(name, shape).map((value) => name.includes("embed") ? 20 * value : value),
    })),
    batches: ["first", "second"].map((name) => ({
      family: "decoder",
      tokens: draw(`${name} tokens`),
      targets: draw(`${name} targets`),
    })),
    adamw: { learningRate: 0.02, beta1: 0.9, beta2: 0.99, epsilon: 1e-6, weightDecay: 0.1 },
  };
}

/** The decoder's loss in float64, as `tests/reference/network.ts` has its parts. */
function referenceLoss(
  { decoder, batch, weights }: Problem,
  values: readonly Float64Array[],
  step: number,
): number {
  const { heads, keyValueHeads, headSize, length, normEpsilon, ropeTheta } = decoder;
  const { tokens, targets } = tinyProblem().batches[step]!;
  const weight = (name: string): Matrix => {
    const i = weights.findIndex((weight) => weight.name === `${name}.weight`), { shape } = weights[i]!;
    return matrix(shape.length === 1 ? 1 : shape[0]!, shape.at(-1)!, values[i]!);
  };
  const block = (name: string) => weight(`model.layers.0.${name}`);
  const shape = { batch, length, heads, headSize };
  const turn = (x: Matrix) => reference.rotary(x, { ...shape, theta: ropeTheta });
  const add = (a: Matrix, b: Matrix) => zip(a, b, (p, q) => p + q);
  const embedding = weight("model.embed_tokens");
  let x = matrix(
    batch * length,
    decoder.width,
    Float64Array.from([...tokens.data].flatMap((token) => [
      ...embedding.data.slice(token * decoder.width, (token + 1) * decoder.width),
    ])),
  );
  const y = reference.rmsNorm(x, block("input_layernorm").data, normEpsilon);
  const [q, k, v] = ["q", "k", "v"].map((name) => reference.linear(y, block(`self_attn.${name}_proj`)));
  const mixed = reference.attention(turn(q!), turn(k!), v!, {
    ...shape,
    keyValueHeads,
    causal: true,
    scale: headSize ** -0.5,
  });
  x = add(x, reference.linear(mixed, block("self_attn.o_proj")));
  const z = reference.rmsNorm(x, block("post_attention_layernorm").data, normEpsilon);
  const inner = reference.swiglu(
    reference.linear(z, block("mlp.gate_proj")),
    reference.linear(z, block("mlp.up_proj")),
  );
  x = add(x, reference.linear(inner, block("mlp.down_proj")));
  const last = reference.rmsNorm(x, weight("model.norm").data, normEpsilon);
  return reference.crossEntropy(reference.linear(last, weight("lm_head")), targets.data, batch * length);
}

Deno.test("ours() takes the steps that float64 takes with finite differences", async () => {
  const problem = tinyProblem();
  let values: Float64Array[] = problem.weights.map(({ data }) => Float64Array.from(data));
  let moments: (reference.AdamMoments | undefined)[] = values.map(() => undefined);
  const wanted: number[] = [];
  for (let step = 0; step < 4; step++) {
    const loss = (values: readonly Float64Array[]) => referenceLoss(problem, values, step % 2);
    wanted.push(loss(values));
    const next = values.map((value, i) =>
      reference.adamwStep(
        matrix(1, value.length, value),
        matrix(1, value.length, centralDifference(loss, values, i)),
        moments[i],
        problem.adamw,
      )
    );
    values = next.map(({ parameter }) => parameter.data);
    moments = next.map(({ moments }) => moments);
  }
  assertGreater(Math.abs(wanted[2]! - wanted[0]!), 0.01);
  await using trainer = await ours(await testGpu()).open(problem);
  const losses = [...await trainer.train(1), ...await trainer.train(3)];
  assertLess(lossDifference(wanted, losses), 1e-5);
});
