/** @file The answer to a question: at most four lines for people and a headline, and the same for programs. */
import type { RunResult } from "../../training/run.ts";
import { formatDuration } from "../cost/estimate.ts";
import { formatCount, formatInterval, formatNumber, formatPercent, formatRate } from "../report/format.ts";
import type { Settled } from "../statistics/sequential.ts";
import { fitting, MOST_WORDS, sentences } from "../report/headline.ts";
import type { SettledHeadline, SettledPair } from "../sweep/plan.ts";
import { LOOKS } from "../statistics/looks.ts";
import type { Interval } from "../statistics/statistics.ts";
import { countsOf, formatSettled, furthestOf, groupsOf, linesOf } from "./groups.ts";
import type { Cell, Comparison, Contender, Question } from "./question.ts";
import { FIRST_SEED } from "./question.ts";
import type { Choice } from "./settle_file.ts";
import { type Judged, nextOf, type Speed } from "./standing.ts";

/** What an answer is made from. */
export interface Found {
  readonly judged: readonly Judged[];
  /** By the name of a contender's config; null where rates are yet to be chosen. */
  readonly choices: ReadonlyMap<string, Choice> | null;
  /** Milliseconds of all runs, those of earlier commands among them. */
  readonly usedMs: number;
  /** About how many milliseconds one more pair of a comparison takes; null where nobody knows. */
  readonly pairMs: ReadonlyMap<Comparison, number | null>;
  readonly interrupted: boolean;
  /** Runs that failed by a fault of ours: the next command makes them again. */
  readonly failed: readonly RunResult[];
}

/** Most rates that the answer names: of more, settle.json and the report do. */
const MOST_RATES = 6;

/** An answer, for people. */
export interface Answer {
  /** At most four. */
  readonly lines: readonly string[];
  /** For who reads nothing else. */
  readonly headline: SettledHeadline;
}

/** What a question came to. */
export function answerOf(question: Question, found: Found): Answer {
  const { judged, choices } = found;
  if (!choices || judged.length === 0) {
    const rest = `rates are not chosen yet, after ${formatDuration(found.usedMs)}; ${goOn(question, found)}`;
    return { lines: [`Undecided: ${rest}`], headline: headlineOf("Undecided", [rest]) };
  }
  const where = question.cells.length > 1 || judged.length < 3 ? placeOf : () => "";
  const rates = ratesLine(question, found), change = changeLine(question, found);
  if (judged.length < 3) {
    const sentences = judged.map((one) => {
      const { verdict, size } = sentenceOf(one, question, where(one.cell));
      return { verdict, size: `${size}${judged.length > 1 ? lossTail(one) : ""}` };
    });
    const [first, ...others] = sentences.map(({ verdict, size }) => `${verdict}: ${size}`);
    const beside = judged.length === 1 ? besideOf(judged[0]!) : others;
    const { verdict, size } = sentences[0]!;
    return {
      lines: [first!, ...beside, rates, change],
      headline: headlineOf(verdict, [size, ...beside], rates, change),
    };
  }
  const groups = groupsOf(judged, question, where), [first, ...others] = linesOf(groups);
  return {
    lines: [first!, ...others, rates, change],
    headline: headlineOf(countsOf(groups), [furthestOf(groups) ?? first!, ...others], rates, change),
  };
}

/** @param what the verdict in numbers, and what stands beside it */
function headlineOf(verdict: string, what: readonly string[], rates = "", change = ""): SettledHeadline {
  return {
    verdict: `${fitting([verdict, verdict.split(" ").slice(0, MOST_WORDS - 1).join(" ")])}.`,
    what: sentences(what),
    sure: sentences([
      "Pairs are added by a rule that was fixed beforehand: at most 1 in 20 such questions gets a wrong winner",
      rates,
    ]),
    change: sentences([change]),
  };
}

