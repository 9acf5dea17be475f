/** @file Classification as text to text: a prompt is read and the label's words are written, as T5 does. */
import { type EncoderDecoderBatch, IGNORE } from "../../models/model.ts";
import { createRandom, type Random } from "../../numerics/random.ts";
import { type Choices, createChoices } from "./choices.ts";
import { poolBatches } from "../batches.ts";
import { commonestShare } from "../commonest.ts";
import type { ClassifiedText } from "../data/contents.ts";
import { DataError } from "../data/data_error.ts";
import { realDataOf } from "../data/load.ts";
import { isSkip, type Skip } from "../skip.ts";
import { type Pools, takeDrawn } from "../examples.ts";
import { classData, toClassExample } from "./class_data.ts";
import { matthews } from "./matthews.ts";
import type { Predictor, ShippedSettings, Split, Task, TaskData, TaskModel, TaskOptions } from "../task.ts";
import { classificationExample } from "../text/prompt_templates.ts";
import { takeTexts } from "../text/real_texts.ts";
import { readModelTokenizer } from "../text/hugging_face_tokenizer.ts";
import {
  type ClassExample,
  classTokens,
  endedTokens,
  promptTokens,
  type TextExample,
} from "../text/text_batch.ts";
import { ifFits, type TextForm } from "../text/text_form.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { WORDS_SIZE, wordTokenizer } from "./words.ts";

/** A text to read and the text to write. */
export type TextPair = TextExample;

/** Most tokens of inputs and targets, their ends included. */
export interface PairLengths {
  readonly input: number;
  readonly target: number;
}

/** The form of real texts for the project's own models: most tokens are what t5-tiny reads. */
const REAL_FORM = wordForm(40);

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

/** The form of the project's own encoder-decoders: a token per word, inputs of `length` tokens with their end. */
function wordForm(length: number): TextForm {
  return {
    tokenizer: wordTokenizer,
    needs: { family: "encoder-decoder", outputs: WORDS_SIZE, inputSize: length },
    length,
  };
}

/** The tokens of a prompt as it is read, its end among them. */
function readTokens(prompt: string, tokenizer: Tokenizer): Int32Array<ArrayBuffer> {
  return Int32Array.of(...promptTokens(prompt, tokenizer), tokenizer.stop);
}

/**
 * A batch of inputs `[pairs, input length]` and targets `[pairs, target length]`, each ended and padded on the right.
 *
 * @throws {RangeError} where a text and its end are longer than that
 */
