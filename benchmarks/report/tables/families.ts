/** @file The paper's three tables in our own numbers: methods by tasks, for each kind of task. */
import type { Measure, TaskFamily } from "../../../tasks/task.ts";
import { mean, studentInterval } from "../../statistics/statistics.ts";
import { formatDifference, formatN, formatNumber, formatRank } from "../format.ts";
import { standInOf } from "../../study/pairs.ts";
import type { Before, Cell, MethodLabel, Study, TaskLabel } from "../../study/study.ts";
import type { Table } from "../table.ts";
import { BEFORE, COMMONEST } from "./scores.ts";

/** Tasks that share a table, as in arXiv 2407.18242: its tables 1, 2 and 3. */
const KINDS: readonly {
  readonly title: string;
  readonly families: readonly TaskFamily[];
  readonly averaged: boolean;
}[] = [
  { title: "Understanding", families: ["understanding"], averaged: true },
  { title: "Dialogue, mathematics and code", families: ["dialogue", "math", "code"], averaged: false },
  { title: "Images", families: ["vision"], averaged: true },
];

/** A number of each seed. */
type BySeed = ReadonlyMap<number, number>;

/** A row's method: the base checkpoint, or a method at a rank. */
interface Line {
  readonly label: string;
  readonly rank: number | null;
  /** By task; tasks where it has none are left out. */
  readonly cells: ReadonlyMap<TaskLabel, Cell>;
}

/** A column's text for the base checkpoint and for a method. */
interface Column {
  readonly title: string;
  before(before: ReadonlyMap<TaskLabel, Before>): string;
  /** What always answering the commonest class gives; a column without it has no such value. */
  commonest?(before: ReadonlyMap<TaskLabel, Before>): string;
  of(line: Line): string;
}

/** A table for each kind of task that has a score. */
export function familyTables(study: Study): Table[] {
  return KINDS.flatMap((kind) => {
    const tasks = study.tasks.filter((task) =>
      task.family !== null && kind.families.includes(task.family) &&
      study.cells.some((cell) => cell.task === task && cell.runs.length > 0)
    ).toSorted((a, b) => kind.families.indexOf(a.family!) - kind.families.indexOf(b.family!));
    return tasks.length > 0 ? [tableOf(study, kind.title, tasks, kind.averaged && tasks.length > 1)] : [];
  });
}

function tableOf(study: Study, title: string, tasks: readonly TaskLabel[], averaged: boolean): Table {
  const lines = linesOf(study, tasks), full = fullOf(study, lines);
  const before = new Map(
    study.before.filter(({ task }) => tasks.includes(task)).map((one) => [one.task, one]),
  );
  const columns = [
    // First, since wide tables are scrolled.
    ...averaged ? [scoreColumn(study, "Average", tasks), ...full ? [gapColumn(study, tasks, full)] : []] : [],
    ...tasks.flatMap((task) => [
      scoreColumn(study, `${task.title}, ${task.metric}`, [task]),
      ...full && !averaged ? [gapColumn(study, [task], full)] : [],
      ...task.measures.flatMap((measure) => measureColumn(task, measure, lines)),
    ]),
  ];
  return {
    title,
    note:
      "Means over seeds; what follows ± is half of the 95% interval over seeds on the same test examples (Student's t), " +
      "missing where there is one seed. A run that diverged counts as in “Comparisons”. What the finite test set adds is in “Sources of error”. " +
      `${formatN(lines.flatMap(({ cells }) => [...cells.values()]))}.` +
      (full
        ? ` “to full” is the difference to ${full.label}${
          averaged ? ", of the averages" : ""
        } on the seeds that both have, with the number of seeds on which the method is ahead.`
        : "") +
      (columns.some((column) => /[↑↓]$/.test(column.title)) ? " ↑ is better higher, ↓ better lower." : ""),
    columns: ["Rank", "Method", ...columns.map((column) => column.title)],
    rows: [
      ...before.size > 0 ? [["—", BEFORE, ...columns.map((column) => column.before(before))]] : [],
      ...[...before.values()].some(({ result }) => result.commonest !== undefined)
        ? [["—", COMMONEST, ...columns.map((column) => column.commonest?.(before) ?? "—")]]
        : [],
      ...lines.map((
        line,
      ) => [formatRank(line.rank), line.label, ...columns.map((column) => column.of(line))]),
    ],
  };
}

