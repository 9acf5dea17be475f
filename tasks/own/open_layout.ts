/** @file Finds out how data of the user's are read: from what is said, from `dataset.json`, and from the data themselves. */
import { listNames, show } from "../../errors/quote.ts";
import { plainPath } from "../../files/hub_place.ts";
import { DataError } from "../data/data_error.ts";
import { baseName, type Folder, folderOf, openFolder, type Role } from "../data/data_set.ts";
import { parquetClassNames } from "../data/parquet_rows.ts";
import type { Row } from "../data/row.ts";
import { DATASET_FILE, type DatasetFile, readDatasetFile } from "./dataset_file.ts";
import { labelIn, textIn } from "./convert.ts";
import { guessColumns } from "./guess_columns.ts";
import { checkTemplate, type ColumnRole, type DataKind, type DataLayout, type DataScore } from "./layout.ts";
import { mayBeMissing } from "./missing.ts";
import { columnsOf, hasRows, rowsOf, stem } from "./rows.ts";
import { filesByRole, roleNamed } from "./splits.ts";
import type { OwnData } from "./texts.ts";

/** What is said of data on a command line: it wins over `dataset.json`. */
export interface AskedLayout {
  readonly columns?: DataLayout["columns"];
  /** The prompt's template. */
  readonly prompt?: string;
  readonly score?: DataScore;
  /** From 2. */
  readonly maxTokens?: number;
}

/** Data of the user's as they were understood. */
export interface OpenedData extends OwnData {
  /** Names of the columns of the first file. */
  readonly columns: readonly string[];
  /** True where what columns hold was told by their names alone. */
  readonly isGuessed: boolean;
}

/** Most classes: a column with more different values is no class. */
const MOST_CLASSES = 1000;

/** Rows that decide how answers are scored, where nobody says so. */
const LOOKED_AT = 200;

/** Longest answers, in characters, that are expected to the letter where nobody says how to score. */
const SHORT = 60;

/**
 * How the data at a path are read.
 *
 * @param path of a file with rows, or of a folder of such files
 * @param taken names that tasks have already
 * @throws {DataError} where nothing can be read, and where it can't be told what the columns hold
 */
export async function openLayout(
  path: string,
  asked: AskedLayout = {},
  taken: readonly string[] = [],
): Promise<OpenedData> {
  const folder = await openFolder(path),
    isOneFile = folder.files.length === 1 && baseName(path) === folder.files[0];
  const place = isOneFile
    ? folderOf(folder.full(folder.files[0]!)).replace(/(?<=.)\/$/, "")
    : folder.full(".").slice(0, -2);
  const requireRows = (names: readonly string[]) => {
    const other = names.find((file) => !hasRows(file));
    if (other === undefined) return;
    throw new DataError(
      `Cannot read ${
        folder.full(other)
      }: a file that ends in .jsonl, .json, .csv, .tsv or .parquet is needed`,
    );
  };
  // Before what lies beside it is looked at, which nobody allowed for other files.
  if (isOneFile) requireRows(folder.files);
  const said = await readDatasetFile(place);
  const files = isOneFile ? undefined : filesOf(folder, said, path);
  const all = files ? Object.values(files).flat() : folder.files;
  requireRows(all);
  const [first] = files?.train ?? all, columns = await columnsOf(folder.full(first!));
  if (columns.length === 0) throw new DataError(`Cannot use ${folder.full(first!)}: it holds no record`);
  const { isGuessed, ...found } = findColumns(path, columns, said, asked);
  const kind = kindOf(path, columns, found);
  const rows = async function* () {
    for (const file of all) yield* rowsOf(folder.full(file));
  };
  const labels = found.columns.label === undefined || kind === "answer" || kind === "chat"
    ? undefined
    : await findLabels(rows, found.columns.label, folder.full(first!), said, path);
  const maxTokens = asked.maxTokens ?? said.maxTokens;
  const score = kind === "label" || kind === "image"
    ? undefined
    : asked.score ?? said.score ?? await guessScore(rows, kind, found);
  if ((asked.score ?? said.score) !== undefined && score === undefined) {
    throw new DataError(
      `Cannot score ${path} by ${asked.score ?? said.score}: its classes are scored by the likeliest`,
    );
  }
  if (score === "choice" && found.columns.choices === undefined) {
    throw new DataError(
      `Cannot score ${path} by choice: a column of choices is needed, as in --columns prompt=…,answer=…,choices=…`,
    );
  }
  const layout: DataLayout = {
    kind,
    ...found,
    ...(labels && { labels }),
    ...(said.classes && { classes: orderOf(said.classes, labels, path) }),
    ...(score && { score }),
    ...(maxTokens !== undefined && { maxTokens }),
    ...(files && { files }),
  };
  return { ...namesOf(path, said, taken), layout, columns, isGuessed };
}