/** "LoRA-Pro is better than LoRA on Digits at rank 8", and "by 0.068 (0.021 to 0.115), ahead in 14 of 16 pairs". */
function sentenceOf(
  { comparison, standing }: Judged,
  { margin }: Question,
  where: string,
): { readonly verdict: string; readonly size: string } {
  const { verdict, difference, interval, pairs } = standing.score;
  const [ours, theirs] = [comparison.of.title, comparison.against.title];
  const sized = `${formatNumber(Math.abs(difference))} (${formatInterval(turned(interval, difference))})`;
  const little = interval && interval.low > -margin && interval.high < margin ? `, less than ${margin}` : "";
  const wins = (sign: number) => standing.scores.filter(([a, b]) => sign * (a - b) > 0).length;
  const ahead = (sign: number) => `ahead in ${wins(sign)} of ${pairs} pairs`;
  switch (verdict) {
    case "better":
      return {
        verdict: `${ours} is better than ${theirs}${where}`,
        size: `by ${sized}${little}, ${ahead(1)}`,
      };
    case "worse":
      return {
        verdict: `${ours} is worse than ${theirs}${where}`,
        size: `by ${sized}${little}, ${theirs} ${ahead(-1)}`,
      };
    case "same":
      return {
        verdict: `${ours} and ${theirs} are the same within ${margin}${where}`,
        size: `difference ${formatSettled(standing.score)} after ${pairs} pairs`,
      };
    case "identical":
      return {
        verdict: `${ours} and ${theirs} are identical${where}`,
        size: `all scores and losses of ${pairs} pairs agree`,
      };
    case "undecided":
      return {
        verdict: `Undecided between ${ours} and ${theirs}${where}`,
        size: `difference ${formatSettled(standing.score)} after ${pairs} pairs`,
      };
  }
}

/** An interval of what the better one is ahead by. */
function turned(interval: Interval | null, difference: number): Interval | null {
  return interval && difference < 0 ? { low: -interval.high, high: -interval.low } : interval;
}

function placeOf({ title, rank }: Cell): string {
  return ` on ${title} at rank ${rank}`;
}

/** "; test loss 12% lower: better". */
function lossTail({ standing: { loss, score } }: Judged): string {
  return loss === null || loss.pairs === 0 || score.verdict === "identical" ? "" : `; ${lossWords(loss)}`;
}

/** "test loss 12% lower (5% to 20%): better". */
function lossWords({ verdict, difference, interval }: Settled): string {
  // Positive differences are lower losses. The interval is of what is said: of how much lower, or of how much higher.
  const isLower = difference >= 0,
    size = (value: number) => isLower ? -Math.expm1(-value) : Math.expm1(-value);
  const ends = interval && (isLower ? interval : { low: interval.high, high: interval.low });
  const range = ends ? ` (${formatInterval(ends, (value) => formatPercent(size(value)))})` : "";
  return `test loss ${formatPercent(size(difference))} ${isLower ? "lower" : "higher"}${range}: ${verdict}`;
}

/** What is told beside the score of a single comparison: never part of its verdict. */
function besideOf({ comparison: { against }, standing: { loss, speed } }: Judged): string[] {
  const parts = [
    ...loss && loss.pairs > 0 ? [lossWords(loss)] : [],
    ...speed ? [speedWords(speed, against)] : [],
  ];
  return parts.length > 0 ? [`Beside the score: ${parts.join("; ")}`] : [];
}

function speedWords({ steps, flops, reached, pairs }: Speed, { title }: Contender): string {
  if (steps === Infinity) return `${title}'s last validation loss is reached in ${reached} of ${pairs} pairs`;
  const cost = flops === null ? "" : `, ${flops.toFixed(2)} of its FLOPs`;
  return `${title}'s last validation loss is reached after ${
    formatPercent(steps)
  } of the steps${cost} (median; in ${reached} of ${pairs} pairs)`;
}

