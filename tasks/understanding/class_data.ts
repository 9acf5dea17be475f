/** @file Classification by an encoder: a text or a pair of texts is read, and one of the classes chosen. */
import { poolBatches } from "../batches.ts";
import { commonestShare } from "../commonest.ts";
import type { ClassifiedText } from "../data/contents.ts";
import type { Skip } from "../skip.ts";
import type { Pools } from "../examples.ts";
import type { Predictor, Split, TaskData, TaskOptions } from "../task.ts";
import { classBatch, type ClassExample, classOf, classTokens } from "../text/text_batch.ts";
import type { TextForm } from "../text/text_form.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { matthews } from "./matthews.ts";

/** A text of GLUE as an encoder takes it, in the data set's order of texts; or why its class is none of the task's. */
export function toClassExample(
  { texts: [prompt, second], label, labels: own }: ClassifiedText,
  labels: readonly string[],
): ClassExample | Skip {
  const answer = own[label]!;
  if (!labels.includes(answer)) return { skip: { kind: "other-label", labels } };
  return {
    prompt: prompt.trim(),
    answer,
    choices: labels,
    ...(second !== undefined && { second: second.trim() }),
  };
}

/** Serves examples to an encoder, and scores the classes that it chooses. */
export function classData(
  { id, correlates }: { readonly id: string; readonly correlates?: boolean },
  pools: Pools<ClassExample>,
  { seed }: TaskOptions,
  { tokenizer, needs, length }: TextForm,
): TaskData {
  return {
    needs,
    ...poolBatches(
      id,
      seed,
      pools,
      (examples) => classBatch(examples, length, tokenizer),
      (example) => classTokens(example, tokenizer).tokens.length <= length,
    ),
    score: async (predictor, split) =>
      Float32Array.from(await areOf(predictor, pools[split], pools[split].map(classOf), tokenizer), Number),
    commonest: (split) => commonestShare(pools[split].map(({ answer }) => answer)),
    ...correlates && {
      async measure(predictor: Predictor, split: Split) {
        const examples = pools[split], chosen = new Int32Array(examples.length);
        // All that are of no later class are of the first.
        for (let one = 1; one < needs.outputs; one++) {
          const isOne = await areOf(predictor, examples, examples.map(() => one), tokenizer);
          isOne.forEach((yes, i) => yes && (chosen[i] = one));
        }
        return { [matthews.name]: { values: chosen, labels: examples.map(classOf) } };
      },
    },
  };
}

/** For each example whether the class that is chosen is the one given. */
async function areOf(
  predictor: Predictor,
  examples: readonly ClassExample[],
  classes: readonly number[],
  tokenizer: Tokenizer,
): Promise<boolean[]> {
  const read = examples.map((example) => classTokens(example, tokenizer));
  return await predictor.follows(
    read.map(({ tokens }) => tokens),
    classes.map((one) => Int32Array.of(one)),
    read.map(({ types }) => types),
  );
}
