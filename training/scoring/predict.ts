/** @file What a trained model can be asked: classes and text. */
import {
  createGradients,
  gatherMap,
  mapRows,
  outputLogits,
  rowsAtOnce,
  Tape,
  type Var,
} from "../../autodiff/mod.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { argmax } from "../../kernels/mod.ts";
import { type Batch, IGNORE, type Model, type Writer } from "../../models/model.ts";
import { padRight } from "../../models/padded_prompts.ts";
import type { Generation, Predictor, TokenTypes } from "../../tasks/task.ts";
import { Answers } from "../checkpoint/answers.ts";
import type { ForwardOf } from "../loop/forward.ts";
import { inGroups } from "./groups.ts";
import { createSampler } from "./sampling.ts";

/** One text to be written. */
interface Text {
  readonly prompt: number;
  readonly sample: number;
  /** Most tokens, as the model and the caller allow. */
  readonly room: number;
}

/** Chooses the token after each text, given its scores and the tokens written before; null is a text that has ended. */
type Choose = (
  scores: Var,
  texts: readonly (Text | null)[],
  position: number,
) => Promise<Iterable<number>>;

/** A text and how it might go on. */
interface Guess {
  readonly prompt: Int32Array;
  readonly continuation: Int32Array;
  /** The kind of each token of the prompt. */
  readonly types: Int32Array | undefined;
}

/** What a predictor does beside answering. */
export interface PredictorHooks {
  /** Called and waited for after each wait for the GPU. Where it throws, the question is not answered. */
  readonly onPass?: () => void | Promise<void>;
  /** Takes every answer; those that it knows are not worked out again. */
  readonly answers?: Answers;
}

/**
 * A predictor that computes linear maps by `forwardOf`, whose weights must stay alive. Prompts have up to `longest`
 * tokens; where a model's text is its prompt's continuation, so has the whole, and one token more that is not read.
 *
 * @param hooks what happens between its answers, and those that it has already
 */
