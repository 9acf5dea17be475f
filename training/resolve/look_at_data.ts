/** @file What is understood of data of the user's: counts, lengths, examples as a model sees them, and what is left out. */
import { TooFewExamples } from "../../tasks/data/data_error.ts";
import { type Duplicates, lackOf, readPools } from "../../tasks/data/load.ts";
import type { ReadRecord } from "../../tasks/data/read_record.ts";
import { isSkip } from "../../tasks/skip.ts";
import type { Row } from "../../tasks/data/row.ts";
import { type OwnText, toExample } from "../../tasks/own/convert.ts";
import { numberedClasses } from "../../tasks/own/layout.ts";
import { countDoubtful, type DoubtfulCount } from "../../tasks/own/missing.ts";
import type { AskedLayout, OpenedData } from "../../tasks/own/open_layout.ts";
import { imagePlace, requireTakesImages, textPlace } from "../../tasks/own/place.ts";
import {
  answerTokens,
  faultOfLabels,
  readingOf,
  takeRow,
  type TextModel,
  waysOut,
} from "../../tasks/own/texts.ts";
import type { ShippedSettings } from "../../tasks/task.ts";
import type { ChatTokens } from "../../tasks/text/chat_tokens.ts";
import type { Tokenizer } from "../../tasks/text/tokenizer.ts";
import { classTokens, keyOf, promptTokens } from "../../tasks/text/text_batch.ts";
import type { Registries } from "../configuration.ts";
import type { RunConfig } from "../run.ts";
import { openOwnData, settingsFor } from "./own_data.ts";

/** What examples are for. */
export const POOLS = ["train", "validation", "test"] as const;
/** See `POOLS`. */
export type Pool = typeof POOLS[number];

/** Numbers in brief. */
export interface Quantiles {
  readonly least: number;
  readonly median: number;
  /** What 95 of 100 do not exceed. */
  readonly high: number;
  readonly most: number;
}

/** An example as a model sees it. */
export interface ShownExample {
  /** What is read, without loss. */
  readonly prompt: string;
  /** What is learned. */
  readonly answer: string;
  /** All of it, where earlier replies are learned too: what is read, and what is learned, in turn. */
  readonly parts?: readonly { readonly text: string; readonly isLearned: boolean }[];
  /** True where it is a class, which the model does not write. */
  readonly isClass: boolean;
  /** Tokens of each; the answer's with the one that ends it, and one for a class. */
  readonly tokens: readonly [prompt: number, answer: number];
}

/** Tokens that stand for what a tokenizer does not know. */
export interface UnknownTokens {
  /** How many of them the examples have, and of how many tokens. */
  readonly tokens: number;
  readonly ofTokens: number;
  /** How many examples have one, and of how many. */
  readonly examples: number;
  readonly ofExamples: number;
  /** The first word that one stands in or for, and the first character of it that is unknown by itself; null where there is none. */
  readonly first: { readonly word: string; readonly character: string | null } | null;
}

/** What is understood of data of the user's. */
export interface DataLook {
  readonly data: OpenedData;
  readonly path: string;
  /** The model that it was looked at with, and its longest example in tokens. */
  readonly model: { readonly id: string; readonly inputSize: number };
  /** Why it can't be used with that model; null where it can. */
  readonly fault: string | null;
  /** By pool, those that there are. */
  readonly records: Readonly<Partial<Record<Pool, ReadRecord>>>;
  readonly duplicates: Duplicates;
  /** Tokens of each example that could be written, those that are too long for the model too; null for images. */
  readonly lengths:
    | { readonly prompt: Quantiles; readonly answer: Quantiles; readonly whole: Quantiles }
    | null;
  /** Pixels along the sides; null for texts. */
  readonly sides: { readonly width: Quantiles; readonly height: Quantiles } | null;
  /** What the tokenizer has no token for; null where it has none that says so, and for images. */
  readonly unknown: UnknownTokens | null;
  /** Characters that the tokenizer lacks, the first `MOST_LACKING` in the order of their coming. */
  readonly lacking: readonly string[];
  /** Words that may stand for missing values and are taken as texts; none for images. */
  readonly doubtful: readonly DoubtfulCount[];
  /** How many prompts are cut. */
  readonly cut: number;
  /** Classes in their order, with the word that is written for each, and how many examples of each pool are of it. */
  readonly classes: readonly {
    readonly name: string;
    readonly word: string;
    readonly counts: Readonly<Record<Pool, number>>;
  }[];
  /** The first of those to train on. */
  readonly examples: readonly ShownExample[];
  /** What sweeps run it with; null where it can't be used. */
  readonly settings: ShippedSettings | null;
  /** What takes more of it; null where nothing is too long or lacks a token. */
  readonly waysOut: string | null;
  /** How conversations are written: by the model's own template, of all replies or the last one alone; null elsewhere. */
  readonly chat: { readonly learnsAll: boolean } | null;
}

