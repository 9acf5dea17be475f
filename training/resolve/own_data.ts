/** @file Data of the user's as a task: opened, given settings to run with, and looked at as a model sees them. */
import { listNames, quote } from "../../errors/quote.ts";
import type { ShippedSettings, TaskData, TaskModel } from "../../tasks/task.ts";
import { describeRecord, type ReadRecord } from "../../tasks/data/read_record.ts";
import { countDoubtful, type DoubtfulCount } from "../../tasks/own/missing.ts";
import { type AskedLayout, type OpenedData, openLayout } from "../../tasks/own/open_layout.ts";
import { ownTask } from "../../tasks/own/task.ts";
import { type DataKind, numberedClasses } from "../../tasks/own/layout.ts";
import { readTexts, type TextModel, waysOut } from "../../tasks/own/texts.ts";
import { type Registries, resolveModel } from "../configuration.ts";
import { joinEntries } from "../registry.ts";
import type { RunConfig } from "../run.ts";
import { openFolders } from "./resolve.ts";

export { holdsKnownData } from "../../tasks/data/load.ts";

/** The project's own model for each kind of data, where nobody names another. */
const MODELS: Readonly<Record<DataKind, string>> = {
  answer: "decoder-tiny-dialogue",
  chat: "decoder-tiny-dialogue",
  label: "t5-tiny",
  image: "vit-tiny",
};

/** Most examples of each pool that sweeps take where nobody says how many. */
const MOST = { train: 4000, validation: 256, test: 512 };
/** Examples of a step, and steps: three times through the training examples, within limits. */
const BATCH = 16, EPOCHS = 3, STEPS = { least: 50, most: 300 };

/** Data of the user's that joined the registries. */
export interface OwnTask<R extends Registries> {
  /** With the task. */
  readonly registries: R;
  readonly data: OpenedData;
  /** What to know of it: how it was understood, and what of it can't be used. */
  readonly notes: readonly string[];
}

/** How data of the user's are read, and the model that takes them. @throws as `openOwnTask` does */
export async function openOwnData(
  path: string,
  asked: AskedLayout,
  model: RunConfig["model"] | undefined,
  registries: Registries,
): Promise<
  {
    readonly data: OpenedData;
    readonly choice: RunConfig["model"];
    readonly model: Registries["models"][string];
  }
> {
  const taken = Object.values(registries.tasks).map(({ id }) => id);
  const data = await openLayout(path, asked, taken), choice = model ?? { id: MODELS[data.layout.kind] };
  const { models } = await openFolders([{ model: choice }], registries);
  return { data, choice, model: resolveModel(choice, models) };
}

/**
 * Opens data of the user's as a task, with settings to run it with.
 *
 * @param model that takes it; the project's own where absent
 * @throws {DataError} where it can't be read or understood, or is too little
 * @throws {UserError} where the registries have no such model
 * @throws {CheckpointError} where the model's folder can't be read
 */
export async function openOwnTask<R extends Registries>(
  path: string,
  asked: AskedLayout,
  model: RunConfig["model"] | undefined,
  registries: R,
): Promise<OwnTask<R>> {
  const { data, choice, model: known } = await openOwnData(path, asked, model, registries);
  const task = ownTask(data), one = { trainExamples: 1, validationExamples: 1, testExamples: 1 };
  const { source } = await task.load({ seed: 0, data: path, ...one }, known);
  const records = source!.records,
    sizes = {
      train: records["train"]!.kept,
      validation: records["validation"]!.kept,
      test: records["test"]!.kept,
    };
  const shipped = settingsFor(choice.id, sizes);
  const all = { trainExamples: sizes.train, validationExamples: sizes.validation, testExamples: sizes.test };
  const { classCounts } = await task.load({ seed: 0, data: path, ...all }, known);
  return {
    data,
    registries: joinEntries(registries, { tasks: { own: ownTask(data, shipped) } }),
    notes: [
      `"${data.id}" is of ${path}: ${describeLayout(data)}${
        data.isGuessed ? " (by the names of its columns)" : ""
      }; ./run data shows them`,
      ...await describeLosses(data, path, known, records),
      ...classCounts ? describeUntrained(countedClasses(data.layout, classCounts)) : [],
    ],
  };
}

/** What data of such sizes are run with. */
export function settingsFor(
  model: string,
  sizes: Readonly<Record<keyof typeof MOST, number>>,
): ShippedSettings {
  const [trainExamples, validationExamples, testExamples] = (["train", "validation", "test"] as const)
    .map((pool) => Math.min(MOST[pool], sizes[pool])) as [number, number, number];
  const batchSize = Math.min(BATCH, trainExamples), steps = Math.round(EPOCHS * trainExamples / batchSize);
  return {
    ...{ model, batchSize, trainExamples, validationExamples, testExamples },
    steps: Math.min(STEPS.most, Math.max(STEPS.least, steps)),
  };
}

