/**
 * @file What a claim came to here, by one rule for all claims.
 *
 * Each prediction is judged by the verdicts of `settle`, or, pooled over tasks, by those of a pooled comparison: both know
 * better, worse, the same within the margin, and undecided.
 *
 * | predicted    | confirmed by                                      | refuted by                             |
 * | ------------ | ------------------------------------------------- | -------------------------------------- |
 * | "better"     | better                                            | worse, the same, identical             |
 * | "worse"      | worse                                             | better, the same, identical            |
 * | "same"       | the same, identical, a difference shown to be less than the margin | a difference shown to be more |
 * | "not better" | worse, the same, identical, better by less than the margin | better, by more than the margin |
 *
 * Judged by themselves, so many must confirm a prediction as it asks for, and it is refuted once so many refute it that the
 * others can't make up for them. A claim is confirmed where all its predictions are, and refuted where one is.
 */
import { formatDifference, formatInterval } from "../report/format.ts";
import { comparePooled, type TaskDifference } from "../statistics/pooled.ts";
import type { Settled } from "../statistics/sequential.ts";
import type { Interval } from "../statistics/statistics.ts";
import type { Verdict } from "../statistics/verdicts.ts";
import { type JudgedPrediction, type Outcome, verdictLine } from "../study/verdict_file.ts";
import type { Claim, Prediction, Relation } from "./claim.ts";

/** What is known of a comparison of a claim's question. */
export interface Compared {
  readonly of: string;
  readonly against: string;
  /** Names for people. */
  readonly titles: readonly [of: string, against: string];
  readonly task: string;
  /** The task and its variation for people, e.g. "Digits, batch size 8"; with the rank where there are several. */
  readonly place: string;
  /** ", batch size 8": what of its runs is varied; empty where nothing is. */
  readonly varied: string;
  /** Null where it was not measured. */
  readonly score: Settled | null;
  readonly loss: Settled | null;
  readonly time: Settled | null;
}

/** What a claim came to. */
export interface ClaimVerdict {
  readonly outcome: Outcome;
  readonly predictions: readonly JudgedPrediction[];
  /** See `verdictLine`. */
  readonly line: string;
}

/** A prediction, judged, and what a line says of it, with numbers: "that …", "whether …". */
interface Told extends JudgedPrediction {
  readonly words: string;
  /** What was predicted of the first over tasks, and its difference with its interval; null where that is told otherwise. */
  readonly pooled: { readonly of: string; readonly than: string; readonly difference: string } | null;
}

/** From so many predictions on that differ in the first method alone, one sentence tells them. */
const MANY = 3;

/** Found of a difference, whichever way. */
interface Found {
  readonly verdict: Verdict;
  readonly difference: number;
  readonly interval: Interval | null;
}

/** Judges a claim by the comparisons of its question. Pure. */
export function judgeClaim(
  claim: Pick<Claim, "predictions" | "differs" | "sweep">,
  compared: readonly Compared[],
): ClaimVerdict {
  const { predictions, sweep: { settle: { within } }, differs } = claim;
  // Pooled verdicts of one claim are one family.
  const level = 1 - 0.05 / Math.max(1, predictions.filter(({ over }) => over === "tasks").length);
  const judged = predictions.map((one) => judgePrediction(one, compared, within, level));
  const outcomes = judged.map(({ outcome }) => outcome);
  const outcome = outcomes.includes("refuted")
    ? "refuted"
    : outcomes.every((one) => one === "confirmed")
    ? "confirmed"
    : "undecided";
  // What decided it comes first.
  const order = [outcome, "refuted", "undecided", "confirmed"];
  const told = judged.toSorted((a, b) => order.indexOf(a.outcome) - order.indexOf(b.outcome));
  const alike = Map.groupBy(told, (one) => one.pooled ? `${one.outcome} ${one.pooled.than}` : one);
  const words = [...alike.values()].flatMap((own) => own.length < MANY ? own.map(wordsOf) : [together(own)]);
  return {
    outcome,
    predictions: judged.map(({ words: _, pooled: __, ...one }) => one),
    line: verdictLine(outcome, words.join("; "), differs),
  };

  function wordsOf(one: Told): string {
    return `${one.outcome === outcome ? "" : `${one.outcome}, `}${one.words}`;
  }

  /** "whether each of rsLoRA, PiSSA and DoRA is not better than LoRA over tasks: +0.024 (−0.048 to 0.096), …". */
  function together(own: readonly Told[]): string {
    const pooled = own.flatMap(({ pooled }) => pooled ?? []), [first] = own;
    return wordsOf({
      ...first!,
      words: `${SAID[first!.outcome]} each of ${list(pooled.map(({ of }) => of))} ${first!.pooled!.than}: ${
        pooled.map(({ of, difference }) => `${of} ${difference}`).join(", ")
      }`,
    });
  }
}