/** Examples that are shown. */
const SHOWN = 3;

/** Characters that are named of those that a tokenizer lacks. */
const MOST_LACKING = 10;

/**
 * Looks at data of the user's as a model takes it. Uses no GPU.
 *
 * @throws as `openOwnTask` does, but where all examples are left out: then `fault` says why
 */
export async function lookAtData(
  path: string,
  asked: AskedLayout,
  model: RunConfig["model"] | undefined,
  registries: Registries,
): Promise<DataLook> {
  const opened = await openOwnData(path, asked, model, registries);
  const given = {
    path,
    data: opened.data,
    model: { id: opened.choice.id, inputSize: opened.model.inputSize },
  };
  return opened.data.layout.kind === "image"
    ? await lookAtImages(given, opened.model)
    : await lookAtTexts(given, opened.model as TextModel);
}

type Given = Pick<DataLook, "path" | "data" | "model">;

async function lookAtTexts(given: Given, model: TextModel): Promise<DataLook> {
  const { path, data } = given,
    reading = await readingOf(data, path, model),
    { form: { tokenizer } } = reading;
  const isEncoder = model.family === "encoder";
  const read = (example: OwnText) =>
    isEncoder
      ? classTokens(example, tokenizer).tokens
      : example.chat
      ? example.chat.tokens.slice(0, example.chat.prompt)
      : promptTokens(example.prompt, tokenizer);
  const lengths = { prompt: [] as number[], answer: [] as number[], whole: [] as number[] };
  const measure = (row: Row) => {
    const example = toExample(row, data.layout, reading.wording);
    if (isSkip(example)) return;
    try {
      const prompt = read(example).length,
        answer = answerTokens(example, reading.form).length;
      lengths.prompt.push(prompt);
      lengths.answer.push(answer);
      lengths.whole.push(prompt + (model.family === "decoder" ? answer : isEncoder ? 0 : 1));
    } catch (error) {
      // Characters that the tokenizer lacks: the example is left out, and counted.
      if (!(error instanceof RangeError)) throw error;
    }
  };
  const lacking = new Set<string>();
  const nameLacking = (row: Row) => {
    const example = toExample(row, data.layout, reading.wording);
    if (isSkip(example)) return;
    for (const one of [example.prompt, example.second ?? "", example.answer].join("")) {
      if (lacking.size < MOST_LACKING && !canWrite(one, tokenizer)) lacking.add(one);
    }
  };
  const pools = await orFault(async () =>
    await readPools(await textPlace(path, data.title, data.layout).find(), {
      convert(row) {
        measure(row);
        const taken = takeRow(row, data.layout, reading);
        if (isSkip(taken) && taken.skip.kind === "unknown-characters") nameLacking(row);
        return taken;
      },
      keyOf: (example) => keyOf(example),
    })
  );
  const all = pools instanceof TooFewExamples ? { train: [], validation: [], test: [] } : pools;
  const chats = all.train.flatMap(({ chat }) => chat ?? []);
  return {
    ...given,
    ...found(
      pools,
      given.model.id,
      isEncoder ? null : faultOfLabels({ ...data, path }, reading),
    ),
    lengths: lengths.whole.length === 0
      ? null
      : { prompt: inBrief(lengths.prompt), answer: inBrief(lengths.answer), whole: inBrief(lengths.whole) },
    sides: null,
    unknown: tokenizer.unknown === undefined ? null : countUnknown(
      POOLS.flatMap((pool) => all[pool]),
      (example) => [...read(example), ...isEncoder ? [] : answerTokens(example, reading.form)],
      tokenizer,
      tokenizer.unknown,
    ),
    lacking: [...lacking],
    doubtful: countDoubtful(POOLS.flatMap((pool) => all[pool])),
    cut: POOLS.reduce((sum, pool) => sum + all[pool].filter(({ isCut }) => isCut).length, 0),
    classes: countClasses(
      data,
      (pool, word) =>
        all[pool].filter(({ answer, choices }) =>
          choices?.indexOf(answer) === Object.values(data.layout.labels!).indexOf(word)
        ).length,
    ),
    examples: all.train.slice(0, SHOWN).map((example) => ({
      prompt: isEncoder ? tokenizer.decode(read(example)) : example.prompt,
      answer: example.answer,
      isClass: isEncoder,
      ...(example.chat && { parts: partsOf(example.chat, tokenizer) }),
      tokens: example.chat
        ? [
          example.chat.learned.filter((one) => one === 0).length,
          example.chat.learned.filter((one) => one === 1).length,
        ]
        : [read(example).length, answerTokens(example, reading.form).length],
    })),
    waysOut: waysOut(model, pools.reasons),
    chat: chats.length === 0 ? null : { learnsAll: chats.every(({ learnsAll }) => learnsAll) },
  };
}

