import { assert, assertEquals } from "@std/assert";
import { createGradients, Tape } from "../autodiff/mod.ts";
import { fromInt8, toInt8 } from "../numerics/int8.ts";
import { fromNf4, toNf4 } from "../numerics/nf4.ts";
import { createRandom } from "../numerics/random.ts";
import { assertClose } from "./support/assert_close.ts";
import { testGpu } from "./support/test_gpu.ts";
import { differentiate } from "../training/loop/differentiate.ts";
import { plainForward } from "../training/loop/forward.ts";
import { gpt2, type ModelEntry, textClassifier, useLite } from "../models/entry.ts";
import * as models from "../models/mod.ts";
import type { Batch } from "../models/model.ts";
import { initialWeights, type WeightSource } from "../models/weights.ts";

const tied = gpt2({
  id: "gpt2-tied",
  title: "GPT-2",
  config: {
    ...{ vocabulary: 57, width: 60, layers: 1, heads: 4, hidden: 100, length: 20, normEpsilon: 1e-5 },
    activation: "gelu-tanh",
    tiedHead: true,
  },
  recipe: null,
});
const encoders = (["bert", "deberta"] as const).map((kind) =>
  textClassifier({
    id: kind,
    title: kind,
    config: {
      ...{ vocabulary: 57, width: 60, layers: 1, heads: 4, hidden: 100, length: 20, outputs: 3 },
      ...{ kind, activation: "gelu", normEpsilon: 1e-12, types: 0, paddingToken: 1 } as const,
      ...(kind === "deberta" ? { relative: { buckets: 8, maxPosition: 20 } } : {}),
    },
    recipe: null,
  })
);
const sentences = useLite({
  id: "sentences",
  title: "Sentence encoder",
  config: {
    ...{ vocabulary: 57, embedding: 36, width: 60, layers: 1, heads: 4, hidden: 100, length: 20 },
    normEpsilon: 1e-6,
  },
  recipe: null,
}).withNewHead!(3);
const entries: readonly ModelEntry[] = [models.decoderTiny, tied, models.t5Tiny, ...encoders, sentences];

/** Three short texts. */
function batchFor({ family, outputs, vocabulary = outputs }: ModelEntry): Batch {
  const tokens = (seed: number) => ({
    data: Int32Array.from(createRandom(seed).integers(3 * 5, vocabulary)),
    shape: [3, 5],
  });
  if (family === "decoder") return { family, tokens: tokens(1), targets: tokens(2) };
  if (family === "encoder") {
    const mask = { data: new Uint32Array(15).fill(1), shape: [3, 5] };
    return { family, tokens: tokens(1), mask, targets: { data: Int32Array.of(0, 2, 1), shape: [3] } };
  }
  const inputMask = { data: new Uint32Array(15).fill(1), shape: [3, 5] };
  return { family: "encoder-decoder", inputs: tokens(1), inputMask, targets: tokens(2) };
}

for (const entry of entries) {
  Deno.test(`${entry.id} with frozen tables computes with the numbers that are kept, forward and backward`, async () => {
    const gpu = await testGpu(), batch = batchFor(entry);
    const source = initialWeights(createRandom(1));
    const tables = entry.tables!;
    assertEquals(tables.length, entry === models.decoderTiny ? 2 : 1);
    for (const type of ["int8", "nf4"] as const) {
      using _ = gpu.scope("frozen tables");
      const kept: WeightSource = (name, shape) => {
        const data = source(name, shape), { length } = data;
        if (!tables.includes(name)) return data;
        return Float32Array.from(
          type === "int8" ? fromInt8(toInt8(data), length) : fromNf4(toNf4(data), length),
        );
      };
      const seed = gpu.upload(Float32Array.of(1), "f32", [1], "seed");
      const resultOf = async (precise: boolean) => {
        const model = precise
          ? entry.create(gpu, kept)
          : entry.create(gpu, source, new Map(tables.map((name) => [name, type])));
        const others = model.parameters.filter(({ name }) => !tables.includes(name));
        assertEquals(model.parameters.length - others.length, precise ? tables.length : 0);
        const store = createGradients(gpu, others);
        const loss = differentiate(gpu, model, batch, store, { parts: 1, seed, forward: plainForward });
        const logits = model.logits(plainForward(new Tape(gpu, createGradients(gpu, []))), batch).value;
        const gradients = others.map((one) => store.of(one));
        return {
          names: others.map(({ name }) => name),
          data: await gpu.downloadAll([loss, logits, ...gradients]),
        };
      };
      const found = await resultOf(false), wanted = await resultOf(true);
      assertEquals(found.names, wanted.names);
      assert(found.data[1]!.some((value) => value !== 0));
      found.data.forEach((data, i) => {
        assertClose(
          data,
          wanted.data[i]!,
          { relative: 2e-5, absolute: 1e-7 },
          `${type} ${i} ${found.names[i - 2]}`,
        );
      });
    }
  });
}