/** Methods without ranks first, then by rank. */
function linesOf(study: Study, tasks: readonly TaskLabel[]): Line[] {
  return [null, ...study.ranks].flatMap((rank) =>
    study.methods.flatMap((method: MethodLabel): Line[] => {
      const own = study.cells.filter((cell) =>
        cell.method === method && cell.rank === rank && tasks.includes(cell.task)
      );
      return own.length > 0
        ? [{ label: method.label, rank, cells: new Map(own.map((cell) => [cell.task, cell])) }]
        : [];
    })
  );
}

function fullOf(study: Study, lines: readonly Line[]): Line | undefined {
  const label = study.methods.find(({ optimizer }) => optimizer === "full")?.label;
  return lines.find((line) => line.label === label);
}

function scoreColumn(study: Study, title: string, tasks: readonly TaskLabel[]): Column {
  return {
    title,
    before(before) {
      const scores = tasks.flatMap((task) => before.get(task)?.result.score ?? []);
      return scores.length === tasks.length ? formatNumber(mean(scores)) : "—";
    },
    commonest(before) {
      const scores = tasks.flatMap((task) => before.get(task)?.result.commonest ?? []);
      return scores.length === tasks.length ? formatNumber(mean(scores)) : "—";
    },
    of(line) {
      const diverged = tasks.reduce((sum, task) => sum + (line.cells.get(task)?.diverged.length ?? 0), 0);
      const lost = diverged > 0 ? ` (${diverged} diverged)` : "";
      const standIn = (task: TaskLabel) => standInOf(study, task);
      return `${format([...averages(line, tasks, standIn).values()], formatNumber)}${lost}`;
    },
  };
}

function gapColumn(study: Study, tasks: readonly TaskLabel[], full: Line): Column {
  const standIn = (task: TaskLabel) => standInOf(study, task);
  return {
    title: "to full",
    before: () => "—",
    of(line) {
      if (line === full) return "—";
      const ours = averages(line, tasks, standIn), theirs = averages(full, tasks, standIn);
      const gaps = [...ours].flatMap(([seed, score]) => theirs.has(seed) ? [score - theirs.get(seed)!] : []);
      const wins = gaps.filter((gap) => gap > 0).length;
      return gaps.length === 0 ? "—" : `${format(gaps, formatDifference)}, ${wins} of ${gaps.length}`;
    },
  };
}

/** No column where no run has the measure. */
function measureColumn(task: TaskLabel, measure: Measure, lines: readonly Line[]): Column[] {
  const valuesOf = (line: Line) =>
    line.cells.get(task)?.runs.map(({ outcome }) => outcome.measures?.[measure.name]?.value ?? null) ?? [];
  if (lines.every((line) => valuesOf(line).every((value) => value === null))) return [];
  return [{
    title: `${measure.name} ${measure.better === "higher" ? "↑" : "↓"}`,
    before(before) {
      const value = before.get(task)?.result.measures?.[measure.name]?.value ?? null;
      return value === null ? "—" : formatNumber(value);
    },
    of(line) {
      const values = valuesOf(line).filter((value) => value !== null);
      // Where a seed has no value, what the others say would be about them alone.
      return values.length < valuesOf(line).length ? "—" : format(values, formatNumber);
    },
  }];
}

/**
 * Mean over tasks of each seed that has all of them.
 *
 * @param standIn what a run that diverged counts as
 */
function averages(
  line: Line,
  tasks: readonly TaskLabel[],
  standIn: (task: TaskLabel) => number,
): BySeed {
  const scores = tasks.map((task) => {
    const { runs = [], diverged = [] } = line.cells.get(task) ?? {};
    return new Map([
      ...runs.map(({ config, outcome }) => [config.seed, outcome.score] as const),
      ...diverged.map((seed) => [seed, standIn(task)] as const),
    ]);
  });
  const seeds = [...scores[0]?.keys() ?? []].filter((seed) => scores.every((own) => own.has(seed)));
  return new Map(seeds.map((seed) => [seed, mean(scores.map((own) => own.get(seed)!))]));
}

/** "0.652 ± 0.045". */
function format(values: readonly number[], write: (value: number) => string): string {
  if (values.length === 0) return "—";
  const center = mean(values), interval = studentInterval(values);
  return interval === null ? write(center) : `${write(center)} ± ${formatNumber(interval.high - center)}`;
}