export function pairBatch(
  pairs: readonly TextPair[],
  lengths: PairLengths,
  tokenizer: Tokenizer = wordTokenizer,
): EncoderDecoderBatch {
  const rows = pairs.length;
  const inputs = new Int32Array(rows * lengths.input).fill(tokenizer.pad);
  const mask = new Uint32Array(inputs.length);
  const targets = new Int32Array(rows * lengths.target).fill(IGNORE);
  pairs.forEach(({ prompt, answer }, row) => {
    const read = fitting(prompt, readTokens(prompt, tokenizer), lengths.input);
    const written = fitting(answer, endedTokens(answer, tokenizer), lengths.target);
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

function fitting(text: string, tokens: Int32Array<ArrayBuffer>, length: number): Int32Array<ArrayBuffer> {
  if (tokens.length > length) {
    throw new RangeError(`Cannot fit "${text}" and its end into ${length} tokens: they are ${tokens.length}`);
  }
  return tokens;
}

/** Pairs of a grammar without end, no two with one prompt. Labels take turns. */
export function* distinctPairs<L>(
  random: Random,
  grammar: Grammar<L>,
  lexicon: L,
): Generator<TextPair, never> {
  const prompts = new Set<string>();
  for (let draw = 0;; draw++) {
    const label = prompts.size % grammar.labels.length;
    const prompt = grammar.draw(createChoices(random.fork(`pair ${draw}`)), lexicon, label);
    if (prompts.has(prompt)) continue;
    prompts.add(prompt);
    yield { prompt, answer: grammar.labels[label]! };
  }
}

/** For each pair, 1 where what is written for its prompt is its answer to the letter and then ends, else 0. */
export async function exactAnswers(
  predictor: Predictor,
  pairs: readonly TextPair[],
  tokenizer: Tokenizer = wordTokenizer,
): Promise<Float32Array> {
  const right = await predictor.follows(
    pairs.map(({ prompt }) => readTokens(prompt, tokenizer)),
    pairs.map(({ answer }) => endedTokens(answer, tokenizer)),
  );
  return Float32Array.from(right, Number);
}

/** The index of the label that is written for each pair's prompt; −1 where what is written is none. */
async function writtenLabels(
  predictor: Predictor,
  pairs: readonly TextPair[],
  labels: readonly string[],
  tokenizer: Tokenizer,
): Promise<number[]> {
  const texts = labels.map((label) => tokenizer.encode(label).join(" "));
  const written = await predictor.generate(pairs.map(({ prompt }) => readTokens(prompt, tokenizer)), {
    maxTokens: targetLength(labels, tokenizer),
    stop: tokenizer.stop,
  });
  return written.map((tokens) => texts.indexOf(tokens.join(" ")));
}

/** Tokens of the longest label and its end. */
function targetLength(labels: readonly string[], tokenizer: Tokenizer): number {
  return Math.max(...labels.map((label) => endedTokens(label, tokenizer).length));
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
  /** What an encoder reads of one of its own prompts, which are T5's; absent where encoders take no pairs of its own. */
  readonly read?: (prompt: string) => string;
  /** Its own pairs, as many as the options say. */
  take(options: TaskOptions): Promise<Pools<TextPair>>;
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
    async load(options, model) {
      const { data } = options;
      if (data === undefined || !dataSets) {
        const pools = await given.take(options);
        if (model?.family === "encoder" && given.read) {
          const { form, ...own } = await asClasses(given, pools, model);
          return classData(given, own, options, form);
        }
        return classificationData(given, pools, options, wordForm(given.inputSize));
      }
      const isEncoder = model?.family === "encoder", real = { ...options, data };
      const taken = isEncoder
        ? await takeTexts(id, "understanding", real, model, {
          modelFamily: "encoder",
          classes: labels.length,
          only: dataSets,
          convert: (text) => toClassExample(text, labels),
        })
        : await takeTexts(id, "understanding", real, model, {
          modelFamily: "encoder-decoder",
          only: dataSets,
          convert: (text) => toPair(text, labels),
          own: { form: REAL_FORM },
        });
      const { source, form, ...pools } = taken;
      if (!isEncoder) requireDistinct(labels, form, `use ${data} for "${id}"`);
      const found = new Set([...pools.train, ...pools.validation, ...pools.test].map(({ answer }) => answer));
      if (found.size === 1) {
        const all = `all of its examples are "${[...found][0]}"`;
        throw new DataError(`Cannot use ${data} for "${id}": ${all}, two labels are needed`);
      }
      const served = isEncoder ? classData : classificationData;
      return { ...served(given, pools, options, form), source };
    },
  };
}

/** A task's own pairs as an encoder takes them, in its tokens. @throws {DataError} where it takes no texts as long */
async function asClasses(
  { id, labels, read }: GivenClassification,
  pools: Pools<TextPair>,
  model: TaskModel,
): Promise<Pools<ClassExample> & { readonly form: TextForm }> {
  const { tokenizer } = await readModelTokenizer(model, `train task "${id}"`);
  const convert = (pairs: readonly TextPair[]) =>
    pairs.map(({ prompt, answer }): ClassExample => ({ prompt: read!(prompt), answer, choices: labels }));
  const own = {
    train: convert(pools.train),
    validation: convert(pools.validation),
    test: convert(pools.test),
  };
  const length = [...own.train, ...own.validation, ...own.test].reduce(
    (most, example) => Math.max(most, classTokens(example, tokenizer).tokens.length),
    0,
  );
  if (length > model.inputSize) {
    throw new DataError(
      `Cannot train task "${id}" on this model: its texts have up to ${length} tokens, the model takes ${model.inputSize}`,
    );
  }
  const needs = { family: "encoder", outputs: labels.length, inputSize: model.inputSize } as const;
  return { ...own, form: { tokenizer, needs, length } };
}

/** A text of GLUE as T5 was asked about it, or why it can't be asked. */
function toPair(text: ClassifiedText, labels: readonly string[]): TextPair | Skip {
  const pair = classificationExample(text);
  return labels.includes(pair.answer) ? pair : { skip: { kind: "other-label", labels } };
}

/** Others' tokenizers may lack signs of the labels, or have one token for all that they lack. @throws {DataError} */
function requireDistinct(labels: readonly string[], form: TextForm, purpose: string): void {
  const known = labels.filter((answer) => !isSkip(ifFits({ prompt: "", answer }, form)));
  const spelled = new Set(known.map((label) => form.tokenizer.encode(label).join(" ")));
  if (spelled.size < labels.length) {
    throw new DataError(`Cannot ${purpose}: the model's tokenizer can't tell ${labels.join(", ")} apart`);
  }
}

function classificationData(
  { id, labels, correlates }: GivenClassification,
  pools: Pools<TextPair>,
  { seed }: TaskOptions,
  { tokenizer, needs, length }: TextForm,
): TaskData {
  const lengths = { input: length, target: targetLength(labels, tokenizer) };
  return {
    needs,
    ...poolBatches(id, seed, pools, (pairs) => pairBatch(pairs, lengths, tokenizer)),
    score: (predictor, split) => exactAnswers(predictor, pools[split], tokenizer),
    commonest: (split) => commonestShare(pools[split].map(({ answer }) => answer)),
    ...correlates && {
      async measure(predictor: Predictor, split: Split) {
        const pairs = pools[split];
        const real = pairs.map(({ answer }) => labels.indexOf(answer));
        const written = await writtenLabels(predictor, pairs, labels, tokenizer);
        return { [matthews.name]: { values: written, labels: real } };
      },
    },
  };
}

/** Sizes of the fixed pools of generated pairs. */
const POOL = { test: 1000, validation: 1000, train: 6000, moreTest: 9240 };

/** What a task over a grammar has beside it. */
export type GrammarTask = Pick<GivenClassification, "shipped" | "correlates" | "dataSets">;

/** A task over a grammar's sentences in the words of a lexicon, the same whatever the options. */
export function grammarTask<L>(grammar: Grammar<L>, lexicon: L, given: GrammarTask): Task {
  const { id } = grammar;
  const take = takeDrawn(id, POOL, () => distinctPairs(createRandom(0).fork(id), grammar, lexicon));
  return classificationTask({
    ...grammar,
    ...given,
    source: "generated",
    // deno-lint-ignore require-await -- too many examples must reject, not throw
    take: async (options) => take(options),
  });
}
