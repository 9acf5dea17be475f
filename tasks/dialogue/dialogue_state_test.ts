import { assert, assertEquals, assertRejects } from "@std/assert";
import { writingPredictor } from "../../tests/support/scripted_predictor.ts";
import { type Batch, IGNORE } from "../../models/model.ts";
import { ANY, SLOTS, UNSET } from "./conversation.ts";
import { LENGTH } from "./dialogue_data.ts";
import { dialogueState, NEW_WORDING } from "./dialogue_state.ts";
import { BASE_WORDING, dialogueStateBase } from "./dialogue_state_base.ts";
import type { Predictor, Split, TaskData } from "../task.ts";
import { decode, encode } from "../text/tokenizer.ts";

const options = { seed: 0, trainExamples: 500, validationExamples: 70, testExamples: 90 };

/** Text, prompt and answer of each row. */
function rowsOf(batch: Batch): { text: string; prompt: string; answer: string }[] {
  assert(batch.family === "decoder");
  const { tokens, targets } = batch, [rows, length] = tokens.shape;
  return Array.from({ length: rows! }, (_, row) => {
    const cut = (data: Int32Array) => data.subarray(row * length!, (row + 1) * length!);
    const text = decode(cut(tokens.data)), wanted = cut(targets.data);
    const answer = decode(wanted.filter((token) => token !== IGNORE));
    return { text, prompt: text.slice(0, wanted.findIndex((token) => token !== IGNORE) + 1), answer };
  });
}

/** Scores and measures of a predictor that answers each prompt as `reply` says. */
async function judge(data: TaskData, split: Split, reply: (prompt: string) => string) {
  const predictor: Predictor = writingPredictor((tokens) => encode(`${reply(decode(tokens))}\n`));
  const measured = await data.measure!(predictor, split);
  return {
    scores: [...await data.score(predictor, split)],
    replies: [...Array.from(measured["exact reply"]!.values)],
    losses: [...Array.from(measured["loss a token"]!.values)],
    names: Object.keys(measured),
  };
}

Deno.test("dialogueState trains on the whole answer and its stop token, and on nothing of the conversation", async () => {
  const data = await dialogueState.load(options);
  for (const { text, prompt, answer } of rowsOf(data.trainBatch(1, 200))) {
    assert(/^>[^=]*=$/.test(prompt), prompt);
    assert(/^[a-z-]+;[a-z-]+;[a-z-]+\.[^\n]+\n$/.test(answer), answer);
    assertEquals(text, (prompt + answer).padEnd(LENGTH, "\0"));
  }
});

Deno.test("dialogueState scores the state by all its slots, whatever the reply, and the reply with the state", async () => {
  const data = await dialogueState.load(options);
  const answers = new Map(
    [...data.validationBatches(32)].flatMap(rowsOf).map((
      { prompt, answer },
    ) => [prompt, answer.slice(0, -1)]),
  );
  const judged = (change: (answer: string) => string) =>
    judge(data, "validation", (prompt) => change(answers.get(prompt)!));
  const all = (value: number) => new Array(70).fill(value);

  const right = await judged((answer) => answer);
  assertEquals([right.scores, right.replies, right.losses], [all(1), all(1), all(0)]);
  assertEquals(right.names, dialogueState.measures!.map(({ name }) => name));

  const otherReply = await judged((answer) => answer.replace(/\..*/, ".what?"));
  assertEquals([otherReply.scores, otherReply.replies], [all(1), all(0)]);
  assert(otherReply.losses.every((loss) => loss > 0 && loss <= 1));

  const moreAfter = await judged((answer) => `${answer}.`);
  assertEquals([moreAfter.scores, moreAfter.replies], [all(1), all(0)]);

  for (const slot of [0, 1, 2]) {
    const wrong = await judged((answer) => {
      const [state, ...reply] = answer.split(".");
      return [state!.split(";").with(slot, "x").join(";"), ...reply].join(".");
    });
    assertEquals([wrong.scores, wrong.replies], [all(0), all(0)]);
  }
});

