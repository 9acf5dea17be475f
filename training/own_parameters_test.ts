/** @file Methods that train parameters of the model itself, and adapt no map. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../errors/user_error.ts";
import type { ModelEntry } from "../models/entry.ts";
import * as models from "../models/mod.ts";
import { isOfKind } from "../models/parameter_kind.ts";
import * as optimizers from "../optimizers/mod.ts";
import { READING, testNeeding } from "../tests/support/test_needing.ts";
import { testGpu } from "../tests/support/test_gpu.ts";
import { complete, partsOf, withoutScoring } from "../tests/support/tiny_runs.ts";
import { runSession } from "./loop/session.ts";

const test = testNeeding(READING);

/** A model's parameters by name after one step of a method, and as they were. */
async function afterStep(id: string) {
  const gpu = await testGpu();
  const config = complete({
    optimizer: { id, options: {} },
    steps: 1,
    validateEvery: 1,
    telemetryEvery: 0,
    // The norm of all gradients would differ with what is trained.
    clip: 0,
    schedule: { kind: "constant", learningRate: 1e-2, warmup: 0, floor: 1 },
  });
  const parts = withoutScoring(await partsOf(config)), after = new Map<string, Float32Array>();
  await runSession(gpu, config, {
    ...parts,
    async onTrained({ parameters }) {
      const data = await gpu.downloadAll(parameters.map(({ value }) => value));
      parameters.forEach(({ name }, i) => after.set(name, data[i]!));
    },
  }, {});
  const before = new Map(parts.entry.parameters.map(({ name, shape }) => [name, parts.source(name, shape)]));
  return { before, after };
}

test("norms and biases train what they are called by, as full fine-tuning's first step does there, and nothing else", async () => {
  const { after: full } = await afterStep("full");
  for (const [id, kind] of [["norms", "gains"], ["biases", "biases"]] as const) {
    const { before, after } = await afterStep(id), moved: string[] = [];
    for (const [name, values] of after) {
      const isTrained = isOfKind(kind, name);
      assertEquals(values, isTrained ? full.get(name) : before.get(name), `${id}: ${name}`);
      if (isTrained && values.some((value, i) => value !== before.get(name)![i])) moved.push(name);
    }
    // A bias of keys moves no score, so its gradient is 0 but for rounding.
    assert(moved.length > 7, moved.join(", "));
  }
});

Deno.test("norms and biases refuse models that lack what they train, by name", () => {
  const configOf = (id: string, model: ModelEntry) =>
    complete({
      optimizer: { id, options: {} },
      model: { id: model.id },
      task: {
        id: { "vision": "digits", "encoder-decoder": "acceptability" }[model.family as string] ??
          "arithmetic",
        trainExamples: 40,
        validationExamples: 12,
        testExamples: 10,
      },
    });
  for (const model of [models.decoderTiny, models.t5Tiny]) {
    assertThrows(
      () => configOf("biases", model),
      UserError,
      `Cannot use "biases" on model "${model.id}": it trains biases, and the model has none`,
    );
    assertEquals(configOf("norms", model).optimizer.id, "norms");
  }
  assertEquals(configOf("biases", models.vitTiny).optimizer.id, "biases");
  assertEquals(optimizers.norms.alsoTrains, ["gains"]);
});
