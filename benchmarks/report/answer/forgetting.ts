/** @file What runs forgot at equal score, in sentences. */
import type { EqualScore, Forgot } from "../../study/forgetting.ts";
import { formatCount, formatCounts, formatDifference, formatInterval } from "../format.ts";

/** So many comparisons are told with their numbers; of more is told how many, and the table has the rest. */
const MOST = 4;

/** A method against LoRA at a score that both reach. */
interface Compared extends EqualScore {
  readonly name: string;
}

/** Null where no method can be compared with LoRA: those that ran at one rate have no score in common. */
export function forgettingAnswer(forgot: readonly Forgot[]): string | null {
  const all = forgot.flatMap(({ cell, atEqualScore }): Compared[] =>
    atEqualScore
      ? [{ ...atEqualScore, name: `${cell.method.label} on ${cell.task.title}${rankOf(cell, forgot)}` }]
      : []
  );
  if (all.length === 0) return null;
  const far = [...all].sort((a, b) => Math.abs(b.difference) - Math.abs(a.difference));
  const of = (verdict: EqualScore["verdict"]) => far.filter((one) => one.verdict === verdict);
  const less = of("less"), more = of("more"), seeds = formatCounts(all.map((one) => one.seeds), "seed");
  const begin = "Of what the base checkpoint knew, at a score that both reach,";
  if (less.length + more.length === 0) {
    const why = all.every(({ verdict }) => verdict === null)
      ? `${seeds} cannot tell which method forgets less than LoRA, or more`
      : `no method is shown to forget less than LoRA, or more, in ${
        formatCount(all.length, "comparison")
      } of ${seeds}`;
    return `${begin} ${why}. Furthest apart: ${told(far.slice(0, 1))}.`;
  }
  const open = all.length - less.length - more.length;
  const parts = [
    ...less.length > 0
      ? [`less than LoRA is forgotten by ${told(less)}`]
      : ["none is shown to forget less than LoRA"],
    ...more.length > 0 ? [`more ${less.length > 0 ? "" : "is forgotten "}by ${told(more)}`] : [],
    ...open > 0 ? [`the other ${open === 1 ? "comparison is" : `${open} comparisons are`} undecided`] : [],
  ];
  return `${begin} ${parts.join("; ")} (${seeds}, corrected for all comparisons of a task).`;
}

/** " at rank 8" where a task has a method at several ranks. */
function rankOf({ method, task, rank }: Forgot["cell"], forgot: readonly Forgot[]): string {
  const beside = forgot.filter(({ cell }) => cell.method === method && cell.task === task);
  return beside.length > 1 && rank !== null ? ` at rank ${rank}` : "";
}

/** "LoRA-Pro on Digits −0.50 (95%: −0.9 to −0.1)", by nats a target. */
function told(some: readonly Compared[]): string {
  const parts = some.slice(0, MOST).map(({ name, difference, interval }) =>
    `${name} (${formatDifference(difference)} nats a target, 95%: ${
      formatInterval(interval, formatDifference)
    })`
  );
  const rest = some.length - parts.length;
  return `${parts.join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}