/** "A, B and C". */
function list(names: readonly string[]): string {
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

function judgePrediction(
  prediction: Prediction,
  compared: readonly Compared[],
  within: number,
  level: number,
): Told {
  const { of, against, over, outcome: what, at } = prediction;
  const own = compared.filter((one) =>
    one.of === of && one.against === against && (at === undefined || one.varied === `, ${at}`)
  );
  const margin = what === "score" ? within : Math.log1p(within);
  const found = own.flatMap((one) => {
    const settled = what === "score" ? one.score : what === "test loss" ? one.loss : one.time;
    return settled && settled.pairs > 0 ? [{ one, settled }] : [];
  });
  const [first] = own;
  const names = first ? first.titles : [of, against] as const;
  const than = `${RELATION_WORDS[prediction.is]} ${names[1]}${what === "score" ? "" : ` in ${what}`}${
    at === undefined ? "" : ` at ${at}`
  }`;
  const asked = `${names[0]} ${than}`, told = { asked, measured: what, margin, pooled: null };
  // Pooled are as many pairs on each task, and no task is judged before its look.
  if (found.length < Math.max(1, own.length) || found.some(({ settled }) => settled.interval === null)) {
    const words = `${SAID.undecided} ${asked}, runs are missing`;
    return { ...told, outcome: "undecided", found: [], words };
  }
  if (over === "tasks") {
    const tasks = byTask(found);
    const { verdict, mean, interval, wins } = comparePooled(tasks, { margin, level });
    const outcome = outcomeOf(prediction.is, { verdict, difference: mean, interval }, margin);
    const difference = `${formatDifference(mean)} (${formatInterval(interval)})`;
    const numbers = `${difference}, ahead on ${wins} of ${tasks.length} tasks${
      tasks.length === found.length
        ? ` (each by itself: ${tellEach(found.map(({ settled }) => settled.verdict))})`
        : ""
    }`;
    return {
      ...told,
      outcome,
      found: [{
        where: `over ${tasks.length} tasks`,
        difference: mean,
        interval,
        verdict,
        outcome,
        tasks: tasks.map(({ task, mean }) => ({ task, difference: mean })),
      }],
      words: `${SAID[outcome]} ${asked} over tasks: ${numbers}`,
      pooled: { of: names[0], than: `${than} over tasks`, difference },
    };
  }
  const places = found.map(({ one, settled: { difference, interval, verdict } }) => ({
    where: one.place,
    difference,
    interval,
    verdict,
    outcome: outcomeOf(prediction.is, { verdict, difference, interval }, margin),
    tasks: [],
  }));
  const needed = Math.min(prediction.atLeast ?? found.length, found.length);
  const count = (wanted: Outcome) => places.filter(({ outcome }) => outcome === wanted).length;
  const outcome = count("confirmed") >= needed
    ? "confirmed"
    : count("refuted") > found.length - needed
    ? "refuted"
    : "undecided";
  const numbers = places.map((one) =>
    `${one.where} ${formatDifference(one.difference)} (${formatInterval(one.interval)})${
      found.length > 1 ? ` ${one.outcome}` : ""
    }`
  );
  const counted = found.length > 1 ? ` (in ${count("confirmed")} of ${found.length}, ${needed} needed)` : "";
  return {
    ...told,
    asked: `${asked}${counted}`,
    outcome,
    found: places,
    words: `${SAID[outcome]} ${asked}${counted}: ${numbers.join(", ")}`,
  };
}

/** "3 better, 1 undecided": with few tasks, what each shows by itself is more than what they show of others like them. */
function tellEach(verdicts: readonly Verdict[]): string {
  const counts = VERDICTS_TOLD.map((told) =>
    [verdicts.filter((verdict) => verdict === told).length, told] as const
  );
  return counts.flatMap(([count, told]) => count > 0 ? `${count} ${told}` : []).join(", ");
}

const VERDICTS_TOLD = [
  "better",
  "same",
  "identical",
  "worse",
  "undecided",
] as const satisfies readonly Verdict[];

/** One difference a task: the mean over its ranks and variations. */
function byTask(
  found: readonly { readonly one: Compared; readonly settled: Settled }[],
): (TaskDifference & { readonly task: string })[] {
  return [...Map.groupBy(found, ({ one }) => one.task)].map(([task, own]) => ({
    task,
    mean: own.reduce((sum, { settled }) => sum + settled.difference, 0) / own.length,
    variance: own.reduce((sum, { settled: { deviation, pairs } }) => sum + (deviation ?? 0) ** 2 / pairs, 0) /
      own.length ** 2,
  }));
}

/** The rule of the table above. */
export function outcomeOf(predicted: Relation, { verdict, interval }: Found, margin: number): Outcome {
  if (verdict === "undecided") return "undecided";
  const isNone = verdict === "same" || verdict === "identical";
  switch (predicted) {
    case "better":
    case "worse":
      return verdict === predicted ? "confirmed" : "refuted";
    case "same":
      if (isNone || (interval && interval.low > -margin && interval.high < margin)) return "confirmed";
      return interval && (interval.low > margin || interval.high < -margin) ? "refuted" : "undecided";
    case "not better":
      if (isNone || verdict === "worse" || (interval && interval.high < margin)) return "confirmed";
      return interval && interval.low > margin ? "refuted" : "undecided";
  }
}

/** A relation between two names. */
export const RELATION_WORDS: Readonly<Record<Relation, string>> = {
  better: "is better than",
  worse: "is worse than",
  same: "is the same as",
  "not better": "is not better than",
};

const SAID: Readonly<Record<Outcome, string>> = {
  confirmed: "that",
  refuted: "that",
  undecided: "whether",
};

/** What confirms and what refutes a claim, in words, from the rule alone. */
export function describeRule(
  { predictions, sweep: { settle: { within } } }: Pick<Claim, "predictions" | "sweep">,
): { readonly confirmed: string; readonly refuted: string } {
  const words = predictions.map(({ of, against, is, over, atLeast, at, outcome }) => {
    const where = over === "tasks"
      ? "over all tasks together"
      : atLeast
      ? `in ${atLeast} or more`
      : "everywhere";
    const what = `${outcome === "score" ? "" : ` in ${outcome}`}${at === undefined ? "" : ` at ${at}`}`;
    const refuting = {
      better: `worse or the same within ${within}`,
      worse: `better or the same within ${within}`,
      same: `better or worse by more than ${within}`,
      "not better": `better by more than ${within}`,
    };
    return {
      confirmed: `${of} ${RELATION_WORDS[is]} ${against}${what}, ${where}`,
      refuted: `${of} is ${refuting[is]} than ${against}${what}`.replace(
        /(the same within \S+) than/,
        "$1 as",
      ),
    };
  });
  return {
    confirmed: words.map(({ confirmed }) => confirmed).join("; "),
    refuted: words.map(({ refuted }) => refuted).join("; or "),
  };
}
