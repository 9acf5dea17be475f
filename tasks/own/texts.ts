/** @file Texts of the user's as a task's examples, in the tokens of whichever model takes them. */
import type { Batch, ModelFamily } from "../../models/model.ts";
import { poolBatches } from "../batches.ts";
import { commonestShare, countEach } from "../commonest.ts";
import { DataError, reasonOf, TooFewExamples } from "../data/data_error.ts";
import { readOnce, type RealData, takeFrom } from "../data/load.ts";
import type { Turn } from "../data/contents.ts";
import { isSkip, type Skip, type SkipReason } from "../skip.ts";
import type { Row } from "../data/row.ts";
import { flexibleAnswer, sameAnswer } from "../math/final_answer.ts";
import type { Measure, Predictor, Split, TaskData, TaskModel, TaskOptions, TokenTypes } from "../task.ts";
import { readChatTemplate } from "../text/chat_template.ts";
import { writeChat } from "../text/chat_tokens.ts";
import { readModelTokenizer } from "../text/hugging_face_tokenizer.ts";
import {
  answerBatch,
  classBatch,
  classOf,
  classTokens,
  endedTokens,
  fitsAnswerBatch,
  keyOf,
  promptTokens,
  type ReadTokens,
} from "../text/text_batch.ts";
import { type Counted, decodeWhole, ifFits, MOST_TOKENS, type TextForm } from "../text/text_form.ts";
import { characterTokenizer, VOCABULARY_SIZE } from "../text/tokenizer.ts";
import { onOneLine } from "../text/one_line.ts";
import { pairBatch } from "../understanding/text_to_text.ts";
import { WORDS_SIZE, wordTokenizer } from "../understanding/words.ts";
import { canonicalJson } from "../../files/canonical_json.ts";
import { type OwnText, promptColumns, textIn, toExample, type Wording } from "./convert.ts";
import type { DataLayout } from "./layout.ts";
import { type Doubtful, doubtfulIn } from "./missing.ts";
import { textPlace } from "./place.ts";

/** What a text model is, as far as texts are concerned. */
export interface TextModel extends TaskModel {
  readonly family: ModelFamily;
}

/** Data of the user's, named. */
export interface OwnData {
  /** The task's name. */
  readonly id: string;
  /** What it is called in results. */
  readonly title: string;
  readonly layout: DataLayout;
}

/** An example of the user's, in a model's tokens. */
export type Taken = Counted<OwnText> & {
  /** True where its prompt is cut. */
  readonly isCut: boolean;
  /** Its columns that hold a word which may stand for a missing value. */
  readonly doubtful: readonly Doubtful[];
};

/** How a model takes texts. */
export interface Reading {
  readonly form: Omit<TextForm, "length">;
  readonly wording: Wording;
  /** What else than the files decides the examples. */
  readonly by: string;
  /** Most tokens of an answer with its end. */
  readonly longestAnswer: number;
}

/** Which tokens the model takes, how many, and how it is asked. @throws {DataError} where it takes no texts */
export async function readingOf(
  { id, layout }: Pick<OwnData, "id" | "layout">,
  path: string,
  model: TextModel,
): Promise<Reading> {
  const { family, outputs } = model, inputSize = Math.min(layout.maxTokens ?? Infinity, model.inputSize);
  const purpose = `use ${path} for "${id}"`;
  if (family === "vision") {
    throw new DataError(`Cannot ${purpose}: its examples are texts, the model takes images`);
  }
  if (family === "encoder" && !layout.labels) {
    throw new DataError(
      `Cannot ${purpose}: the model gives texts one of some classes, and the data have none`,
    );
  }
  const classes = layout.labels ? Object.keys(layout.labels).length : 0;
  const needs = { family, outputs: family === "encoder" ? classes : outputs, inputSize };
  const isBare = family !== "decoder";
  const longestAnswer = model.targetSize ?? Infinity;
  const by = (tokens: string) => [family, tokens, inputSize, longestAnswer, canonicalJson(layout)].join(" ");
  const own = family === "decoder" && outputs === VOCABULARY_SIZE
    ? characterTokenizer
    : family === "encoder-decoder" && outputs === WORDS_SIZE
    ? wordTokenizer
    : null;
  if (model.folder === undefined && own) {
    const wording = { isBare: true, isOneLine: family === "decoder", hasPairs: false };
    return { form: { tokenizer: own, needs }, wording, by: by("own"), longestAnswer };
  }
  const { tokenizer, hash } = await readModelTokenizer(model, purpose);
  const template = family === "decoder" && layout.kind === "chat"
    ? await readChatTemplate(model.folder!)
    : null;
  const chat = template && { chat: (turns: readonly Turn[]) => writeChat(turns, template, tokenizer) };
  const wording = { isBare, isOneLine: false, hasPairs: family === "encoder", ...chat };
  return { form: { tokenizer, needs }, wording, by: by(hash), longestAnswer };
}

