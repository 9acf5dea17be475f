/** @file Real texts by path as a task's examples: in the tokens of the user's own model, or else in the project's. */
import type { ModelFamily } from "../../models/model.ts";
import type { Contents } from "../data/contents.ts";
import { takeData } from "../data/load.ts";
import { isSkip, type Skip } from "../skip.ts";
import type { Pools } from "../examples.ts";
import type { DataSource, TaskFamily, TaskModel, TaskOptions } from "../task.ts";
import { readModelTokenizer } from "./hugging_face_tokenizer.ts";
import { type ClassExample, keyOf } from "./text_batch.ts";
import { type Counted, ifFits, type TextForm } from "./text_form.ts";

/** How a task takes real texts. */
export interface TextTaking<T, U extends ClassExample> {
  /** The kind of model that takes them. */
  readonly modelFamily: ModelFamily;
  /** Classes that a model of the user's is to tell apart; absent where it writes. */
  readonly classes?: number;
  /** Ids of the data sets that it takes; absent where it takes all of its family. */
  readonly only?: readonly string[];
  /** The example as a model of the user's is asked, or why there is none. */
  convert(content: T): U | Skip;
  /** The form of the project's own models, and how they are asked where that is another way; absent where they can't be. */
  readonly own?: { readonly form: TextForm; convert?(content: T): U | Skip };
}

/** Real examples and the form in which they are taken. */
export interface TakenTexts<U> extends Pools<U> {
  readonly source: DataSource;
  readonly form: TextForm;
}

/**
 * As many examples as a run's options say, of those that fit the model; the rest is skipped and counted.
 *
 * With a model of the user's they are cut into its own tokenizer's tokens, up to its longest text, and rows are as long as
 * the longest example that is trained on or validated with.
 *
 * @param id the task's
 * @throws {DataError} as `takeData` does; where the user's model has no tokenizer or fewer tokens than it; and where a model
 * of the user's is needed
 */
export async function takeTexts<F extends TaskFamily, U extends ClassExample>(
  id: string,
  family: F,
  options: TaskOptions & { readonly data: string },
  model: TaskModel | undefined,
  taking: TextTaking<Contents[F], U>,
): Promise<TakenTexts<Counted<U>>> {
  const { own, only } = taking;
  const take = async (
    form: Omit<TextForm, "length">,
    convert: (content: Contents[F]) => U | Skip,
    by?: string,
  ) => {
    const { classes: _, ...taken } = await takeData<F, Counted<U>>(id, family, options, {
      ...only && { only },
      convert(content) {
        const example = convert(content);
        return isSkip(example) ? example : ifFits(example, form);
      },
      keyOf,
      ...by !== undefined && { by },
    });
    return taken;
  };
  if (own && model?.folder === undefined) {
    const { form, convert = taking.convert } = own;
    return { ...await take(form, convert), form };
  }
  const { tokenizer, hash } = await readModelTokenizer(model, `use ${options.data} for "${id}"`);
  const { outputs, inputSize } = model!;
  const { modelFamily: kind, classes = outputs } = taking;
  const form = { tokenizer, needs: { family: kind, outputs: classes, inputSize } };
  const taken = await take(form, taking.convert, `${hash} ${inputSize}`);
  const rows = [...taken.train, ...taken.validation];
  return {
    ...taken,
    form: { ...form, length: rows.reduce((most, { tokens }) => Math.max(most, tokens), 0) },
  };
}
