/** @file What scoring takes by count: the passes that a task's score and measures ask of a model, without a model. */
import type { RowLengths } from "../../models/architecture.ts";
import { type Batch, IGNORE } from "../../models/model.ts";
import type { Predictor, Split, Task, TaskData } from "../../tasks/task.ts";
import type { KnownModel } from "../configuration.ts";
import { inGroups } from "../scoring/groups.ts";
import { measuresOf } from "../scoring/measures.ts";
import { forwardFlopsOf } from "./work.ts";

/** Passes that are alike, after each of which the host waits for what was found. */
export interface Passes {
  /** How many there are. */
  readonly count: number;
  /** FLOPs of all together. */
  readonly flops: number;
}

/** Thrown where texts were asked for: what a task does with them, to run programs for instance, takes no model. */
class Written extends Error {}

/** Training examples whose answers are looked at. */
const ANSWERS = 64;

/**
 * The passes that scoring a split takes. No guessed text is taken to be right.
 *
 * @param endsTexts true where the model's texts are as long as the longest answers that are trained on; false where it may
 * not know when to end, and writes as far as it may go
 */
export async function countScoring(
  task: Pick<Task, "measures">,
  data: TaskData,
  split: Split,
  model: KnownModel,
  endsTexts: boolean,
): Promise<Passes[]> {
  const passes: Passes[] = [], most = endsTexts ? longestAnswer(data.trainBatch(1, ANSWERS)) : Infinity;
  const predictor = countingPredictor(model, data.needs.inputSize, most, passes);
  const hasMeasures = measuresOf(task, split).length > 0;
  const asks = [
    () => data.score(predictor, split),
    ...hasMeasures ? [() => data.measure?.(predictor, split)] : [],
  ];
  for (const ask of asks) {
    try {
      await ask();
    } catch (error) {
      if (!(error instanceof Written)) throw error;
    }
  }
  return passes;
}

/** Tokens of the longest answer of a batch. */
function longestAnswer({ targets: { data, shape } }: Batch): number {
  const width = shape[1] ?? 1;
  const lengths = Array.from(
    { length: shape[0]! },
    (_, row) =>
      data.subarray(row * width, (row + 1) * width).reduce(
        (sum, token) => sum + (token === IGNORE ? 0 : 1),
        0,
      ),
  );
  return Math.max(...lengths);
}

/**
 * A predictor without a model: it notes what it is asked, and knows nothing.
 *
 * @param longest tokens of the longest text, as of any predictor
 * @param most tokens that are written of a text
 */
function countingPredictor(model: KnownModel, longest: number, most: number, passes: Passes[]): Predictor {
  const flopsOf = (lengths: RowLengths) => forwardFlopsOf(model.ofLengths(lengths).architecture, 1);
  const reads = model.family === "encoder-decoder";
  /** Texts that are read with their continuations. */
  const read = (prompts: readonly Int32Array[], continuations: readonly Int32Array[]) => {
    const texts = prompts.map((prompt, i) => ({ prompt: prompt.length, rest: continuations[i]!.length }));
    for (const some of inGroups(texts, ({ prompt, rest }) => prompt + rest)) {
      const input = Math.max(...some.map(({ prompt, rest }) => prompt + (reads ? 0 : rest - 1)));
      const target = reads ? Math.max(...some.map(({ rest }) => rest)) : 0;
      passes.push({ count: 1, flops: some.length * flopsOf({ input, target }) });
    }
  };
  return {
    classify(batch: Batch) {
      const { shape } = batch.targets;
      passes.push({ count: 1, flops: shape[0]! * flopsOf({ input: shape[1] ?? 0, target: 0 }) });
      return Promise.resolve(new Int32Array(shape.reduce((a, b) => a * b)));
    },
    generate(prompts, { maxTokens, sampling }) {
      const texts = prompts.flatMap(({ length }) => {
        // Of texts that are drawn, one of those that are written together seldom ends.
        const room = Math.min(
          maxTokens,
          sampling ? Infinity : most,
          reads ? Infinity : Math.max(0, longest - length + 1),
        );
        return Array.from({ length: sampling?.samples ?? 1 }, () => ({ length, room }));
      });
      for (const some of inGroups(texts, ({ length, room }) => length + room)) {
        const positions = Math.max(...some.map(({ room }) => room));
        const input = Math.max(...some.map(({ length }) => length));
        if (positions === 0) continue;
        passes.push({
          count: 1,
          flops: some.length / (sampling?.samples ?? 1) * flopsOf({ input, target: 0 }),
        });
        // A token looks at all before it: on the average at the prompt and half of what is written.
        const token = flopsOf(reads ? { input: 0, target: 1 } : { input: 1, target: 0 }) +
          lookingFlops(model, input + positions / 2);
        const written = some.reduce((sum, { room }) => sum + room, 0);
        passes.push({ count: positions - 1, flops: written * token });
      }
      throw new Written();
    },
    follows(prompts, continuations) {
      read(prompts, continuations);
      return Promise.resolve(prompts.map(() => false));
    },
    losses(prompts, continuations) {
      read(prompts, continuations);
      return Promise.resolve(new Float32Array(prompts.length));
    },
  };
}

/** FLOPs of one token's look at so many others. */
function lookingFlops({ architecture }: KnownModel, keys: number): number {
  const [own] = architecture.attentions.slice(-1);
  return own ? 4 * own.count * own.width * keys : 0;
}
