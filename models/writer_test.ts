import { assertEquals, assertThrows } from "@std/assert";
import { createGradients, Tape } from "../autodiff/mod.ts";
import { createRandom } from "../numerics/random.ts";
import { assertClose } from "../tests/support/assert_close.ts";
import { testGpu } from "../tests/support/test_gpu.ts";
import { scoresAfter, WRITERS } from "../tests/support/writers.ts";
import { mergedForward } from "../training/loop/forward.ts";

for (const [name, create] of Object.entries(WRITERS)) {
  Deno.test(`What a model keeps of texts gives the scores of whole passes, whatever is written: ${name}`, async () => {
    const gpu = await testGpu();
    using _ = gpu.scope("writer");
    const model = create(gpu), writer = model.writer!;
    const random = createRandom(6);
    let texts = [5, 1, 8, 3].map((length, i) => ({
      prompt: [...random.fork(`prompt ${i}`).integers(length, 11)],
      written: [] as number[],
    }));
    const forward = mergedForward(new Tape(gpu, createGradients(gpu, [])), new Map());
    const continuation = writer.begin(forward, texts.map(({ prompt }) => prompt), 10);
    for (let step = 0; step < 10; step++) {
      if (step === 3) {
        // Some alone, one of them twice, in another order.
        continuation.select([3, 0, 3]);
        texts = [texts[3]!, texts[0]!, { ...texts[3]!, written: [...texts[3]!.written] }];
      }
      using _ = gpu.scope("step");
      const drawn = texts.map((_, i) => random.fork(`token ${i} ${step}`).integers(1, 11)[0]!);
      const scores = step === 0 ? continuation.prompted : continuation.next(drawn);
      if (step > 0) texts.forEach(({ written }, i) => written.push(drawn[i]!));
      const found = await gpu.download(scores.value), width = found.length / texts.length;
      for (const [i, { prompt, written }] of texts.entries()) {
        const wanted = await scoresAfter(gpu, model, new Map(), prompt, written);
        // Scores of some tens and more, of weights several times their usual size.
        assertClose(
          found.subarray(i * width, (i + 1) * width),
          wanted,
          { relative: 2e-5 },
          `text ${i}, step ${step}`,
        );
      }
    }
  });

  Deno.test(`A model refuses to begin texts without a token, or with too many: ${name}`, async () => {
    const gpu = await testGpu();
    using _ = gpu.scope("writer");
    const model = create(gpu), forward = mergedForward(new Tape(gpu, createGradients(gpu, [])), new Map());
    const begin = (length: number) => () =>
      model.writer!.begin(forward, [[1], new Array<number>(length).fill(1)], 2);
    assertThrows(begin(0), RangeError, "Cannot continue prompt 1 of 0 tokens: 1 to");
    assertThrows(begin(41), RangeError, "Cannot continue prompt 1 of 41 tokens: 1 to");
    assertThrows(
      () => model.writer!.begin(forward, [[1], [1, 99]], 2),
      RangeError,
      "Cannot gather row 99",
    );
    // Neither beyond what the task takes nor beyond what the model does.
    assertEquals([model.writer!.room(13, 12), model.writer!.room(41, 1000)], [0, 0]);
  });
}
