/** @file What `./run data` says of data of the user's, in lines. */
import {
  type DataLook,
  POOLS,
  type Quantiles,
  type UnknownTokens,
} from "../../training/resolve/look_at_data.ts";
import { describeDoubtful, describeLayout, describeUntrained } from "../../training/resolve/own_data.ts";
import { quote } from "../../errors/quote.ts";
import { describeRecord } from "../../tasks/data/read_record.ts";
import { formatCount } from "../report/format.ts";
import { type Style, toColumns } from "./terminal.ts";

/** Most lines of an example, and most classes. */
const MOST_LINES = 12, MOST_CLASSES = 20;

/** The lines. */
export function describeLook(look: DataLook, style: Style, columns: number): string[] {
  const { data, path, model, fault, records, duplicates, lengths, sides, cut, classes, examples, settings } =
    look;
  const { layout } = data;
  const files = layout.files
    ? Object.entries(layout.files).map(([role, own]) => `${role} from ${own.join(", ")}`).join("; ")
    : layout.columns.split !== undefined
    ? `split by "${layout.columns.split}"`
    : "";
  const held = layout.files === undefined && layout.columns.split === undefined
    ? "validation and test are a tenth each, cut in an order of chance that is always the same"
    : "";
  return [
    style.bold(`${path}: ${describeLayout(data)}`),
    `Task "${data.id}"${
      data.isGuessed ? ", told by the names of the columns; --columns says otherwise" : ""
    }`,
    `Columns: ${data.columns.map((name) => name || '""').join(", ")}`,
    ...[files, held].filter((line) => line !== "").map((line) => `Parts: ${line}`),
    "",
    ...fault === null ? [] : [style.red(fault), ""],
    ...POOLS.flatMap((pool) => records[pool] ? [`${pool.padEnd(10)}  ${describeRecord(records[pool])}`] : []),
    ...fault === null ? describeDuplicates(duplicates) : [],
    ...look.waysOut === null ? [] : [`Ways out: ${look.waysOut}`],
    ...look.lacking.length === 0
      ? []
      : [`The tokenizer lacks, for example: ${look.lacking.map(quote).join(" ")}`],
    ...describeDoubtful(look.doubtful),
    ...look.unknown && look.unknown.tokens > 0 ? [describeUnknown(look.unknown)] : [],
    ...look.chat
      ? [
        `Written by the model's own chat template; ${
          look.chat.learnsAll
            ? "every reply is learned"
            : "it writes earlier replies otherwise once others follow, so the last one alone is learned"
        }`,
      ]
      : [],
    ...cut === 0 ? [] : [`Cut: ${formatCount(cut, "prompt")}, to ${layout.maxTokens} tokens with the answer`],
    "",
    ...lengths
      ? [
        `Tokens of ${model.id}, which takes ${model.inputSize}:`,
        ...table(
          [["prompt", lengths.prompt], ["answer", lengths.answer], ["whole", lengths.whole]],
          columns,
          style,
        ),
        "",
      ]
      : [],
    ...sides
      ? ["Pixels:", ...table([["width", sides.width], ["height", sides.height]], columns, style), ""]
      : [],
    ...describeClasses(classes, columns, style),
    ...fault === null ? describeUntrained(classes).flatMap((line) => [line, ""]) : [],
    ...examples.flatMap((example, i) => [
      `Example ${i + 1}: ${formatCount(example.tokens[0], "token")} read (|), ${
        example.isClass ? "its class" : example.tokens[1]
      } learned (>)`,
      ...example.parts
        ? example.parts.flatMap(({ text, isLearned }) => {
          const lines = linesOf(isLearned ? ">" : "|", text);
          return isLearned ? lines.map(style.green) : lines;
        })
        : [
          ...linesOf("|", example.prompt),
          ...linesOf(">", example.isClass ? example.answer : `${example.answer}⏎`).map(style.green),
        ],
      "",
    ]),
    ...settings
      ? [
        `A sweep takes ${settings.trainExamples}, ${settings.validationExamples} and ${settings.testExamples} examples ` +
        `(--examples says otherwise), ${settings.steps} steps of ${settings.batchSize} (--steps)`,
      ]
      : [],
  ];
}

function describeUnknown({ tokens, ofTokens, examples, ofExamples, first }: UnknownTokens): string {
  const share = 100 * tokens / ofTokens, word = first && quote(first.word);
  const such = !first
    ? ""
    : first.character === null || first.character === first.word
    ? `, such as ${word}`
    : `, such as ${quote(first.character)} in ${word}`;
  return `Unknown to the tokenizer: ${tokens} of ${formatCount(ofTokens, "token")} (${
    share < 0.1 ? "below 0.1" : share.toFixed(1)
  }%), in ${examples} of ${formatCount(ofExamples, "example")}${such}`;
}

function describeDuplicates({ elsewhere, twice }: DataLook["duplicates"]): string[] {
  if (elsewhere + twice === 0) return ["No example asks what another one asks"];
  const say = (count: number, what: string) =>
    count === 0 ? [] : [`${formatCount(count, "example")} ${what}`];
  return [
    `Left out: ${
      [
        ...say(elsewhere, "with a prompt that is held out for validation or test"),
        ...say(twice, "with a prompt that is there before"),
      ].join(", ")
    }`,
  ];
}

function table(rows: readonly (readonly [string, Quantiles])[], columns: number, style: Style): string[] {
  return toColumns(
    ["", "least", "median", "95 of 100 up to", "most"],
    rows.map(([name, { least, median, high, most }]) => [name, ...[least, median, high, most].map(String)]),
    columns,
    style,
  );
}

function describeClasses(classes: DataLook["classes"], columns: number, style: Style): string[] {
  if (classes.length === 0) return [];
  const total = POOLS.map((pool) => classes.reduce((sum, { counts }) => sum + counts[pool], 0));
  const share = (count: number, of: number) => of === 0 ? "—" : `${(100 * count / of).toFixed(1)}%`;
  const rows = classes.slice(0, MOST_CLASSES).map(({ name, word, counts }) => [
    name,
    word,
    ...POOLS.map((pool, i) => `${counts[pool]} (${share(counts[pool], total[i]!)})`),
  ]);
  const more = classes.length - MOST_CLASSES;
  return [
    ...toColumns(["Class", "written", ...POOLS], rows, columns, style),
    ...more > 0 ? [`… and ${more} more`] : [],
    "",
  ];
}

/** A text's lines behind a sign, those in the middle left out where there are many. */
function linesOf(sign: string, text: string): string[] {
  const lines = text.split("\n"), half = MOST_LINES / 2;
  const shown = lines.length <= MOST_LINES
    ? lines
    : [...lines.slice(0, half), `… ${lines.length - MOST_LINES} lines …`, ...lines.slice(-half)];
  return shown.map((line) => `  ${sign} ${visible(line.length > 400 ? `${line.slice(0, 400)}…` : line)}`);
}

/** A line with a picture for each character that would move a terminal's cursor, or tell it what to do. */
function visible(line: string): string {
  // deno-lint-ignore no-control-regex -- these are what is looked for
  return line.replaceAll(/[\0-\x08\x0b-\x1f]/g, (one) => String.fromCodePoint(0x2400 + one.charCodeAt(0)))
    .replaceAll("\x7f", "␡");
}