Deno.test("dialogueState's conversations are distinct, of two and three turns, with slots set, changed and dropped", async () => {
  const data = await dialogueState.load({
    seed: 0,
    trainExamples: 16000,
    validationExamples: 2000,
    testExamples: 2000,
  });
  const prompts: string[] = [];
  const note = writingPredictor((tokens) => {
    prompts.push(decode(tokens));
    return [];
  });
  await data.score(note, "test");
  await data.score(note, "validation");
  assertEquals(prompts.length, 4000);
  const rows = rowsOf(data.trainBatch(1, 16000));
  assertEquals(new Set([...prompts, ...rows.map(({ prompt }) => prompt)]).size, 20000);
  const turns = rows.map(({ prompt }) => prompt.split(">").length - 1);
  assertEquals([Math.min(...turns), Math.max(...turns)], [2, 3]);
  const share = (holds: (answer: string, prompt: string) => boolean) =>
    rows.filter(({ answer, prompt }) => holds(answer, prompt)).length / rows.length;
  assert(share((_, prompt) => prompt.split(">").length === 4) > 0.25);
  assert(share((answer) => answer.includes(`${ANY};`) || answer.includes(`${ANY}.`)) > 0.2);
  assert(share((answer) => answer.includes(`${UNSET};`) || answer.includes(`${UNSET}.`)) > 0.3);
  assert(share((_, prompt) => NEW_WORDING.changing.some((opening) => prompt.includes(opening))) > 0.3);
});

Deno.test("dialogueState says nothing of its states by chance: the most frequent one is rare", async () => {
  const data = await dialogueState.load({ ...options, trainExamples: 16000 });
  const counts = new Map<string, number>();
  for (const { answer } of rowsOf(data.trainBatch(1, 16000))) {
    const state = answer.split(".")[0]!;
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  assert(Math.max(...counts.values()) / 16000 < 0.03, `${Math.max(...counts.values())} of 16000`);
});

Deno.test("dialogueStateBase holds none of the phrases to be learnt, and its users speak of none of the values", async () => {
  const data = await dialogueStateBase.load({ ...options, trainExamples: 1 });
  const text = rowsOf(data.trainBatch(1, 4000)).map((row) => row.text).join("\n");
  const spoken = text.match(/>[^=\n]*/g)!.join("\n");
  for (const slot of SLOTS) {
    for (const [value, phrases] of Object.entries(NEW_WORDING.phrases[slot])) {
      for (const phrase of phrases) assert(!text.includes(phrase), phrase);
      if (value === ANY) continue;
      assert(!(value in BASE_WORDING.phrases[slot]), value);
      // Slot lines spell the values.
      assert(text.includes(`${value};`) || text.includes(`;${value}.`), value);
      assert(!new RegExp(`\\b${value}\\b`).test(spoken), value);
    }
  }
  for (const reply of Object.values(NEW_WORDING.asking)) assert(!text.includes(reply), reply);
});

Deno.test("dialogueStateBase makes every position count, each target being the next token", async () => {
  const batch = (await dialogueStateBase.load({ ...options, trainExamples: 1 })).trainBatch(1, 32);
  assert(batch.family === "decoder");
  assertEquals(batch.tokens.shape, [32, LENGTH]);
  assert(batch.targets.data.every((target) => target !== IGNORE));
  for (let row = 0; row < 32; row++) {
    const [start, end] = [row * LENGTH, (row + 1) * LENGTH - 1];
    assertEquals(batch.tokens.data.subarray(start + 1, end + 1), batch.targets.data.subarray(start, end));
  }
});

Deno.test("dialogueState says how many conversations there are where too many are asked for", async () => {
  for (
    const [name, most] of [["trainExamples", 16000], ["validationExamples", 2000], [
      "testExamples",
      10000,
    ]] as const
  ) {
    await assertRejects(
      () => dialogueState.load({ ...options, [name]: most + 1 }),
      RangeError,
      `there are ${most}`,
    );
  }
});