/** What data are called: a file "train.csv" goes by its folder. */
function namesOf(
  path: string,
  { name }: DatasetFile,
  taken: readonly string[],
): Pick<OwnData, "id" | "title"> {
  const parts = plainPath(path).split("/").filter((part) => part !== "" && part !== "." && part !== "..");
  const last = parts.at(-1) ?? "data", bare = stem(last);
  const isGeneral = roleNamed(bare) !== undefined || /^(data|dataset|all)$/i.test(bare);
  const above = hasRows(last) && isGeneral ? parts.at(-2) : undefined;
  const slug = (text: string) => text.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-").replaceAll(/^-|-$/g, "");
  const own = name ?? (slug(above ?? bare) || "data");
  return {
    id: taken.includes(own) ? `own-${own}` : own,
    title: above === undefined ? last : `${above}/${last}`,
  };
}

function filesOf(
  folder: Folder,
  { files }: DatasetFile,
  path: string,
): Readonly<Partial<Record<Role, readonly string[]>>> {
  if (!files) {
    const found = filesByRole(folder.files);
    const places = new Set(found.train?.map((file) => file.slice(0, Math.max(0, file.lastIndexOf("/")))));
    if (places.size > 1) {
      throw new DataError(
        `Cannot tell what is what in ${path}: examples to train on lie in ${
          [...places].map((place) => place === "" ? "the folder itself" : place).slice(0, 5).join(", ")
        }${places.size > 5 ? " and more" : ""}; name one of these folders, or the files in ${DATASET_FILE}`,
      );
    }
    if (Object.keys(found).length > 0) return found;
    throw new DataError(
      `Cannot find data in ${path}: none of its ${folder.files.length} files ends in .jsonl, .json, .csv, .tsv or .parquet`,
    );
  }
  for (const file of Object.values(files).flat()) {
    if (folder.files.includes(file)) continue;
    throw new DataError(`Cannot find ${folder.full(file)}, which ${folder.full(DATASET_FILE)} names`);
  }
  return files;
}

type Found = Pick<DataLayout, "columns" | "prompt" | "answer">;

function findColumns(
  path: string,
  columns: readonly string[],
  said: DatasetFile,
  asked: AskedLayout,
): Found & { readonly isGuessed: boolean } {
  const given = { ...said.columns, ...asked.columns } as Partial<Record<ColumnRole, string>>;
  const prompt = asked.prompt ?? said.prompt, { answer } = said;
  for (const [role, column] of Object.entries(given)) {
    if (columns.includes(column)) continue;
    throw new DataError(
      `Cannot take "${column}" of ${path} as its ${role}: its columns are ${listNames(columns)}`,
    );
  }
  const used = Object.entries(given),
    twice = used.find(([, one], i) => used.findIndex(([, other]) => other === one) < i);
  if (twice) throw new DataError(`Cannot take "${twice[1]}" of ${path} as two things: it is one column`);
  if (prompt !== undefined) checkTemplate("prompt", prompt, columns, path);
  if (answer !== undefined) checkTemplate("answer", answer, columns, path);
  const templates = { ...(prompt !== undefined && { prompt }), ...(answer !== undefined && { answer }) };
  const isSaid = Object.keys(given).some((role) => role !== "split") || answer !== undefined;
  const guess = isSaid ? null : guessColumns(columns);
  return {
    ...guess,
    ...templates,
    columns: { ...guess?.columns, ...given },
    isGuessed: guess !== null,
  };
}

function kindOf(path: string, columns: readonly string[], { columns: own, prompt, answer }: Found): DataKind {
  const lacking = (what: string) =>
    new DataError(`Cannot tell what is what in ${path}: ${what}; its columns are ${listNames(columns)}`);
  const isAsked = prompt !== undefined || own.prompt !== undefined;
  if (
    own.second !== undefined && (own.text === undefined || own.label === undefined || prompt !== undefined)
  ) {
    throw lacking(
      prompt !== undefined
        ? `a template says where texts stand, "${own.second}" among them, and has no second one beside it`
        : "a second text needs a first and a class, as in --columns text=…,second=…,label=…",
    );
  }
  if (own.image !== undefined) {
    if (own.label === undefined) throw lacking("images need a class, as in --columns image=…,label=…");
    return "image";
  }
  if (own.messages !== undefined) return "chat";
  if (own.label !== undefined && own.answer === undefined) {
    if (own.text === undefined && !isAsked) {
      throw lacking("classes need a text, as in --columns text=…,label=…");
    }
    return "label";
  }
  if (isAsked && (own.answer !== undefined || answer !== undefined)) {
    if (own.choices !== undefined && own.answer === undefined) {
      throw lacking("choices need a right one, as in --columns prompt=…,choices=…,answer=…");
    }
    return "answer";
  }
  throw lacking("--columns prompt=…,answer=… or text=…,label=… says it, or messages=… or image=…,label=…");
}

