import { assert, assertEquals, assertRejects } from "@std/assert";
import { optdigitsFile, withDataFolder } from "../tests/data_folder.ts";
import { sharedData } from "../tests/shared_data.ts";
import { arithmetic } from "./math/arithmetic.ts";
import { DataError } from "./data/data_error.ts";
import { digits } from "./images/digits.ts";
import { writingPredictor } from "../tests/scripted_predictor.ts";
import { IGNORE } from "../models/model.ts";
import { decode, encode, STOP } from "./text/tokenizer.ts";

const options = { seed: 0, trainExamples: 20, validationExamples: 4, testExamples: 5 };

Deno.test("digits takes real images: resized, from -1 to 1, with a record of what it read", async () => {
  await withDataFolder(
    { "optdigits.tra": optdigitsFile(17), "optdigits.tes": optdigitsFile(9) },
    async (data) => {
      await assertRejects(
        () => digits.load({ ...options, data }),
        DataError,
        `Cannot take 20 training examples of "digits": there are `,
      );
    },
  );
  const path = sharedData("optdigits");
  if (path === null) return;
  const data = await digits.load({ ...options, trainExamples: 1400, testExamples: 179, data: path });
  assertEquals(data.needs, { family: "vision", outputs: 10, inputSize: 28 });
  assertEquals(data.source!.title, "optdigits");
  assertEquals(Object.values(data.source!.records).reduce((sum, { read }) => sum + read, 0), 1797);
  const batch = data.trainBatch(1, 7);
  assert(batch.family === "vision");
  assertEquals(batch.pixels.shape, [7, 1, 28, 28]);
  assert(
    batch.pixels.data.every((value) => value >= -1 && value <= 1) && new Set(batch.pixels.data).size > 20,
  );
  assertEquals(data.source!.fingerprint, await digits.realData!.fingerprint(path));
});

Deno.test("digits refuses more classes than the model has, and a folder without images, by name", async () => {
  await withDataFolder({ "optdigits.tra": optdigitsFile(200, (i) => i % 12) }, async (data) => {
    await assertRejects(
      () => digits.load({ ...options, data }),
      DataError,
      `Cannot use ${data} for "digits": it has 12 classes, 10 at most are needed`,
    );
  });
  await withDataFolder({ "train.tsv": "a\tb\n" }, async (data) => {
    await assertRejects(() => digits.load({ ...options, data }), DataError, `Cannot find data in ${data}`);
  });
});

Deno.test("arithmetic takes the real questions that fit, counts the others, and scores final answers", async () => {
  const line = (question: string, answer: string) => `${JSON.stringify({ question, answer })}\n`;
  const fitting = Array.from(
    { length: 40 },
    (_, i) => line(`Tom has ${i}, gets 2.`, `${i}+2=<<${i}+2=${i + 2}>>${i + 2}\n#### ${i + 2}`),
  );
  const file = [
    ...fitting,
    line("How much is $5?", "#### 5"),
    line("why ".repeat(30), "#### 1"),
    line("x", "no"),
  ].join("");
  await withDataFolder({ "train.jsonl": file }, async (path) => {
    const data = await arithmetic.load({ ...options, testExamples: 4, data: path });
    const records = Object.values(data.source!.records);
    assertEquals(records.reduce((sum, { read }) => sum + read, 0), 43);
    assertEquals(data.source!.records["train"]!.skipped, {
      "longer than 80 tokens": 1,
      "with characters that the tokenizer lacks": 1,
      "without a final answer behind ####": 1,
    });
    const batch = data.trainBatch(1, 3);
    assert(batch.family === "decoder");
    const row = [...batch.tokens.data.subarray(0, 80)];
    const text = decode(row.slice(0, row.indexOf(STOP)));
    const [, start] = /^tom has (\d+), gets 2\. /.exec(text)!;
    assertEquals(text, `tom has ${start}, gets 2. ${start}+2=${Number(start) + 2} = ${Number(start) + 2}`);
    // Loss on the answer and the stop token alone.
    const learned = [...batch.targets.data.subarray(0, 80)].filter((target) => target !== IGNORE);
    assertEquals(decode(learned), `${start}+2=${Number(start) + 2} = ${Number(start) + 2}\n`);
    /** Scores and measure of what is written. */
    const judge = async (write: (start: number) => string) => {
      const predictor = writingPredictor((prompt) =>
        encode(`${write(Number(/has (\d+)/.exec(decode(prompt))![1]))}\n`)
      );
      const { "flexible match": flexible } = await data.measure!(predictor, "test");
      return [[...await data.score(predictor, "test")], Array.from(flexible!.values)];
    };
    const [right, wrong] = [[1, 1, 1, 1], [0, 0, 0, 0]];
    assertEquals(await judge((start) => `${start}+2=${start + 2} = ${start + 2}`), [right, right]);
    assertEquals(await judge((start) => `so = ${start + 2}.0`), [right, right]);
    assertEquals(await judge((start) => `so the answer is: ${start + 2}`), [right, right]);
    assertEquals(await judge((start) => `so ${start + 2}.0`), [wrong, right]);
    assertEquals(await judge((start) => `${start + 2} or ${start}`), [wrong, wrong]);
    assertEquals(await judge(() => "no"), [wrong, wrong]);
  });
});

Deno.test("arithmetic does not pretend: of GSM8K's real questions hardly any fits, and that is said", async () => {
  const data = sharedData("gsm8k");
  if (data === null) return;
  await assertRejects(
    () => arithmetic.load({ ...options, data }),
    DataError,
    "200 read, 0 kept, 200 skipped",
  );
});

Deno.test("data that changed since a run was planned is refused", async () => {
  await withDataFolder({ "optdigits.tra": optdigitsFile(200) }, async (data) => {
    const fingerprint = await digits.realData!.fingerprint(data);
    assertEquals((await digits.load({ ...options, data, fingerprint })).source!.fingerprint, fingerprint);
    await Deno.writeTextFile(`${data}/optdigits.tra`, optdigitsFile(201));
    await assertRejects(() => digits.load({ ...options, data, fingerprint }), DataError, "its files changed");
  });
});