/** The example of a row in a model's tokens, cut where the layout says so; or why there is none. */
export function takeRow(row: Row, layout: DataLayout, reading: Reading): Taken | Skip {
  const { form, wording, longestAnswer } = reading;
  const fit = (example: OwnText | Skip): Counted<OwnText> | Skip => {
    if (isSkip(example)) return example;
    let found: Counted<OwnText> | Skip = { ...example, tokens: 0 };
    for (const answer of [...example.choices ?? [], example.answer]) {
      const fitting = ifFits({ ...example, answer }, form);
      if (isSkip(fitting)) return fitting;
      if (form.needs.family !== "decoder" && endedTokens(answer, form.tokenizer).length > longestAnswer) {
        return { skip: { kind: "answer-too-long", most: longestAnswer } };
      }
      found = { ...example, tokens: Math.max(found.tokens, fitting.tokens) };
    }
    return found;
  };
  const whole = fit(toExample(row, layout, wording));
  const { columns: { answer, label } } = layout;
  const told = new Set([...promptColumns(layout), answer, label].filter((column) => column !== undefined));
  const doubtful = doubtfulIn(row, [...told]);
  if (!isSkip(whole)) return { ...whole, isCut: false, doubtful };
  if (layout.maxTokens === undefined || whole.skip.kind !== "too-long") return whole;
  // The longest of the prompt's texts is cut at its end, as little as does.
  const [column, text] = promptColumns(layout).reduce<readonly [string, string]>((longest, column) => {
    const text = textIn(row, column);
    return typeof text === "string" && text.length > longest[1].length ? [column, text] : longest;
  }, ["", ""]);
  const cutTo = (length: number) =>
    fit(
      toExample(row, layout, wording, (given, name) =>
        name === column ? given.slice(0, length).trimEnd() : given),
    );
  let [least, most] = [0, text.length], best: Counted<OwnText> | Skip = whole;
  while (least + 1 < most) {
    const middle = Math.floor((least + most) / 2), found = cutTo(middle);
    if (isSkip(found)) most = middle;
    else [least, best] = [middle, found];
  }
  return isSkip(best) ? best : { ...best, isCut: true, doubtful };
}

/** All examples of a path for a model. @throws {DataError} where there are none, with the ways out */
export async function readTexts(
  own: OwnData,
  path: string,
  model: TextModel,
): Promise<RealData<Taken> & { readonly reading: Reading }> {
  const reading = await readingOf(own, path, model);
  return {
    ...await withWaysOut(
      model,
      () => readOnce(own.id, placeOf(own, path), { data: path }, takingOf(own, reading)),
    ),
    reading,
  };
}

function placeOf({ title, layout }: OwnData, path: string) {
  return textPlace(path, title, layout);
}

function takingOf({ layout }: OwnData, reading: Reading) {
  return {
    convert: (row: Row) => takeRow(row, layout, reading),
    keyOf: (example: Taken) => keyOf(example),
    by: reading.by,
  };
}

/** What may be done about texts that a model can't take, behind what is wrong. */
async function withWaysOut<T>(model: TextModel, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const ways = error instanceof TooFewExamples ? waysOut(model, error.reasons) : null;
    throw ways === null ? error : new DataError(`${reasonOf(error)}; ${ways}`);
  }
}

/** What takes texts that are too long or have other characters than the model knows; null where none are left out for it. */
export function waysOut({ inputSize }: TaskModel, reasons: readonly SkipReason[]): string | null {
  const isLeftOut = (wanted: SkipReason["kind"]) => reasons.some(({ kind }) => kind === wanted);
  const isLong = isLeftOut("too-long");
  const lacking = [
    ...isLong ? ["longer texts"] : [],
    ...isLeftOut("unknown-characters") ? ["other characters"] : [],
  ];
  if (lacking.length === 0) return null;
  return `--model DIR takes a model of ${lacking.join(" and ")}${
    isLong ? `, --max-tokens ${inputSize} cuts longer ones` : ""
  }`;
}

