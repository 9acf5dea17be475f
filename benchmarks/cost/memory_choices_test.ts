import { assert, assertEquals, assertLess } from "@std/assert";
import * as registered from "../../models/mod.ts";
import type { ModelEntry } from "../../models/entry.ts";
import * as optimizers from "../../optimizers/mod.ts";
import type { KnownOptimizer } from "../../training/configuration.ts";
import { cardFor, memoryChoices, PRECISIONS, tableBytes } from "./memory_choices.ts";

const models: Readonly<Record<string, ModelEntry>> = { ...registered };
const asked = (module: object, options: object = {}) => {
  const known = module as KnownOptimizer;
  return { module: known, options: { ...known.defaults, ...options } };
};

Deno.test("memoryChoices() takes less with each choice that saves memory, and less by what frozen weights are kept in", () => {
  const lengths = { input: 512, target: 0 }, model = models["llama32Small"]!;
  const [kept, halved, again, rounded] = memoryChoices(model, [asked(optimizers.lora, { rank: 8 })], {
    lengths,
    batchSize: 1,
  });
  assertEquals(
    [kept, halved, again, rounded].map((one) => [one!.checkpointing, one!.activations, one!.rank]),
    [
      ["none", "f32", 8],
      ["none", "f16", 8],
      ["blocks", "f32", 8],
      ["blocks-f16", "f32", 8],
    ],
  );
  // Frozen maps of 973,078,528 numbers, in bits each; what lies between them is far below a hundredth.
  const bits = { f32: 32, f16: 16, int8: 8.5, nf4: 4 + 8 / 64 + 32 / 64 / 256 };
  for (const { peakBytes } of [kept!, halved!, again!, rounded!]) {
    for (const one of PRECISIONS) {
      const saved = (32 - bits[one]) / 8 * 973_078_528;
      assertLess(Math.abs(peakBytes.f32! - peakBytes[one]! - saved), 0.01 * peakBytes.f32!, one);
    }
  }
  // At the loss, where most is alive, all 16 blocks have theirs in 2 bytes less: 6.5 times the width, of which keys and values take a
  // quarter each, and 3 times 8192.
  const halves = kept!.peakBytes.nf4! - halved!.peakBytes.nf4!, keptOfBlock = 512 * (6.5 * 2048 + 3 * 8192);
  assertLess(Math.abs(halves - 16 * 2 * keptOfBlock), 0.05 * 16 * 2 * keptOfBlock);
  assertLess(again!.peakBytes.nf4!, 0.65 * kept!.peakBytes.nf4!);
  // Of 16 blocks, what 15 hand on is kept in 2 bytes less; while a block is computed its input is there in 4.
  const saved = again!.peakBytes.nf4! - rounded!.peakBytes.nf4!, stream = 512 * 2048;
  assertLess(Math.abs(saved - (15 * 2 - 4) * stream), 0.1 * 26 * stream);
});

Deno.test("memoryChoices() leaves out what a method can't take: full fine-tuning trains the weights", () => {
  const lengths = { input: 1, target: 0 };
  const [full] = memoryChoices(models["clipVitB16"]!, [asked(optimizers.full)], { lengths, batchSize: 8 });
  const { f32, ...others } = full!.peakBytes;
  assert(f32! > 4 * 86e6 * 4, `${f32} bytes: weights, gradients and two moments`);
  assertEquals([full!.rank, others], [null, { f16: null, int8: null, nf4: null }]);
});

Deno.test("tableBytes() tells what a vocabulary's tables take in each precision, of models that have them", () => {
  const { f32, f16, int8, nf4 } = tableBytes(models["llama32Small"]!)!, numbers = 128_256 * 2048;
  [[f32, 32], [f16, 16], [int8, 8.5], [nf4, 4 + 8 / 64 + 32 / 64 / 256]].forEach(([bytes, bits]) => {
    const exact = numbers * bits! / 8;
    // Rounded up to 16 MiB at most.
    assert(bytes! >= exact && bytes! < exact + 2 ** 24 + 2048, `${bits} bits: ${bytes}`);
  });
  assertEquals(tableBytes(models["clipVitB16"]!), null);
});

Deno.test("cardFor() names the smallest card with a tenth to spare, and none where no card would do", () => {
  assertEquals([1, 7.2e9, 7.21e9, 21.6e9, 126e9, 127e9].map(cardFor), [8, 8, 12, 24, 141, null]);
});