function ratesLine(
  { cells, tuningSeeds }: Question,
  { choices, usedMs, judged }: Found,
): string {
  const contenders = cells.flatMap((cell) =>
    cell.contenders.map((one) => ({ one, where: cells.length > 1 ? ` on ${cell.task} r${cell.rank}` : "" }))
  );
  const words = contenders.map(({ one, where }) => {
    const { learningRate, runnerUp, lead, atEdge } = choices!.get(one.id)!;
    const next = runnerUp === null
      ? ""
      : `, next ${formatRate(runnerUp)} with ${formatPercent(lead!)} more loss`;
    return `${one.title}${where} ${formatRate(learningRate)}${next}${
      atEdge ? ", at the edge of its grid" : ""
    }`;
  });
  const shown = words.length > MOST_RATES ? "in settle.json" : words.join("; ");
  const isSearched = contenders.some(({ one }) => choices!.get(one.id)!.tried.length > 0);
  const how = isSearched ? `by ${formatCount(tuningSeeds.length, "seed")} that no score is of` : "as given";
  const pairs = Math.max(0, ...judged.map(({ standing }) => standing.pairs));
  return `Rates, ${how}: ${shown}. ${pairs} pairs, ${formatDuration(usedMs)} in all`;
}

/** What would change the answer, and what to hold against it. */
function changeLine(question: Question, found: Found): string {
  const { judged, failed } = found;
  const open = openOf(judged);
  const parts = [
    ...failed.length > 0
      ? [
        failed.length === 1
          ? "1 run failed, the same command makes it again"
          : `${failed.length} runs failed, the same command makes them again`,
      ]
      : [],
    ...open.length > 0
      ? [goOn(question, found)]
      : ["More pairs change nothing any more: other rates, steps or data are other questions"],
    ...namedDivergences(judged),
    ...namedOutliers(judged),
    ...sharedExamples(judged),
  ];
  return parts.join(". ");
}

/** The price of deciding what is open. */
function goOn(question: Question, found: Found): string {
  const { spec: { settle } } = question, price = priceOf(question, found);
  if (price === "too much") {
    return `Not even ${LOOKS.at(-1)} pairs are likely to decide it: a margin above ${
      settle!.within
    } or more test examples would`;
  }
  if (price === "all run") {
    return "All pairs that were planned have run: what is undecided stays so";
  }
  if (price === null) return `the same command with a --budget above ${settle!.budget} goes on`;
  const { pairs, ms, minutes } = price;
  return `To decide it takes about ${pairs > 0 ? `${pairs} more pairs, ` : ""}${
    formatDuration(ms)
  }: --budget ${minutes}m goes on`;
}

/**
 * What deciding what is open takes; "too much" where no look is likely to, "all run" where the question has none left, null
 * where nobody knows.
 */
function priceOf(
  question: Question,
  { judged, pairMs, usedMs }: Found,
): { readonly pairs: number; readonly ms: number; readonly minutes: number } | "too much" | "all run" | null {
  const undecided = openOf(judged);
  const open = undecided.filter(({ standing }) => nextOf(standing, question) !== null);
  const hopeless = undecided.filter(({ standing }) =>
    standing.more === null && standing.score.deviation !== null
  );
  const costs = open.map(({ comparison, standing }) => {
    const ms = pairMs.get(comparison) ?? null, more = standing.more ?? (question.atLeast - standing.pairs);
    return ms === null ? null : ms * Math.max(1, more);
  });
  if (undecided.length > 0 && hopeless.length === undecided.length) return "too much";
  if (undecided.length > 0 && open.length === 0) return "all run";
  if (open.length === 0 || costs.includes(null)) return null;
  const ms = costs.reduce<number>((sum, cost) => sum + cost!, 0);
  return {
    pairs: Math.max(...open.map(({ standing }) => standing.more ?? 0)),
    ms,
    minutes: Math.ceil((usedMs + ms) * 1.1 / 60_000),
  };
}

/**
 * The budget, in minutes, with which a question that is not decided goes on: what is likely to decide it, or twice what
 * it had where nobody knows. Null where all is decided, and where no planned look is likely to decide what is open.
 */
export function minutesToGoOn(question: Question, found: Found): number | null {
  if (found.choices && found.judged.length > 0 && openOf(found.judged).length === 0) return null;
  const price = priceOf(question, found), before = question.budgetMs / 60_000;
  if (price === "too much" || price === "all run") return null;
  return price ? Math.max(price.minutes, Math.floor(before) + 1) : Math.ceil(2 * before);
}

function openOf(judged: readonly Judged[]): Judged[] {
  return judged.filter(({ standing }) => standing.score.verdict === "undecided");
}

