/** @file GLUE: CoLA, SST-2, MRPC, QNLI, RTE and MNLI, as tab-separated files or as the hub's Parquet. */
import type { ClassifiedText } from "./contents.ts";
import { type DataSet, hubNames, type RowSet, rowSet } from "./data_set.ts";
import type { Skip } from "../skip.ts";
import { type Row, textOf } from "./row.ts";

/** What differs between the tasks of GLUE. */
interface GlueTask {
  readonly id: string;
  readonly title: string;
  /** The tab-separated files' folder, and other names that folders of this task go by. */
  readonly folders: readonly string[];
  /** In the order of the hub's numbers; tab-separated files may have the names instead. */
  readonly labels: readonly string[];
  /** Columns of the texts and of the label in a tab-separated file. */
  readonly columns: readonly string[];
  readonly labelColumn?: string;
  /** Columns of the texts on the hub. */
  readonly hubColumns: readonly string[];
  /** Names of further files. */
  readonly names?: RowSet<"understanding">["names"];
}

/**
 * CoLA has no header, MRPC begins with a byte-order mark, and texts hold unpaired quotes, which mean nothing. The
 * test files of all but MRPC come without labels, so the "dev" files are what is scored; of MNLI the matched one.
 *
 * Source: Wang et al., GLUE, https://gluebenchmark.com
 */
function glueTask(task: GlueTask): DataSet<"understanding"> {
  const { id, labels, columns, hubColumns, labelColumn = "label" } = task;
  const readLabel = ({ fields }: Row): number | Skip => {
    const value = fields[labelColumn] ?? fields["label"];
    const label = labels.includes(String(value)) ? labels.indexOf(String(value)) : Number(value);
    if (value === undefined || value === "" || label === -1) return { skip: { kind: "no-label" } };
    return Number.isInteger(label) && label >= 0 && label < labels.length
      ? label
      : { skip: { kind: "other-label", labels } };
  };
  return rowSet({
    id,
    title: task.title,
    family: "understanding",
    source: "https://gluebenchmark.com",
    files: [
      `${task.folders[0]}/train.tsv`,
      `${task.folders[0]}/${id === "mnli" ? "dev_matched" : "dev"}.tsv`,
    ],
    names: [
      [/^train\.tsv$/, "train"],
      [id === "mnli" ? /^dev_matched\.tsv$/ : /^dev\.tsv$/, "test"],
      ...task.names ?? [],
      hubNames("train", "train"),
      hubNames(id === "mnli" ? "validation_matched" : "validation", "test"),
    ],
    ...(id === "cola" && { columns: COLA_COLUMNS }),
    fits(fields, { path, classes }) {
      if (path.endsWith(".parquet")) {
        const isNamed = classes
          ? classes.join() === labels.join() && fields.length === hubColumns.length + 2
          : path.split("/").some((part) => task.folders.includes(part));
        return isNamed && hubColumns.every((column) => fields.includes(column));
      }
      if (id === "cola") return fields.length === COLA_COLUMNS.length && /^[01]$/.test(fields[1]!);
      // Both have a label and sentences; MNLI's has columns of the same names among many.
      const isExact = id !== "rte" || fields.length === 4;
      return isExact && [...columns, labelColumn].every((column) => fields.includes(column)) &&
        (id !== "sst2" || fields.length === 2);
    },
    example(row): ClassifiedText | Skip {
      const named = hubColumns.every((column) => column in row.fields) ? hubColumns : columns;
      const texts: string[] = [];
      for (const column of named) {
        const text = textOf(row, column);
        if (typeof text !== "string") return text;
        texts.push(text);
      }
      const label = readLabel(row);
      if (typeof label !== "number") return label;
      return { texts: texts as unknown as ClassifiedText["texts"], label, labels, dataSet: id };
    },
  });
}

const COLA_COLUMNS = ["source", "label", "star", "sentence"];

/** Acceptability of sentences. */
export const cola: DataSet<"understanding"> = glueTask({
  id: "cola",
  title: "CoLA",
  folders: ["CoLA", "cola"],
  labels: ["unacceptable", "acceptable"],
  columns: ["sentence"],
  hubColumns: ["sentence"],
});

/** Sentiment of phrases and sentences. */
export const sst2: DataSet<"understanding"> = glueTask({
  id: "sst2",
  title: "SST-2",
  folders: ["SST-2", "sst2"],
  labels: ["negative", "positive"],
  columns: ["sentence"],
  hubColumns: ["sentence"],
});

/** Whether two sentences say the same. */
export const mrpc: DataSet<"understanding"> = glueTask({
  id: "mrpc",
  title: "MRPC",
  folders: ["MRPC", "mrpc"],
  labels: ["not_equivalent", "equivalent"],
  columns: ["#1 String", "#2 String"],
  labelColumn: "Quality",
  hubColumns: ["sentence1", "sentence2"],
  names: [[/^msr_paraphrase_train\.txt$/, "train"], [/^msr_paraphrase_test\.txt$/, "test"]],
});

/** Whether a sentence answers a question. */
export const qnli: DataSet<"understanding"> = glueTask({
  id: "qnli",
  title: "QNLI",
  folders: ["QNLI", "qnli"],
  labels: ["entailment", "not_entailment"],
  columns: ["question", "sentence"],
  hubColumns: ["question", "sentence"],
});

/** Whether a sentence follows from another. */
export const rte: DataSet<"understanding"> = glueTask({
  id: "rte",
  title: "RTE",
  folders: ["RTE", "rte"],
  labels: ["entailment", "not_entailment"],
  columns: ["sentence1", "sentence2"],
  hubColumns: ["sentence1", "sentence2"],
});

/** Whether a sentence follows from another, contradicts it or neither. */
export const mnli: DataSet<"understanding"> = glueTask({
  id: "mnli",
  title: "MNLI",
  folders: ["MNLI", "mnli"],
  labels: ["entailment", "neutral", "contradiction"],
  columns: ["sentence1", "sentence2"],
  labelColumn: "gold_label",
  hubColumns: ["premise", "hypothesis"],
});
