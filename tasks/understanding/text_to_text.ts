/** @file Classification as text to text: a prompt is read and the label's words are written, as T5 does. */
import { type EncoderDecoderBatch, IGNORE } from "../../models/model.ts";
import { createRandom, type Random } from "../../numerics/random.ts";
import { type Choices, createChoices } from "./choices.ts";
import { poolBatches } from "../batches.ts";
import type { ClassifiedText } from "../data/contents.ts";
import { realDataOf, takeData } from "../data/load.ts";
import type { Skip } from "../data/read_record.ts";
import { cutPools, type Pools, takeExamples } from "../examples.ts";
import { matthews } from "./matthews.ts";
import type { Predictor, ShippedSettings, Split, Task, TaskData, TaskOptions } from "../task.ts";
import { classificationExample } from "../text/prompts.ts";
import { encodeWords, END, PADDING, WORDS_SIZE } from "./words.ts";

/** A text to read and the text to write. */
export interface TextPair {
  readonly prompt: string;
  readonly answer: string;
}

/** Most tokens of inputs and targets, their ends included. */
export interface PairLengths {
  readonly input: number;
  readonly target: number;
}

/** Most tokens of a real text with its end: what t5-tiny reads. */
const LONGEST_INPUT = 40;

/** A kind of example with a fixed number of labels. */
export interface Classification {
  /** The task's id. */
  readonly id: string;
  /** For people. */
  readonly title: string;
  /** What is written for each label. */
  readonly labels: readonly string[];
  /** Most tokens of a prompt with its end. */
  readonly inputSize: number;
}

/** A classification whose examples come from a grammar. */
export interface Grammar<L> extends Classification {
  /** A prompt that has the label of that index. */
  draw(choices: Choices, lexicon: L, label: number): string;
}

/** The tokens of a text and the end. */
export function endedWords(text: string): Int32Array<ArrayBuffer> {
  return Int32Array.of(...encodeWords(text), END);
}

/**
 * A batch of inputs `[pairs, input length]` and targets `[pairs, target length]`, each ended and padded on the right.
 *
 * @throws {RangeError} where a text and its end are longer than that
 */
export function pairBatch(pairs: readonly TextPair[], lengths: PairLengths): EncoderDecoderBatch {
  const rows = pairs.length;
  const inputs = new Int32Array(rows * lengths.input).fill(PADDING);
  const mask = new Uint32Array(inputs.length);
  const targets = new Int32Array(rows * lengths.target).fill(IGNORE);
  pairs.forEach(({ prompt, answer }, row) => {
    const read = fitting(prompt, lengths.input), written = fitting(answer, lengths.target);
    inputs.set(read, row * lengths.input);
    mask.fill(1, row * lengths.input, row * lengths.input + read.length);
    targets.set(written, row * lengths.target);
  });
  return {
    family: "encoder-decoder",
    inputs: { data: inputs, shape: [rows, lengths.input] },
    inputMask: { data: mask, shape: [rows, lengths.input] },
    targets: { data: targets, shape: [rows, lengths.target] },
  };
}

function fitting(text: string, length: number): Int32Array<ArrayBuffer> {
  const tokens = endedWords(text);
  if (tokens.length > length) {
    throw new RangeError(`Cannot fit "${text}" and its end into ${length} tokens: they are ${tokens.length}`);
  }
  return tokens;
}

/** `count` pairs of a grammar, no two with one prompt: the i-th is the same for every count. Labels take turns. */
export function distinctPairs<L>(
  random: Random,
  grammar: Grammar<L>,
  lexicon: L,
  count: number,
): readonly TextPair[] {
  const byPrompt = new Map<string, TextPair>();
  for (let draw = 0; byPrompt.size < count; draw++) {
    const label = byPrompt.size % grammar.labels.length;
    const prompt = grammar.draw(createChoices(random.fork(`pair ${draw}`)), lexicon, label);
    if (!byPrompt.has(prompt)) byPrompt.set(prompt, { prompt, answer: grammar.labels[label]! });
  }
  return [...byPrompt.values()];
}

/** For each pair, 1 where what is written for its prompt is its answer to the letter and then ends, else 0. */
export async function exactAnswers(predictor: Predictor, pairs: readonly TextPair[]): Promise<Float32Array> {
  const right = await predictor.follows(
    pairs.map(({ prompt }) => endedWords(prompt)),
    pairs.map(({ answer }) => endedWords(answer)),
  );
  return Float32Array.from(right, Number);
}

