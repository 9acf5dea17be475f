/** @file Every method's difference to LoRA and to full fine-tuning: what a report's first picture shows. */
import type { SettledPair } from "../sweep/plan.ts";
import type { OverTasks } from "../study/over_tasks.ts";
import { leadingBaselines, type Pair } from "../study/pairs.ts";
import type { Cell, MethodLabel, Study } from "../study/study.ts";
import { axisOf, type Bar, type BarAxis } from "./bar.ts";
import { formatDifference, formatInterval, formatRank, formatVerdict } from "./format.ts";

/** A difference to one baseline, with what stands beside its bar. */
export interface ForestBar extends Bar {
  /** "+0.085". */
  readonly difference: string;
  /** "+0.059 to +0.111"; empty where nothing is known. */
  readonly between: string;
  /** "better", "same within 0.02". */
  readonly told: string;
  /** Tasks, seeds or pairs on which the method scores higher. */
  readonly wins: number;
  /** Of how many the wins are. */
  readonly of: number;
}

/** A method at a rank, on a task or over all of them. */
export interface ForestRow {
  readonly method: string;
  readonly rank: number | null;
  /** Against each of the forest's baselines; null where it is not held against it. */
  readonly bars: readonly (ForestBar | null)[];
}

/** Rows that belong together, the best first and baselines before them. */
export interface ForestGroup {
  /** The task's id; null over all tasks. */
  readonly task: string | null;
  /** "Digits, rank 8"; empty where there is one group. */
  readonly title: string;
  readonly rows: readonly ForestRow[];
}

/** The whole picture. */
export interface Forest {
  /** "How far is each method from LoRA and from full fine-tuning?" */
  readonly title: string;
  /** Labels of LoRA and full fine-tuning, as far as they take part. */
  readonly baselines: readonly string[];
  /** Of each baseline's bars. */
  readonly axes: readonly BarAxis[];
  /** What wins are counted in. */
  readonly unit: "tasks" | "seeds" | "pairs";
  readonly groups: readonly ForestGroup[];
}

/** Over all tasks where there are enough of them, else on each task at each rank; null where nothing is compared. */
export function forestOf(study: Study, pairs: readonly Pair[], { pairs: pooled }: OverTasks): Forest | null {
  const compared = leadingBaselines(study).filter((baseline) =>
    pooled.length > 0
      ? pooled.some(({ theirs }) => theirs === baseline)
      : pairs.some(({ theirs }) => theirs.method === baseline)
  );
  const groups = pooled.length > 0
    ? [{
      task: null,
      title: "",
      rows: study.methods.flatMap((method) =>
        [null, ...study.ranks].flatMap((rank) => {
          const bars = compared.map((baseline): ForestBar | null => {
            const found = pooled.find((one) =>
              one.ours === method && one.rank === rank && one.theirs === baseline
            );
            if (!found) return null;
            const { comparison, pairs } = found;
            return {
              ...barOf(comparison),
              wins: comparison.wins,
              of: comparison.tasks,
              dots: pairs.map(({ comparison }) => comparison.mean),
            };
          });
          return bars.some((bar) => bar !== null) ? [rowOf(method, rank, bars)] : [];
        })
      ),
    }]
    : groupsOf(study, pairs, compared);
  if (groups.length === 0 || compared.length === 0) return null;
  const labels = compared.map(({ label }) => label);
  return {
    title: titleOf(labels),
    baselines: labels,
    axes: compared.map((_, i) =>
      axisOf(groups.flatMap(({ rows }) => rows.flatMap(({ bars }) => bars[i] ?? [])), study.margin)
    ),
    unit: pooled.length > 0 ? "tasks" : "seeds",
    groups: groups.map((group) => ({
      ...group,
      rows: group.rows.toSorted((a, b) =>
        Number(labels.includes(b.method)) - Number(labels.includes(a.method)) || meanOf(b) - meanOf(a)
      ),
    })),
  };
}

