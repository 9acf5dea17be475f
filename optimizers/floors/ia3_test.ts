import { assertEquals, assertLess } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import type { ModelEntry } from "../../models/entry.ts";
import * as models from "../../models/mod.ts";
import { type Matrix, matrix, multiply, randomMatrix, subtract, zip } from "../../tests/reference/matrix.ts";
import { type AdamMoments, adamwStep } from "../../tests/reference/network.ts";
import { onQuadratics } from "../../tests/support/low_rank_problems.ts";
import { relativeError } from "../../tests/support/quadratic.ts";
import { full } from "../full.ts";
import type { OptimizerModule, Options } from "../optimizer.ts";
import { ia3, type Ia3Options, scaledSide } from "./ia3.ts";

const module = ia3 as unknown as OptimizerModule;

function problem(name: string, rows: number, columns: number) {
  const random = createRandom(rows * columns);
  return {
    name,
    base: randomMatrix(rows, columns, random.fork("base")),
    target: randomMatrix(rows, columns, random.fork("target")),
  };
}

const ones = (rows: number, columns: number) =>
  matrix(rows, columns, new Float64Array(rows * columns).fill(1));

Deno.test("ia3 follows float64 at outputs and inputs, with decay, and leaves other maps as they are", async () => {
  const maps = [
    problem("layers.0.self_attn.v_proj", 6, 11),
    problem("layers.0.mlp.fc2", 5, 12),
    problem("layers.0.self_attn.q_proj", 4, 7),
  ];
  await onQuadratics(module, { weightDecay: 0.5 }, maps, async (run) => {
    assertEquals(run.optimizer.trainable.map(({ name, value }) => [name, value.shape]), [
      ["layers.0.self_attn.v_proj.l", [6]],
      ["layers.0.mlp.fc2.l", [12]],
    ]);
    const states = maps.slice(0, 2).map(({ base, target }, i) => ({
      ...{ base, target, isInputs: i === 1 },
      l: i === 1 ? ones(1, 12) : ones(6, 1),
      moments: undefined as AdamMoments | undefined,
    }));
    type State = typeof states[number];
    /** diag(l) W, or W diag(l). */
    const scaled = ({ isInputs, base }: State, l: Matrix) =>
      zip(
        base,
        isInputs ? multiply(ones(base.rows, 1), l) : multiply(l, ones(1, base.columns)),
        (w, l) => w * l,
      );
    for (let step = 1; step <= 5; step++) {
      const found = await run.gradients();
      assertEquals(found[2]!.equivalent.data.every((value) => value === 0), true);
      states.forEach((state, i) => {
        const { base, target, isInputs, l } = state;
        const g = zip(subtract(scaled(state, l), target), base, (g, w) => g * w);
        const ofL = isInputs ? multiply(ones(1, g.rows), g) : multiply(g, ones(g.columns, 1));
        assertLess(relativeError(found[i]!.equivalent, scaled(state, ofL)), 1e-5, `g̃ of ${i}, step ${step}`);
        const how = { step, learningRate: 0.02, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.5 };
        const next = adamwStep(l, ofL, state.moments, how);
        Object.assign(state, { l: next.parameter, moments: next.moments });
      });
      await run.step(step, 0.02);
      const weights = (await run.read()).map(({ weight }) => weight);
      states.forEach((state, i) =>
        assertLess(relativeError(weights[i]!, scaled(state, state.l)), 1e-5, `map ${i}, step ${step}`)
      );
      assertEquals(Float32Array.from(weights[2]!.data), Float32Array.from(maps[2]!.base.data));
    }
  });
});

Deno.test("ia3 of a column of ones by outputs, and of a row of ones by inputs, is full fine-tuning", async () => {
  const maps = [problem("h.0.attn.c_attn", 9, 1), problem("h.0.mlp.c_proj", 1, 9)]
    .map((one) => ({ ...one, base: ones(one.base.rows, one.base.columns) }));
  const trained = (method: OptimizerModule, options: Options) =>
    onQuadratics(method, options, maps, async (run) => {
      for (let step = 1; step <= 5; step++) await run.step(step, 0.05);
      return (await run.read()).map(({ weight }) => weight);
    });
  const wanted = await trained(full as unknown as OptimizerModule, { trains: "targetModules" });
  const found = await trained(module, {});
  found.forEach((weight, i) => assertLess(relativeError(weight, wanted[i]!), 1e-6));
});

Deno.test("scaledSide() finds keys, values and second maps in every model, and by all every map", () => {
  for (const { id, targetModules } of Object.values(models) as ModelEntry[]) {
    const all = targetModules(), sides = all.map(({ name }) => scaledSide({ maps: "paper" }, name));
    const second = all.filter((_, i) => sides[i] === "inputs"),
      outputs = all.filter((_, i) => sides[i] === "outputs");
    // A block has one second map, and an attention a map of keys for each of values.
    assertEquals(outputs.length % 2, 0, id);
    assertEquals(second.length > 0 && outputs.length > 0, true, id);
    for (const { name, in: columns, out } of second) assertLess(out, columns, `${id} ${name}`);
    const rest = all.filter((_, i) => sides[i] === null);
    for (const { name } of rest) assertEquals(scaledSide({ maps: "all" }, name), "outputs", `${id} ${name}`);
  }
  const sideOf = (name: string) => scaledSide({ maps: "paper" }, name);
  const sides = {
    "h.0.attn.c_attn": "outputs",
    "h.0.attn.c_proj": null,
    "h.0.mlp.c_proj": "inputs",
    "layer.0.attention.self.key": "outputs",
    "layer.0.attention.output.dense": null,
    "layer.0.output.dense": "inputs",
    "layer.0.intermediate.dense": null,
    "layer.0.attention.v_lin": "outputs",
    "layer.0.ffn.lin2": "inputs",
    "encoder.block.0.layer.1.DenseReluDense.wi_1": null,
    "decoder.block.0.layer.1.EncDecAttention.v": "outputs",
  };
  for (const [name, side] of Object.entries(sides)) assertEquals(sideOf(name), side, name);
});

Deno.test("ia3 refuses target modules of which it scales none, and other words for which", () => {
  const refusal = (options: Partial<Ia3Options>, ...names: string[]) =>
    ia3.validate(
      { ...ia3.defaults, ...options },
      names.map((name) => ({ name, in: 4, out: 6 })),
      100,
    );
  assertEquals(refusal({}, "layers.0.self_attn.q_proj", "layers.0.self_attn.k_proj"), null);
  assertEquals(
    refusal({}, "layers.0.self_attn.q_proj", "layers.0.mlp.fc1"),
    'maps is "paper", and no target module is a map of keys or values or the second of a feed-forward part; "all" scales the outputs of others',
  );
  assertEquals(refusal({ maps: "all" }, "layers.0.self_attn.q_proj"), null);
  assertEquals(
    refusal({ maps: "some" }, "layers.0.self_attn.k_proj"),
    'maps is "some", known are paper, all',
  );
  assertEquals(
    [ia3.describe(ia3.defaults), ia3.describe({ ...ia3.defaults, maps: "all" })],
    ["keys, values, feed-forward", "all target modules"],
  );
});