function namedDivergences(judged: readonly Judged[]): string[] {
  const names = judged.flatMap(({ comparison, standing }) =>
    standing.diverged.map(({ side, seed }) =>
      `${(side === 0 ? comparison.of : comparison.against).title} with seed ${seed}`
    )
  );
  const unique = [...new Set(names)];
  return unique.length > 0 ? [`Diverged, counted as chance: ${unique.join(", ")}`] : [];
}

function namedOutliers(judged: readonly Judged[]): string[] {
  const seeds = [...new Set(judged.flatMap(({ standing }) => standing.outliers))].sort((a, b) => a - b);
  return seeds.length > 0 ? [`Pairs far from the others, counted like them: seeds ${seeds.join(", ")}`] : [];
}

/** Where pairs share test examples, they are not as independent as the rule takes them to be. */
function sharedExamples(judged: readonly Judged[]): string[] {
  const told = judged.flatMap(({ cell, standing }) => {
    const { pool } = cell, { testExamples } = cell.contenders[0]!.run.config.task;
    if (pool === null) {
      return [`all pairs on ${cell.title} share their test examples, so it is about new seeds alone`];
    }
    const whole = Math.floor(pool / testExamples);
    return standing.pairs > whole
      ? [`the ${pool} test examples of ${cell.title} come round again after pair ${whole}`]
      : [];
  });
  return [...new Set(told)].map((one) => one[0]!.toUpperCase() + one.slice(1));
}

/** What a plan keeps for its report, in numbers. */
export function settledPairs({ margin }: Question, judged: readonly Judged[]): SettledPair[] {
  return judged.filter(({ standing }) => standing.score.pairs > 0).map(({ cell, comparison, standing }) => {
    const { difference, interval, verdict, pairs } = standing.score;
    return {
      task: cell.task,
      title: cell.title,
      rank: cell.rank,
      of: comparison.of.title,
      against: comparison.against.title,
      difference,
      interval: interval && { low: interval.low, high: interval.high },
      verdict,
      margin,
      wins: standing.scores.filter(([ours, theirs]) => ours > theirs).length,
      pairs,
    };
  });
}

/** The answer for programs. */
export function answerToJson(
  question: Question,
  out: string,
  found: Found & { readonly report: { readonly page: string } | null },
) {
  const { cells, spec } = question, { judged, choices } = found;
  const verdicts = judged.flatMap(({ cell, comparison: { of, against }, standing }) => {
    const header = { task: cell.task, rank: cell.rank, of: of.name, against: against.name };
    const one = (
      outcome: string,
      { verdict, difference, interval, pairs }: Settled,
      more: number | null,
    ) => ({
      ...header,
      outcome,
      verdict,
      difference: pairs > 0 ? difference : null,
      interval: interval && [interval.low, interval.high],
      pairs,
      more,
    });
    return [
      one("score", standing.score, standing.more),
      ...standing.loss ? [one("log loss", standing.loss, null)] : [],
    ];
  });
  return {
    question: spec.question,
    out,
    report: found.report?.page ?? null,
    interrupted: found.interrupted,
    within: question.margin,
    minutes: Number((found.usedMs / 60_000).toFixed(2)),
    verdicts,
    speed: judged.flatMap(({ cell, comparison: { of, against }, standing: { speed } }) =>
      speed
        ? [{
          task: cell.task,
          rank: cell.rank,
          of: of.name,
          against: against.name,
          ...speed,
          steps: Number.isFinite(speed.steps) ? speed.steps : null,
          flops: speed.flops !== null && Number.isFinite(speed.flops) ? speed.flops : null,
        }]
        : []
    ),
    rates: choices && cells.flatMap((cell) =>
      cell.contenders.map(({ name, id }) => {
        const { learningRate, runnerUp, lead, atEdge } = choices.get(id)!;
        return { task: cell.task, rank: cell.rank, method: name, learningRate, runnerUp, lead, atEdge };
      })
    ),
    scores: judged.map(({ cell, comparison: { of, against }, standing: { scores } }) => ({
      task: cell.task,
      rank: cell.rank,
      of: of.name,
      against: against.name,
      pairs: scores.map(([ours, theirs], i) => ({ seed: FIRST_SEED + i, ours, theirs })),
    })),
    failed: found.failed.length,
  };
}
