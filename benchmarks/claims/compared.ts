/** @file A settled question's comparisons, as claims are judged by them. */
import { type Question, tellVaried } from "../settle/question.ts";
import type { Judged } from "../settle/standing.ts";
import { reversed } from "../statistics/verdicts.ts";
import type { Compared } from "./verdict.ts";

/** What a question compares, and where: before anything has run. */
export function comparisonsOf(
  { cells }: Question,
): { readonly names: readonly [string, string]; readonly varied: string }[] {
  return cells.flatMap((cell) =>
    cell.comparisons.map(({ of, against }) => ({
      names: [of.name, against.name],
      varied: tellVaried(cell.varied),
    }))
  );
}

/** The comparisons of a question in both directions: a prediction may name either first. */
export function comparedIn(judged: readonly Judged[]): Compared[] {
  const areSeveral = new Set(judged.map(({ cell }) => cell.rank)).size > 1;
  return judged.flatMap(({ cell, comparison: { of, against }, standing: { score, loss, time } }) => {
    const rank = areSeveral ? ` at rank ${cell.rank}` : "";
    const varied = tellVaried(cell.varied);
    const one: Compared = {
      of: of.name,
      against: against.name,
      titles: [of.title, against.title],
      task: cell.task,
      place: `${cell.taskTitle}${rank}${varied}`,
      varied,
      score,
      loss,
      time,
    };
    return [one, turned(one)];
  });
}

function turned(one: Compared): Compared {
  const turn = (settled: Compared["score"]): Compared["score"] =>
    settled && {
      ...settled,
      verdict: reversed(settled.verdict),
      difference: -settled.difference,
      interval: settled.interval && { low: -settled.interval.high, high: -settled.interval.low },
    };
  return {
    ...one,
    of: one.against,
    against: one.of,
    titles: [one.titles[1], one.titles[0]],
    score: turn(one.score),
    loss: turn(one.loss),
    time: turn(one.time),
  };
}