/** Of a question that was settled by a rule of its own: what that came to. */
export function forestOfSettled(settled: readonly SettledPair[]): Forest | null {
  const [first] = settled;
  if (!first) return null;
  const baselines = [...new Set(settled.map(({ against }) => against))];
  const places = [...Map.groupBy(settled, ({ title, rank }) => JSON.stringify([title, rank])).values()];
  const groups = places.map((own): ForestGroup => ({
    task: own[0]!.task,
    title: places.length > 1 ? `${own[0]!.title}, rank ${own[0]!.rank}` : "",
    rows: [...new Set(own.map(({ of }) => of))].map((method) => ({
      method,
      rank: own[0]!.rank,
      bars: baselines.map((baseline) => {
        const pair = own.find(({ of, against }) => of === method && against === baseline);
        if (!pair) return null;
        const { difference, interval, verdict, margin, wins, pairs } = pair;
        return {
          mean: difference,
          interval,
          verdict,
          ...written(difference, interval),
          told: verdict === "same" ? `same within ${margin}` : verdict,
          wins,
          of: pairs,
        };
      }),
    })).sort((a, b) => meanOf(b) - meanOf(a)),
  }));
  return {
    title: titleOf(baselines),
    baselines,
    axes: baselines.map((_, i) =>
      axisOf(groups.flatMap(({ rows }) => rows.flatMap(({ bars }) => bars[i] ?? [])), first.margin)
    ),
    unit: "pairs",
    groups,
  };
}

/** A group for each task and rank; methods without a rank stand in that of each rank. */
function groupsOf(study: Study, pairs: readonly Pair[], baselines: readonly MethodLabel[]): ForestGroup[] {
  const places = study.tasks.flatMap((task) =>
    (study.ranks.length > 0 ? study.ranks : [null]).map((rank) => ({ task, rank }))
  );
  const groups = places.flatMap(({ task, rank }): ForestGroup[] => {
    const isHere = ({ ours }: Pair) =>
      ours.task === task && (ours.rank === rank || ours.rank === null && rank === study.ranks[0]);
    const own = pairs.filter((pair) => isHere(pair) && baselines.includes(pair.theirs.method));
    const cells = [...new Set(own.map(({ ours }): Cell => ours))];
    if (cells.length === 0) return [];
    const rows = cells.map((cell) =>
      rowOf(
        cell.method,
        cell.rank,
        baselines.map((baseline) => {
          const pair = own.find(({ ours, theirs }) => ours === cell && theirs.method === baseline);
          return pair
            ? {
              ...barOf(pair.comparison),
              wins: pair.comparison.wins,
              of: pair.comparison.seeds,
            }
            : null;
        }),
      )
    );
    return [{
      task: task.id,
      title: rank === null ? task.title : `${task.title}, rank ${formatRank(rank)}`,
      rows,
    }];
  });
  return groups.length > 1 ? groups : groups.map((group) => ({ ...group, title: "" }));
}

function rowOf(
  { label }: MethodLabel,
  rank: number | null,
  bars: readonly (ForestBar | null)[],
): ForestRow {
  return { method: label, rank, bars };
}

function barOf(comparison: Pair["comparison"] | OverTasks["pairs"][number]["comparison"]) {
  const { mean, interval, verdict } = comparison;
  return { mean, interval, verdict, ...written(mean, interval), told: formatVerdict(comparison) };
}

function titleOf(baselines: readonly string[]): string {
  const names = baselines.map((label) => label.replace(/^Full /, "full "));
  return `How far is each method from ${names.join(" and from ")}?`;
}

function written(difference: number, interval: Bar["interval"]): Pick<ForestBar, "difference" | "between"> {
  return {
    difference: formatDifference(difference),
    between: interval === null ? "" : formatInterval(interval, formatDifference),
  };
}

/** How far it is above what it is held against, LoRA first. */
function meanOf({ bars }: ForestRow): number {
  return bars.find((bar) => bar !== null)?.mean ?? -Infinity;
}