/** Every class with the word that is written for it. */
async function findLabels(
  rows: () => AsyncGenerator<Row>,
  column: string,
  file: string,
  { labels: said }: DatasetFile,
  path: string,
): Promise<Readonly<Record<string, string>>> {
  const names = file.endsWith(".parquet") ? (await parquetClassNames(file)).get(column) : undefined;
  const values = new Set<string>();
  for await (const row of rows()) {
    const { fields, where } = row, found = fields[column];
    if (typeof found === "object" && found !== null) {
      throw new DataError(
        `Cannot take "${column}" of ${where} as a class: it is ${show(found)}, a word or a number is needed`,
      );
    }
    const value = labelIn(row, column);
    if (value !== "") values.add(value);
    if (values.size > MOST_CLASSES) {
      throw new DataError(
        `Cannot take "${column}" of ${path} as its classes: it has more than ${
          MOST_CLASSES.toLocaleString("en-US")
        } ` +
          `different ones; --columns prompt=…,answer=${column} takes it for answers`,
      );
    }
  }
  if (values.size < 2) {
    const all = values.size === 1 ? `all of its examples are "${[...values][0]}"` : "it is empty";
    throw new DataError(`Cannot take "${column}" of ${path} as its classes: ${all}, two are needed`);
  }
  const present = [...values].filter((value) => !mayBeMissing(value));
  const [fraction] = said ? [] : present.filter((value) => !Number.isInteger(Number(value)));
  if (fraction !== undefined && present.every((value) => Number.isFinite(Number(value)))) {
    throw new DataError(
      `Cannot take "${column}" of ${path} as its classes: it holds numbers such as ${fraction}, and regression, as of ` +
        `STS-B, is not trained here; "labels" in ${DATASET_FILE} makes them classes`,
    );
  }
  const nowhere = Object.keys(said ?? {}).find((value) => !values.has(value));
  if (nowhere !== undefined) {
    throw new DataError(
      `Cannot use ${DATASET_FILE} for ${path}: it names a class "${nowhere}", which "${column}" never is`,
    );
  }
  const words = [...values].sort().map((value) =>
    [value, said?.[value] ?? names?.[Number(value)] ?? value] as const
  );
  const twice = words.find(([, word], i) => words.findIndex((other) => other[1] === word) < i);
  if (twice) throw new DataError(`Cannot use ${path}: two of its classes are written "${twice[1]}"`);
  return Object.fromEntries(words);
}

/** The order of the classes that the folder's file gives. @throws {DataError} where it is not one of all classes */
function orderOf(
  classes: readonly string[],
  labels: Readonly<Record<string, string>> | undefined,
  path: string,
): readonly string[] {
  const cannot = `Cannot use ${DATASET_FILE} for ${path}: "classes"`;
  if (!labels) throw new DataError(`${cannot} gives an order of classes, and the data have none`);
  const unknown = classes.find((one) => !Object.hasOwn(labels, one));
  if (unknown !== undefined) {
    throw new DataError(`${cannot} names "${unknown}", which is none of ${listNames(Object.keys(labels))}`);
  }
  const lacking = Object.keys(labels).find((one) => !classes.includes(one));
  if (lacking !== undefined) throw new DataError(`${cannot} lacks "${lacking}"`);
  if (new Set(classes).size < classes.length) throw new DataError(`${cannot} names a class twice`);
  return classes;
}

/** By choice where there are choices; by numbers or to the letter where answers are such; else by loss. */
async function guessScore(
  rows: () => AsyncGenerator<Row>,
  kind: DataKind,
  { columns: { choices, answer }, answer: template }: Found,
): Promise<DataScore> {
  if (choices !== undefined) return "choice";
  if (kind === "chat" || template !== undefined || answer === undefined) return "loss";
  const texts: string[] = [];
  for await (const row of rows()) {
    // Rows without an answer are left out.
    const text = textIn(row, answer);
    if (typeof text === "string") texts.push(text);
    if (texts.length === LOOKED_AT) break;
  }
  const isNumber = (text: string) =>
    /####\s*[-+$€£¥]?[\d.,]+\s*%?$/.test(text) || /^[-+$€£¥]?\d[\d.,]*\s*%?$/.test(text);
  if (texts.every(isNumber)) return "numbers";
  return texts.every((text) => text.length <= SHORT) ? "exact" : "loss";
}