/** What is measured beside the score. */
export const LOSS: Measure = { name: "loss a token", better: "lower", within: [0, Infinity] };

/**
 * As many examples as the options say. The loss is on the answer and the token that ends it, never on the prompt.
 *
 * @throws {DataError} where data can't be used, or the model can't tell the classes apart
 */
export async function ownTexts(
  own: OwnData,
  options: TaskOptions & { readonly data: string },
  model: TextModel,
): Promise<TaskData> {
  const { id, layout } = own, { data: path, seed } = options, reading = await readingOf(own, path, model);
  const taken = await withWaysOut(
    model,
    () => takeFrom(id, placeOf(own, path), options, takingOf(own, reading)),
  );
  const { source, classes: _, ...pools } = taken, { form: { tokenizer, needs } } = reading;
  const fault = needs.family === "encoder" ? null : faultOfLabels({ id, layout, path }, reading);
  if (fault !== null) throw new DataError(fault);
  const rows = [...pools.train, ...pools.validation];
  const length = rows.reduce((most, { tokens }) => Math.max(most, tokens), 0);
  const form: TextForm = { tokenizer, needs, length };
  return {
    needs,
    ...poolBatches(id, seed, pools, ...batching(form, [...rows, ...pools.test])),
    ...(layout.labels && {
      commonest: (split: Split) => commonestShare(pools[split].map(({ answer }) => answer)),
      classCounts: (pool: "train" | Split) =>
        countEach(pools[pool].map(classOf), Object.keys(layout.labels!).length),
    }),
    async score(predictor, split) {
      const examples = pools[split];
      if (needs.family === "encoder") return await exact(predictor, examples, form);
      switch (layout.score) {
        case "exact":
          return await exact(predictor, examples, form);
        case "numbers":
          return await numbers(predictor, examples, form);
        case "loss":
          return (await lossesOf(predictor, examples, form)).map((loss) => Math.exp(-loss));
        default:
          return await likeliest(predictor, examples, form);
      }
    },
    async measure(predictor, split) {
      return { [LOSS.name]: { values: await lossesOf(predictor, pools[split], form) } };
    },
    source,
  };
}

/** How examples become a batch, and which are short enough for one. */
function batching(
  { tokenizer, needs, length }: TextForm,
  all: readonly OwnText[],
): [(examples: readonly OwnText[]) => Batch, (example: OwnText) => boolean] {
  if (needs.family === "decoder") {
    return [
      (examples) => answerBatch(examples, length, tokenizer),
      (example) => fitsAnswerBatch(example, length, tokenizer),
    ];
  }
  if (needs.family === "encoder") {
    return [
      (examples) => classBatch(examples, length, tokenizer),
      (example) => classTokens(example, tokenizer).tokens.length <= length,
    ];
  }
  const target = all.reduce((most, { answer }) => Math.max(most, endedTokens(answer, tokenizer).length), 1);
  return [
    (examples) => pairBatch(examples, { input: length, target }, tokenizer),
    (example) => askedTokens(example.prompt, { tokenizer, needs }).length <= length,
  ];
}

/** Examples as they are asked. */
function asked(
  examples: readonly OwnText[],
  form: TextForm,
): { readonly prompts: readonly Int32Array[]; readonly types: TokenTypes } {
  const read = examples.map((example): ReadTokens =>
    form.needs.family === "encoder"
      ? classTokens(example, form.tokenizer)
      : { tokens: promptOf(example, form) }
  );
  return { prompts: read.map(({ tokens }) => tokens), types: read.map(({ types }) => types) };
}

/** What an example asks. */
function promptOf({ prompt, chat }: OwnText, form: TextForm): Int32Array<ArrayBuffer> {
  return chat ? chat.tokens.slice(0, chat.prompt) : askedTokens(prompt, form);
}

/** A prompt as it is asked: encoder-decoders read its end, too. */
function askedTokens(
  prompt: string,
  { tokenizer, needs }: Pick<TextForm, "tokenizer" | "needs">,
): Int32Array<ArrayBuffer> {
  const tokens = promptTokens(prompt, tokenizer);
  return needs.family === "decoder" ? tokens : Int32Array.of(...tokens, tokenizer.stop);
}