/** The index of the label that is written for each pair's prompt; −1 where what is written is none. */
async function writtenLabels(
  predictor: Predictor,
  pairs: readonly TextPair[],
  labels: readonly string[],
): Promise<number[]> {
  const texts = labels.map((label) => encodeWords(label).join(" "));
  const written = await predictor.generate(pairs.map(({ prompt }) => endedWords(prompt)), {
    maxTokens: targetLength(labels),
    stop: END,
  });
  return written.map((tokens) => texts.indexOf(tokens.join(" ")));
}

/** Tokens of the longest label and its end. */
function targetLength(labels: readonly string[]): number {
  return Math.max(...labels.map((label) => endedWords(label).length));
}

/** What the shipped settings of the tasks of understanding have in common, beside their number of steps. */
export const SHIPPED = {
  model: "t5-tiny",
  batchSize: 32,
  trainExamples: 4000,
  validationExamples: 256,
  testExamples: 512,
} as const;

/** A classification task, and how it is run. */
export interface GivenClassification extends Classification {
  /** Where the pairs are from. */
  readonly source: string;
  readonly shipped: ShippedSettings;
  /** True where Matthews' correlation is measured too. */
  readonly correlates?: boolean;
  /** Ids of the data sets of GLUE that it takes by path; absent where it takes none. */
  readonly dataSets?: readonly string[];
  /** Its own pairs. */
  pools(): Promise<Pools<TextPair>>;
}

/** A task over pools of pairs, its own or those of real data with the same labels. */
export function classificationTask(given: GivenClassification): Task {
  const { id, title, labels, source, shipped, correlates = false, dataSets } = given;
  return {
    id,
    title,
    family: "understanding",
    metric: { name: "accuracy", chance: 1 / labels.length },
    ...correlates && { measures: [matthews] },
    source,
    shipped,
    ...dataSets && { realData: realDataOf("understanding", { only: dataSets }) },
    async load(options) {
      const { data } = options;
      if (data === undefined || !dataSets) {
        return classificationData(given, takeExamples(id, await given.pools(), options), options);
      }
      const { source, ...pools } = await takeData(id, "understanding", { ...options, data }, {
        only: dataSets,
        convert: (text) => toPair(text, labels),
        keyOf: ({ prompt }) => prompt,
      });
      return { ...classificationData({ ...given, inputSize: LONGEST_INPUT }, pools, options), source };
    },
  };
}

/** A text of GLUE as T5 was asked about it, or why it can't be asked. */
function toPair(text: ClassifiedText, labels: readonly string[]): TextPair | Skip {
  const pair = classificationExample(text);
  if (!labels.includes(pair.answer)) return { skip: `with a label other than ${labels.join(", ")}` };
  return endedWords(pair.prompt).length > LONGEST_INPUT
    ? { skip: `longer than ${LONGEST_INPUT} tokens` }
    : pair;
}

function classificationData(
  { id, labels, inputSize, correlates }: GivenClassification,
  pools: Pools<TextPair>,
  { seed }: TaskOptions,
): TaskData {
  const lengths = { input: inputSize, target: targetLength(labels) };
  return {
    needs: { family: "encoder-decoder", outputs: WORDS_SIZE, inputSize },
    ...poolBatches(id, seed, pools, (pairs) => pairBatch(pairs, lengths)),
    score: (predictor, split) => exactAnswers(predictor, pools[split]),
    ...correlates && {
      async measure(predictor: Predictor, split: Split) {
        const pairs = pools[split];
        const real = pairs.map(({ answer }) => labels.indexOf(answer));
        return { [matthews.name]: { values: await writtenLabels(predictor, pairs, labels), labels: real } };
      },
    },
  };
}

/** Sizes of the fixed pools of generated pairs. */
const POOL = { test: 1000, validation: 1000, train: 6000 };

/** What a task over a grammar has beside it. */
export type GrammarTask = Pick<GivenClassification, "shipped" | "correlates" | "dataSets">;

/** A task over a grammar's sentences in the words of a lexicon. The pairs are made once, as they depend on no option. */
export function grammarTask<L>(grammar: Grammar<L>, lexicon: L, given: GrammarTask): Task {
  let pools: Pools<TextPair> | undefined;
  return classificationTask({
    ...grammar,
    ...given,
    source: "generated",
    pools() {
      if (!pools) {
        const random = createRandom(0).fork(grammar.id);
        const pairs = distinctPairs(random, grammar, lexicon, POOL.test + POOL.validation + POOL.train);
        pools = cutPools(pairs, POOL);
      }
      return Promise.resolve(pools);
    },
  });
}