/** False too for what spells out the token that pads or ends: see `ifFits`. */
function canWrite(text: string, tokenizer: Tokenizer): boolean {
  try {
    const tokens = tokenizer.encode(text);
    return !tokens.includes(tokenizer.pad) && !tokens.includes(tokenizer.stop);
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** How many tokens of some examples stand for what the tokenizer does not know, and what that is. */
function countUnknown(
  examples: readonly OwnText[],
  tokensOf: (example: OwnText) => readonly number[],
  tokenizer: Tokenizer,
  unknown: number,
): UnknownTokens {
  const isUnknown = (text: string) => {
    try {
      return tokenizer.encode(text).includes(unknown);
    } catch (error) {
      // Alone, a part of what has tokens may have none.
      if (error instanceof RangeError) return false;
      throw error;
    }
  };
  let tokens = 0, ofTokens = 0, having = 0;
  let first: UnknownTokens["first"] = null;
  for (const example of examples) {
    const all = tokensOf(example), own = all.filter((token) => token === unknown).length;
    tokens += own;
    ofTokens += all.length;
    if (own === 0) continue;
    having++;
    if (first !== null) continue;
    const words = [example.prompt, example.second ?? "", example.answer].join(" ").split(/\s+/);
    const word = words.find((word) => word !== "" && isUnknown(word));
    if (word === undefined) continue;
    first = { word, character: Array.from(word).find(isUnknown) ?? null };
  }
  return { tokens, ofTokens, examples: having, ofExamples: examples.length, first };
}

/** Tokens as texts, cut where what is read and what is learned meet. */
function partsOf({ tokens, learned }: ChatTokens, tokenizer: Tokenizer): NonNullable<ShownExample["parts"]> {
  const parts: { text: string; isLearned: boolean }[] = [];
  for (let from = 0; from < tokens.length;) {
    let to = from + 1;
    while (to < tokens.length && learned[to] === learned[from]) to++;
    parts.push({ text: tokenizer.decode(tokens.subarray(from, to)), isLearned: learned[from] === 1 });
    from = to;
  }
  return parts;
}

async function lookAtImages(given: Given, model: { readonly family: string }): Promise<DataLook> {
  requireTakesImages(given.data, given.path, model);
  const { path, data } = given, width: number[] = [], height: number[] = [];
  const { createHash } = await import("node:crypto");
  const pools = await orFault(async () =>
    await readPools(await imagePlace(path, data.title, data.layout).find(), {
      convert(image) {
        width.push(image.width);
        height.push(image.height);
        const key = createHash("sha256").update(`${image.width} ${image.height}\0`).update(image.pixels)
          .digest("hex");
        return { label: image.label, key };
      },
      keyOf: ({ key }) => key,
    })
  );
  const all = pools instanceof TooFewExamples ? { train: [], validation: [], test: [] } : pools;
  const names = numberedClasses(data.layout);
  return {
    ...given,
    ...found(pools, given.model.id, null),
    lengths: null,
    sides: width.length === 0 ? null : { width: inBrief(width), height: inBrief(height) },
    unknown: null,
    lacking: [],
    doubtful: [],
    cut: 0,
    classes: countClasses(
      data,
      (pool, _, name) => all[pool].filter(({ label }) => names[label] === name).length,
    ),
    examples: [],
    waysOut: null,
    chat: null,
  };
}

/** What was read; what is wrong where nothing could be used. */
async function orFault<T>(work: () => Promise<T>): Promise<T | TooFewExamples> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof TooFewExamples) return error;
    throw error;
  }
}

function found(
  pools:
    | TooFewExamples
    | { readonly records: DataLook["records"]; readonly duplicates: Duplicates }
      & Record<Pool, readonly unknown[]>,
  model: string,
  indistinct: string | null,
): Pick<DataLook, "fault" | "records" | "duplicates" | "settings"> {
  if (pools instanceof TooFewExamples) {
    return { fault: pools.message, records: {}, duplicates: { elsewhere: 0, twice: 0 }, settings: null };
  }
  const { records, duplicates } = pools, lack = lackOf(pools);
  const sizes = { train: pools.train.length, validation: pools.validation.length, test: pools.test.length };
  const fault = lack === null ? indistinct : `Cannot use it: ${lack}`;
  return { fault, records, duplicates, settings: fault === null ? settingsFor(model, sizes) : null };
}

function countClasses(
  { layout }: OpenedData,
  count: (pool: Pool, word: string, name: string) => number,
): DataLook["classes"] {
  const { labels = {} } = layout;
  return numberedClasses(layout).map((name) => {
    const word = labels[name]!, of = (pool: Pool) => count(pool, word, name);
    return { name, word, counts: { train: of("train"), validation: of("validation"), test: of("test") } };
  });
}

function inBrief(values: readonly number[]): Quantiles {
  const sorted = values.toSorted((a, b) => a - b),
    at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1]!;
  return { least: sorted[0]!, median: at(0.5), high: at(0.95), most: sorted.at(-1)! };
}