/** What examples are, in words. */
export function describeLayout(
  { layout: { kind, columns, prompt, score, labels } }: Pick<OpenedData, "layout">,
): string {
  const second = columns.second === undefined ? "" : ` and "${columns.second}"`;
  const asked = prompt === undefined
    ? `"${columns.prompt ?? columns.text}"${second}`
    : "a template's prompts";
  switch (kind) {
    case "answer":
      return `${asked} with ${
        columns.answer === undefined ? "a template's answers" : `"${columns.answer}"`
      } to answer, scored by ${score}`;
    case "chat":
      return `the last replies of "${columns.messages}", scored by ${score}`;
    case "label":
      return `${asked} with "${columns.label}", one of ${Object.keys(labels!).length} classes`;
    case "image":
      return `images in "${columns.image}" with "${columns.label}", one of ${
        Object.keys(labels!).length
      } classes`;
  }
}

/** How many examples of a class there are for each purpose. */
export interface ClassCounts {
  readonly name: string;
  readonly counts: Readonly<Record<"train" | "validation" | "test", number>>;
}

function countedClasses(
  layout: OpenedData["layout"],
  countsOf: NonNullable<TaskData["classCounts"]>,
): ClassCounts[] {
  const [train, validation, test] = [countsOf("train"), countsOf("validation"), countsOf("test")] as const;
  return numberedClasses(layout).map((name, i) => ({
    name,
    counts: { train: train[i]!, validation: validation[i]!, test: test[i]! },
  }));
}

/** Which classes are held out alone, and what becomes of their examples; nothing where all have some to train on. */
export function describeUntrained(classes: readonly ClassCounts[]): string[] {
  const untrained = classes.filter(({ counts: { train, validation, test } }) =>
    train === 0 && validation + test > 0
  );
  if (untrained.length === 0) return [];
  const counts = (["validation", "test"] as const).flatMap((pool) => {
    const count = untrained.reduce((sum, { counts }) => sum + counts[pool], 0);
    return count === 0 ? [] : [`${count} ${pool} example${count === 1 ? "" : "s"}`];
  });
  const isOne = untrained.length === 1, names = listNames(untrained.map(({ name }) => JSON.stringify(name)));
  return [
    `${isOne ? `Class ${names} has` : `Classes ${names} have`} no example to train on: ${
      isOne ? "it stays" : "they stay"
    } among the ${classes.length} classes, and ${isOne ? "its" : "their"} ${
      counts.join(" and ")
    } count as all others do`,
  ];
}

/** Which words may stand for missing values; nothing where there are none. */
export function describeDoubtful(counts: readonly DoubtfulCount[]): string[] {
  if (counts.length === 0) return [];
  const each = counts.map(({ column, words, examples }) =>
    `${quote(column)} is ${words.map(quote).join(" or ")} in ${examples} example${examples === 1 ? "" : "s"}`
  );
  return [`Taken as a text, where nothing may be meant: ${each.join(", ")} (what is left empty is left out)`];
}

/** What is left out, and what is cut. */
async function describeLosses(
  data: OpenedData,
  path: string,
  model: TaskModel,
  records: Readonly<Record<string, ReadRecord>>,
): Promise<string[]> {
  const skipped = new Map<string, number>();
  let read = 0;
  for (const record of Object.values(records)) {
    read += record.read;
    for (const [reason, count] of Object.entries(record.skipped)) {
      skipped.set(reason, (skipped.get(reason) ?? 0) + count);
    }
  }
  const lost = [...skipped.values()].reduce((sum, count) => sum + count, 0);
  const record = { read, kept: read - lost, skipped: Object.fromEntries(skipped) };
  const note = `Of ${path}: ${describeRecord(record)}`;
  if (data.layout.kind === "image") return lost === 0 ? [] : [note];
  const { train, validation, test, reasons } = await readTexts(data, path, model as TextModel);
  const ways = waysOut(model, reasons), notes = lost === 0 ? [] : [ways === null ? note : `${note}; ${ways}`];
  const all = [...train, ...validation, ...test], cut = all.filter(({ isCut }) => isCut).length;
  return [
    ...notes,
    ...describeDoubtful(countDoubtful(all)),
    ...cut === 0
      ? []
      : [`Of ${path}: ${cut} prompts are cut, to ${data.layout.maxTokens} tokens with the answer`],
  ];
}