export function createPredictor(
  gpu: Gpu,
  model: Model,
  forwardOf: ForwardOf,
  longest: number,
  { onPass = () => {}, answers = new Answers() }: PredictorHooks = {},
): Predictor {
  const store = createGradients(gpu, []);
  const forward = () => forwardOf(new Tape(gpu, store));
  const writer = (): Writer => {
    if (!model.writer) throw new TypeError(`Cannot write text: the model is for ${model.family} batches`);
    return model.writer;
  };
  /** Most tokens that may follow a prompt; behind a text that is classified, one stands for its class. */
  const roomBehind = (prompt: number): number =>
    model.family === "encoder" ? Number(prompt <= longest) : writer().room(prompt, longest);
  /**
   * `rows` of the logits, or all, part by part where all rows' logits are too many to be there at once. A part is freed
   * when the next one is asked for.
   */
  function* logitsOf(batch: Batch, rows?: readonly number[]): Generator<Tensor> {
    const reading = forward(), { tape } = reading, hidden = model.lastHidden?.(reading, batch);
    const among = (x: Var, rows: readonly number[]) =>
      mapRows(tape, x, gatherMap(gpu, rows, x.value.shape[0]!));
    const all = batch.targets.data.length;
    const atOnce = hidden ? rowsAtOnce(hidden.map.weight.value.shape[0]!) : all;
    if (!hidden || all <= atOnce) {
      const logits = hidden ? outputLogits(tape, hidden.states, hidden.map) : model.logits(reading, batch);
      yield (rows ? among(logits, rows) : logits).value;
      return;
    }
    const asked = rows ?? Array.from({ length: all }, (_, row) => row);
    for (let first = 0; first < asked.length; first += atOnce) {
      using _ = gpu.scope("part of the logits");
      const states = among(hidden.states, asked.slice(first, first + atOnce));
      yield outputLogits(tape, states, hidden.map).value;
    }
  }
  /** The best class of each of `rows` of the logits, or of all. */
  const bestOf = async (batch: Batch, rows?: readonly number[]): Promise<Int32Array> => {
    using _ = gpu.scope("predict", "activations");
    const best: number[] = [];
    for (const logits of logitsOf(batch, rows)) best.push(...await gpu.download(argmax(gpu, logits)));
    await onPass();
    return Int32Array.from(best);
  };
  return {
    classify: (batch) => answers.recall(() => bestOf(batch)),
    async generate(prompts, how) {
      const { maxTokens, sampling } = how, { room } = writer(), out: Int32Array[] = [];
      if (!(Number.isSafeInteger(maxTokens) && maxTokens >= 0)) {
        throw new RangeError(`Cannot write text: maxTokens is ${maxTokens}, an integer from 0 is needed`);
      }
      const choose = choiceOf(how), stops = new Set([how.stop].flat());
      const texts = prompts.flatMap(({ length }, prompt) => {
        if (length === 0) throw new RangeError(`Cannot continue prompt ${prompt}: it is empty`);
        const text = { prompt, room: Math.min(maxTokens, room(length, longest)) };
        return Array.from({ length: sampling?.samples ?? 1 }, (_, sample): Text => ({ ...text, sample }));
      });
      for (const some of inGroups(texts, ({ prompt, room }) => prompts[prompt]!.length + room)) {
        out.push(...await answers.recall(() => writeTogether(prompts, some, stops, choose)));
      }
      return out;
    },
    async follows(prompts, continuations, types) {
      const out: boolean[] = [], guesses = prompts.map(guessOf(continuations, types));
      for (const some of inGroups(guesses, tokensOf)) {
        out.push(...await answers.recall(() => followTogether(some)));
      }
      return out;
    },
    async losses(prompts, continuations, types) {
      const guesses = prompts.map(guessOf(continuations, types));
      for (const [i, { prompt, continuation }] of guesses.entries()) {
        const most = roomBehind(prompt.length);
        if (continuation.length < 1 || continuation.length > most) {
          throw new RangeError(
            `Cannot tell the loss of continuation ${i}: it has ${continuation.length} tokens, 1 to ${most} are needed`,
          );
        }
      }
      const out: number[] = [];
      for (const some of inGroups(guesses, tokensOf)) {
        out.push(...await answers.recall(() => lossesTogether(some)));
      }
      return Float32Array.from(out);
    },
  };

  async function lossesTogether(guesses: readonly Guess[]): Promise<number[]> {
    using _ = gpu.scope("losses", "activations");
    const { batch, rows } = teach(guesses), surprises: number[] = [];
    const tokens = guesses.flatMap(({ continuation }) => [...continuation]);
    for (const logits of logitsOf(batch, rows)) {
      const scores = await gpu.download(logits), width = logits.shape.at(-1)!;
      for (let first = 0; first < scores.length; first += width) {
        const own = scores.subarray(first, first + width);
        surprises.push(logSumExp(own) - own[tokens[surprises.length]!]!);
      }
    }
    await onPass();
    let next = 0;
    return guesses.map(({ continuation: { length } }) => {
      const own = surprises.slice(next, next += length);
      return own.reduce((sum, surprise) => sum + surprise, 0) / length;
    });
  }

  async function followTogether(guesses: readonly Guess[]): Promise<boolean[]> {
    const out = new Array<boolean>(guesses.length).fill(false);
    const fitting = [...guesses.keys()].filter((i) => {
      const { prompt, continuation } = guesses[i]!;
      return continuation.length <= roomBehind(prompt.length);
    });
    if (fitting.length === 0) return out;
    const { batch, rows } = teach(fitting.map((i) => guesses[i]!));
    const best = await bestOf(batch, rows);
    let next = 0;
    for (const i of fitting) {
      const { continuation } = guesses[i]!;
      const foreseen = best.subarray(next, next += continuation.length);
      out[i] = continuation.every((token, k) => token === foreseen[k]);
    }
    return out;
  }

  /** Texts that are read whole, and the rows of logits that foresee each token of each continuation, in order. */
  function teach(guesses: readonly Guess[]): { batch: Batch; rows: number[] } {
    // The last token need not be read, only foreseen.
    const rowsFrom = (first: (row: number) => number) =>
      guesses.flatMap(({ continuation }, row) => [...continuation.keys()].map((k) => first(row) + k));
    if (model.family === "encoder-decoder") {
      const inputs = padRight(guesses.map(({ prompt }) => prompt), longest), { padded: read } = inputs;
      const mask = new Uint32Array(guesses.length * read);
      inputs.lengths.forEach((length, row) => mask.fill(1, row * read, row * read + length));
      const texts = guesses.map(({ continuation }) => continuation);
      const written = padRight(texts, writer().room(1, longest), IGNORE), { padded } = written;
      return {
        batch: {
          family: "encoder-decoder",
          inputs: { data: inputs.tokens, shape: [guesses.length, read] },
          inputMask: { data: mask, shape: [guesses.length, read] },
          targets: { data: written.tokens, shape: [guesses.length, padded] },
        },
        rows: rowsFrom((row) => row * padded),
      };
    }
    if (model.family === "encoder") {
      const { tokens, padded, lengths } = padRight(guesses.map(({ prompt }) => prompt), longest);
      const mask = new Uint32Array(guesses.length * padded), shape = [guesses.length, padded];
      lengths.forEach((length, row) => mask.fill(1, row * padded, row * padded + length));
      const types = new Int32Array(guesses.length * padded);
      guesses.forEach((guess, row) => guess.types && types.set(guess.types, row * padded));
      return {
        batch: {
          family: "encoder",
          tokens: { data: tokens, shape },
          mask: { data: mask, shape },
          types: { data: types, shape },
          targets: { data: new Int32Array(guesses.length).fill(IGNORE), shape: [guesses.length] },
        },
        rows: [...guesses.keys()],
      };
    }
    const texts = guesses.map(({ prompt, continuation }) => [...prompt, ...continuation].slice(0, -1));
    // Padding lies on the right: causal attention never looks there.
    const { tokens, padded } = padRight(texts, longest), shape = [guesses.length, padded];
    return {
      batch: {
        family: "decoder",
        tokens: { data: tokens, shape },
        targets: { data: new Int32Array(tokens.length).fill(IGNORE), shape },
      },
      rows: rowsFrom((row) => row * padded + guesses[row]!.prompt.length - 1),
    };
  }

  function choiceOf({ sampling }: Generation): Choose {
    if (!sampling) return (scores) => gpu.download(argmax(gpu, scores.value));
    const sampler = createSampler(sampling);
    return async (scores, texts, position) => {
      const all = await gpu.download(scores.value), width = scores.value.shape.at(-1)!;
      return texts.map((text, row) =>
        text ? sampler.draw(all.subarray(row * width, (row + 1) * width), { ...text, position }) : 0
      );
    };
  }

  async function writeTogether(
    prompts: readonly Int32Array[],
    texts: readonly Text[],
    stops: ReadonlySet<number>,
    choose: Choose,
  ): Promise<Int32Array[]> {
    const written = texts.map((): number[] => []);
    // The text in each row of what the model keeps.
    let rows = [...texts.keys()].filter((i) => texts[i]!.room > 0);
    if (rows.length === 0) return written.map(() => new Int32Array(0));
    using _ = gpu.scope("texts", "activations");
    const reading = forward(), open = new Set(rows);
    // A prompt is read once for all its samples.
    const read = [...new Set(rows.map((i) => texts[i]!.prompt))];
    const copies = rows.map((i) => read.indexOf(texts[i]!.prompt));
    const most = Math.max(...rows.map((i) => texts[i]!.room));
    const continuation = writer().begin(reading, read.map((prompt) => prompts[prompt]!), most);
    if (copies.length > read.length) continuation.select(copies);
    let tokens: readonly number[] = [];
    for (let position = 0; open.size > 0; position++) {
      // Those that have ended go along until they are half: few sizes of buffers occur, each not for long.
      if (2 * open.size <= rows.length) {
        const staying = [...rows.keys()].filter((row) => open.has(rows[row]!));
        continuation.select(staying);
        rows = staying.map((row) => rows[row]!);
        tokens = staying.map((row) => tokens[row]!);
      }
      using _ = gpu.scope("token");
      const scores = position > 0
        ? continuation.next(tokens)
        : mapRows(reading.tape, continuation.prompted, gatherMap(gpu, copies, read.length));
      tokens = [...await choose(scores, rows.map((i) => open.has(i) ? texts[i]! : null), position)];
      await onPass();
      rows.forEach((i, row) => {
        if (!open.has(i)) return;
        const ends = stops.has(tokens[row]!);
        if (!ends) written[i]!.push(tokens[row]!);
        if (ends || written[i]!.length === texts[i]!.room) open.delete(i);
      });
    }
    return written.map((tokens) => Int32Array.from(tokens));
  }
}

/** A prompt with what may follow it. */
function guessOf(
  continuations: readonly Int32Array[],
  types: TokenTypes = [],
): (prompt: Int32Array, i: number) => Guess {
  return (prompt, i) => ({ prompt, continuation: continuations[i]!, types: types[i] });
}

function tokensOf({ prompt, continuation }: Guess): number {
  return prompt.length + continuation.length;
}

/** ln Σ exp(scores), in float64. */
function logSumExp(scores: Float32Array): number {
  const most = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  return most + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - most), 0));
}