/** What follows a prompt: its answer and the answer's end, or of a model that classifies the class. */
export function answerTokens(
  example: OwnText,
  { tokenizer, needs }: Omit<TextForm, "length">,
): Int32Array {
  if (example.chat) return example.chat.tokens.slice(example.chat.prompt);
  return needs.family === "encoder"
    ? Int32Array.of(classOf(example))
    : endedTokens(example.answer, tokenizer);
}

/** For each example 1 where what is written is its answer to the letter and then ends, else 0. */
async function exact(
  predictor: Predictor,
  examples: readonly OwnText[],
  form: TextForm,
): Promise<Float32Array> {
  const { prompts, types } = asked(examples, form);
  const right = await predictor.follows(
    prompts,
    examples.map((example) => answerTokens(example, form)),
    types,
  );
  return Float32Array.from(right, Number);
}

/** For each example 1 where the last number of what is written is that of its answer, else 0; see `flexibleAnswer`. */
async function numbers(
  predictor: Predictor,
  examples: readonly OwnText[],
  form: TextForm,
): Promise<Float32Array> {
  const { tokenizer } = form, expected = await exact(predictor, examples, form);
  const ends = examples.flatMap(({ chat }) => chat?.end ?? []);
  const rest = examples.filter((_, i) => expected[i] === 0);
  const written = await predictor.generate(rest.map((example) => promptOf(example, form)), {
    maxTokens: MOST_TOKENS,
    stop: [...new Set([...tokenizer.stops ?? [tokenizer.stop], ...ends])],
  });
  let next = 0;
  return Float32Array.from(examples, ({ answer }, i) => {
    if (expected[i] === 1) return 1;
    const found = flexibleAnswer(decodeWhole(written[next++]!, tokenizer)), right = flexibleAnswer(answer);
    return found !== null && right !== null && sameAnswer(found, right) ? 1 : 0;
  });
}

/** For each example the mean negative log-likelihood of its answer's tokens and the end's, in nats. */
async function lossesOf(
  predictor: Predictor,
  examples: readonly OwnText[],
  form: TextForm,
): Promise<Float32Array> {
  const { prompts, types } = asked(examples, form);
  return await predictor.losses(prompts, examples.map((example) => answerTokens(example, form)), types);
}

/**
 * For each example 1 where its answer is the likeliest of its choices, else 0; of equal ones the first counts. A choice is
 * as likely as its tokens together, and the one that ends it, so that a choice which begins as another can be told from it.
 *
 * Source: "acc" of https://github.com/EleutherAI/lm-evaluation-harness, which leaves the end out.
 */
async function likeliest(
  predictor: Predictor,
  examples: readonly OwnText[],
  form: TextForm,
): Promise<Float32Array> {
  const asked = examples.flatMap((example) =>
    example.choices!.map((answer) => ({
      prompt: askedTokens(example.prompt, form),
      answer: endedTokens(answer, form.tokenizer),
    }))
  );
  const losses = await predictor.losses(asked.map(({ prompt }) => prompt), asked.map(({ answer }) => answer));
  let at = 0;
  return Float32Array.from(examples, (example) => {
    const choices = example.choices!;
    const surprises = choices.map(() => losses[at]! * asked[at++]!.answer.length);
    return choices[surprises.indexOf(Math.min(...surprises))] === example.answer ? 1 : 0;
  });
}

/**
 * Why a tokenizer can't write the classes' words apart: it may lack signs of them, or have one token for all that it lacks; null
 * where it can, and where there are no classes.
 */
export function faultOfLabels(
  { id, layout, path }: Pick<OwnData, "id" | "layout"> & { readonly path: string },
  { form: { tokenizer }, wording: { isOneLine } }: Pick<Reading, "form" | "wording">,
): string | null {
  const begin = `Cannot use ${path} for "${id}"`;
  const end = `"labels" in dataset.json gives classes other words`;
  const seen = new Map<string, string>();
  try {
    for (const label of Object.values(layout.labels ?? {})) {
      const spelled = tokenizer.encode(isOneLine ? onOneLine(label) : label).join(" "),
        other = seen.get(spelled);
      if (other !== undefined) {
        return `${begin}: the model's tokenizer can't tell its classes "${other}" and "${label}" apart; ${end}`;
      }
      seen.set(spelled, label);
    }
    return null;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return `${begin}: ${reasonOf(error)}; ${end}`;
  }
}
