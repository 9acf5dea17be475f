/** @file A report in a few words: one verdict, what it is, how sure, and what would change it. */
import { FEWEST_SEEDS } from "../statistics/comparison.ts";
import { pooledSpread, seedsToShow } from "../statistics/seeds_needed.ts";
import type { Interval } from "../statistics/statistics.ts";
import { isJudged, MARGIN, type Verdict } from "../statistics/verdicts.ts";
import { partsOf, type StoredVerdict } from "../study/verdict_file.ts";
import type { OverTasks } from "../study/over_tasks.ts";
import { leadingBaselines, type Pair } from "../study/pairs.ts";
import type { MethodLabel, Study, TaskLabel } from "../study/study.ts";
import { formatCount, formatCounts, formatNumber } from "./format.ts";
import { settling } from "./settling.ts";

/** What a reader gets who reads nothing else. */
export interface Headline {
  /** At most `MOST_WORDS` words; of a claim as many as its predictions take. */
  readonly verdict: string;
  /** What was claimed; null where nothing was. */
  readonly claim: ClaimedElsewhere | null;
  readonly what: string;
  readonly sure: string;
  readonly change: string;
  /** What to type to settle it; null where nobody knows. */
  readonly command: string | null;
}

/** A published claim that a sweep tests. */
export interface ClaimedElsewhere {
  /** What it says, and where. */
  readonly said: string;
  /** What it was measured on there, and what differs here. */
  readonly unlike: string;
}

/** Words of a verdict. */
export const MOST_WORDS = 25;

/** The difference that is asked about where nothing is decided: of scores from 0 to 1. */
export const ASKED = 0.05;

/** One comparison of a method with a baseline: on a task, or over all of them. */
interface Case {
  readonly method: MethodLabel;
  readonly rank: number | null;
  readonly baseline: MethodLabel;
  readonly mean: number;
  readonly interval: Interval | null;
  readonly verdict: Verdict;
  readonly margin: number;
  readonly wins: number;
  /** Of how many the wins are. */
  readonly of: number;
  readonly judged: boolean;
  /** The least difference that would have been shown; null where nothing is judged. */
  readonly detectable: number | null;
  /** On each task. */
  readonly pairs: readonly Pair[];
}

/**
 * The headline of a study.
 *
 * @param again what made the sweep; null where nobody wrote it down
 */
export function headlineOf(
  study: Study,
  pairs: readonly Pair[],
  overTasks: OverTasks,
  again: string | null,
): Headline {
  if (study.cells.every(({ runs }) => runs.length === 0)) return withoutRuns(study, again);
  const cases = casesOf(study, pairs, overTasks);
  const [lora, full] = ["lora", "full"].map((id) =>
    cases.filter(({ baseline }) => baseline.optimizer === id)
  );
  const against = [lora!, full!, cases].find((some) => some.length > 0) ?? [];
  if (against.length === 0) return withoutBaseline(study, again);
  const told = new Told(study, against, lora!.length > 0 ? full! : [], overTasks.pairs.length > 0);
  const [decided] = told.decided, usual = study.margin === MARGIN ? undefined : study.margin;
  const settle = settling(study, decided?.pairs ?? pairs, decided ? usual : ASKED);
  return {
    verdict: told.verdict(),
    claim: null,
    what: told.what(),
    sure: told.sure(),
    change: told.change(settle?.pair ?? null),
    command: settle?.command ?? again,
  };
}

/** The headline of a question that tests a claim: its comparisons come second. */
export function headlineOfClaim(comparisons: Headline, verdict: StoredVerdict): Headline {
  const { outcome, says, source, setting } = verdict, { words, differs } = partsOf(verdict);
  return {
    ...comparisons,
    verdict: sentences([`${outcome} here: ${words}`]),
    claim: {
      said: sentences([`${says} (${source})`]),
      unlike: sentences(setting === undefined ? [differs] : [`there: ${setting}`, `here: ${differs}`]),
    },
  };
}

/** The first text that is short enough; the last where none is. */
export function fitting(texts: readonly string[]): string {
  return texts.find((text) => text.split(/\s+/).length <= MOST_WORDS) ?? texts.at(-1)!;
}

/** Texts as sentences, one after the other. */
export function sentences(texts: readonly string[]): string {
  return texts.filter((text) => text !== "").map((text) => {
    const begun = text[0]!.toUpperCase() + text.slice(1);
    return /[.:?!]$/.test(begun) ? begun : `${begun}.`;
  }).join(" ");
}

function withoutRuns(study: Study, again: string | null): Headline {
  const measures = study.growth.some(({ methods }) => methods.length > 0);
  return {
    verdict: measures
      ? "This sweep measures how costs grow with size: it has no scores, and no winner."
      : "No run has finished: there is nothing to say yet.",
    claim: null,
    what: measures
      ? "Exponents of step time and of memory are in the details, and charts show what was measured."
      : "Every run of the plan is missing, failed or diverged.",
    sure: measures
      ? "The fitted lines are held against sizes that they were not fitted to; the table says by how much they miss."
      : "Nothing can be concluded from runs that are not there.",
    change: again === null ? "Runs that finish." : "The command that goes on where the sweep stopped:",
    command: again,
  };
}

function withoutBaseline(study: Study, again: string | null): Headline {
  const methods = study.methods.map(({ label }) => label);
  return {
    verdict: fitting([
      `${methods.join(", ")}: nothing to hold ${methods.length === 1 ? "it" : "them"} against.`,
      `${methods.length} methods, and neither LoRA nor full fine-tuning to hold them against.`,
    ]),
    claim: null,
    what:
      "Scores of single methods are in the tables; neither LoRA nor full fine-tuning was run beside them.",
    sure: "A score by itself says little: tasks, sizes and rates are this report's own.",
    change: "Runs of LoRA or of full fine-tuning on the same tasks with the same seeds.",
    command: again,
  };
}

/** Comparisons with the two that all others are held against, over all tasks where there are enough of them. */
function casesOf(study: Study, pairs: readonly Pair[], overTasks: OverTasks): Case[] {
  const general = leadingBaselines(study);
  const isAsked = (ours: MethodLabel, theirs: MethodLabel) =>
    general.includes(theirs) && (ours.optimizer !== "full" || theirs.optimizer !== "lora");
  if (overTasks.pairs.length > 0) {
    return overTasks.pairs.filter(({ ours, theirs }) => isAsked(ours, theirs)).map((
      { ours, theirs, rank, comparison, pairs },
    ) => ({
      ...comparison,
      method: ours,
      rank,
      baseline: theirs,
      of: comparison.tasks,
      judged: isJudged(comparison),
      pairs,
    }));
  }
  return pairs.filter(({ ours, theirs }) => isAsked(ours.method, theirs.method)).map((pair) => ({
    ...pair.comparison,
    method: pair.ours.method,
    rank: pair.ours.rank,
    baseline: pair.theirs.method,
    of: pair.comparison.seeds,
    judged: isJudged(pair.comparison),
    pairs: [pair],
  }));
}

/** The sentences about comparisons with one baseline, and, of the winner, with the other. */
class Told {
  /** Those that were decided, what matters most first. */
  readonly decided: readonly Case[];
  private readonly better: readonly Case[];
  private readonly worse: readonly Case[];
  private readonly same: readonly Case[];
  private readonly open: readonly Case[];
  private readonly baseline: string;

  constructor(
    private readonly study: Study,
    private readonly against: readonly Case[],
    private readonly full: readonly Case[],
    private readonly pooled: boolean,
  ) {
    const of = (...verdicts: readonly Verdict[]) =>
      against.filter(({ verdict }) => verdicts.includes(verdict)).toSorted((a, b) => b.mean - a.mean);
    this.better = of("better");
    this.worse = of("worse").toReversed();
    this.same = of("same", "identical");
    this.open = of("undecided");
    this.decided = [...this.better, ...this.same, ...this.worse];
    this.baseline = against[0]!.baseline.label;
  }

  /** "LoRA-Pro beats LoRA by 0.068 on Digits at rank 8, and stays 0.093 below full fine-tuning." */
  verdict(): string {
    const [best, second] = this.better, whole = this.where(false), brief = this.where(true);
    if (best && second) {
      const tails = [true, false].flatMap((withFull) => [whole, brief].map((where) => ({ withFull, where })));
      return fitting(
        tails.map(({ withFull, where }) => this.leading(best, where, withFull)).concat(
          `${this.nameOf(best)} leads: ${size(best)} above ${this.baseline}.`,
        ),
      );
    }
    const endings = best
      ? [this.besideFull(best, true), this.besideFull(best, false), ""]
      : [this.fullOfAll(), ""];
    const starts = [whole, brief].map((where) => this.start(where));
    return `${
      fitting(endings.flatMap((ending) => starts.map((start) => `${start}${ending}`)).concat(this.start("")))
    }.`;
  }

  what(): string {
    const [best, second] = this.better, [worst] = this.worse;
    const shown = best
      ? [this.sizeOf(best), ...this.numbersBesideFull(best), ...second ? [this.sizeOf(second)] : []]
      : worst
      ? [this.sizeOf(worst)]
      : [];
    const even = !best && this.same[0]
      ? [`${this.nameOf(this.same[0])} differs from ${this.baseline} by ${this.numbers(this.same[0])}`]
      : [];
    const far = this.open.toSorted((a, b) => Math.abs(b.mean) - Math.abs(a.mean))[0];
    const might = !best && far
      ? [
        `furthest apart so far: ${this.nameOf(far)} ${size(far)} ${
          far.mean < 0 ? "below" : "above"
        } ${this.baseline}${this.placeOf(far)}; the true difference may be ${
          far.interval ? `anything from ${range(far.interval)}` : "any other"
        }`,
      ]
      : [];
    return sentences([...shown, ...even, ...might]);
  }

  sure(): string {
    const judged = this.against.filter(({ judged }) => judged), seeds = this.seeds();
    if (judged.length === 0) {
      return sentences([
        `not at all: ${seeds} can agree by luck, and with fewer than ${FEWEST_SEEDS} no verdict is given`,
        this.examples(),
      ]);
    }
    const families = new Set(judged.map(({ pairs }) => this.pooled ? "all" : pairs[0]!.family)).size;
    const chance = this.better.length + this.worse.length > 0
      ? `if no method differed from ${this.baseline}, fewer than 1 in 20 sweeps like this would show one that does${
        families > 1 ? ", counted task by task" : ""
      }`
      : this.same.length > 0
      ? `methods that differ by ${this.study.margin} or more would be called the same in fewer than 1 of 20 such sweeps`
      : "";
    const missed = this.open.flatMap(({ detectable }) => detectable ?? []);
    const open = missed.length > 0
      ? `${formatCount(this.open.length, "comparison")} stayed open: differences below about ${
        formatNumber(Math.max(...missed))
      } can be missed`
      : "";
    return sentences([chance, open, `it rests on ${seeds}, ${this.examples()}`]);
  }

  /** @param settled what the command settles; null where it makes the sweep again */
  change(settled: Pair | null): string {
    const [best] = this.decided;
    if (best) {
      const place = this.pooled
        ? `other tasks than these ${this.tasks().length}, or other models`
        : `another task, model or rank than ${this.tasks().length === 1 ? this.tasks()[0]! : "these"}`;
      return sentences([
        `${place} may turn it`,
        settled ? `this command checks ${settled.ours.method.label} with seeds and rates of its own:` : "",
      ]);
    }
    return sentences([
      this.needed(settled?.ours.task ?? null),
      settled ? "this command adds pairs of runs until it is decided:" : "the same sweep with more seeds:",
    ]);
  }

  /** "LoRA-Pro leads over 10 tasks: 0.068 above LoRA and 0.093 below full fine-tuning. 5 of 13 methods beat LoRA." */
  private leading(best: Case, where: string, withFull: boolean): string {
    const place = this.placeOf(best), { against, better, baseline } = this;
    const beaten = against.length === this.methodsOf(against)
      ? `${this.count(better)} beat ${baseline}`
      : `${baseline} is beaten in ${this.count(better)}`;
    const full = withFull ? this.fullBehind(best) : "";
    return `${this.nameOf(best)} leads${place || where}: ${size(best)} above ${baseline}${full}. ${beaten}${
      place === "" ? "" : where
    }.`;
  }

  private methodsOf(cases: readonly Case[]): number {
    return new Set(cases.map(({ method }) => method)).size;
  }

  /** "5 of 13 methods"; where methods have several comparisons each, "5 of 26 comparisons". */
  private count(cases: readonly Case[]): string {
    const { against } = this, methods = this.methodsOf(against);
    return against.length === methods
      ? `${this.methodsOf(cases)} of ${methods} methods`
      : `${cases.length} of ${against.length} comparisons`;
  }

  /** "LoRA-Pro beats LoRA by 0.068 over 10 tasks". */
  private start(where: string): string {
    const { better: [best], worse, same, open, against, baseline } = this, methods = this.methodsOf(against);
    if (best) return `${this.nameOf(best)} beats ${baseline} by ${size(best)}${this.placeOf(best) || where}`;
    if (open.length === against.length) {
      const none = against.length > 1
        ? `No winner yet`
        : `${this.nameOf(against[0]!)} or ${baseline}: no winner yet`;
      return `${none}${where}: ${this.seeds()} cannot tell ${
        methods === 1 ? "them" : `${methods} methods`
      } from ${methods === 1 ? "chance" : baseline}`;
    }
    const even = same.length > 0
      ? `${same.length === 1 ? this.nameOf(same[0]!) : this.count(same)} ${
        same.length === 1 ? "is" : "are"
      } as good as ${baseline} within ${this.study.margin}`
      : "";
    const less = worse.length === 1 && worse[0]
      ? `${this.nameOf(worse[0])} is worse than ${baseline} by ${size(worse[0])}`
      : worse.length > 0
      ? `${this.count(worse)} are worse than ${baseline}`
      : "";
    if (against.length === 1) return `${even || less}${where}`;
    return `No method beats ${baseline}${where}; ${[even, less].filter((part) => part !== "").join(", ")}`;
  }

  /** The winner against full fine-tuning, behind the verdict. */
  private besideFull(best: Case, withSize: boolean): string {
    const found = this.sameCase(best);
    if (!found) return "";
    const { verdict } = found, full = "full fine-tuning", by = withSize ? ` ${size(found)}` : "";
    if (verdict === "worse") return `, and stays${by} below ${full}`;
    if (verdict === "better") return `, and ${full} by${by || " some"}`;
    if (verdict === "undecided") return `; against ${full} it is undecided`;
    return `, and is as good as ${full}`;
  }

  /** The same behind "0.068 above LoRA". */
  private fullBehind(best: Case): string {
    const found = this.sameCase(best), full = "full fine-tuning";
    if (!found) return "";
    if (found.verdict === "worse") return ` and ${size(found)} below ${full}`;
    if (found.verdict === "better") return ` and ${size(found)} above ${full}`;
    return found.verdict === "undecided" ? `; against ${full} it is undecided` : `, as good as ${full}`;
  }

  /** What full fine-tuning is to all of them, where none beats the other baseline. */
  private fullOfAll(): string {
    const { full } = this, worse = full.filter(({ verdict }) => verdict === "worse").length;
    if (full.length === 0 || worse === 0) return "";
    return worse === full.length
      ? "; full fine-tuning beats all"
      : `; full fine-tuning beats ${worse} of ${full.length}`;
  }

  private numbersBesideFull(best: Case): string[] {
    const found = this.sameCase(best);
    if (!found) return [];
    const far = `${
      Math.abs(found.mean) < 5e-4
        ? "as high as"
        : `${size(found)} ${found.mean < 0 ? "lower" : "higher"} than`
    }`;
    return [`it scores ${far} full fine-tuning (likely ${likely(found)})`];
  }

  private sameCase({ method, rank, pairs }: Case): Case | undefined {
    return this.full.find((one) =>
      one.method === method && one.rank === rank && one.pairs[0]!.ours.task === pairs[0]!.ours.task
    );
  }

  /** "LoRA-Pro scores 0.068 higher than LoRA (likely 0.008 to 0.129), ahead on 7 of 9 seeds". */
  private sizeOf(one: Case): string {
    const { wins, of, mean } = one, unit = this.pooled ? "task" : "seed";
    return `${this.nameOf(one)} scores ${size(one)} ${
      mean < 0 ? "lower" : "higher"
    } than ${this.baseline} (likely ${likely(one)})${this.placeOf(one)}, ahead on ${wins} of ${
      formatCount(of, unit)
    }`;
  }

  private numbers(one: Case): string {
    const around = one.interval ? `, likely ${range(one.interval)}` : "";
    return `${signed(one.mean)}${around}`;
  }

  private nameOf({ method, rank }: Case): string {
    const ranks = new Set(this.against.map((one) => one.rank));
    return ranks.size > 1 && rank !== null && this.pooled ? `${method.label} at rank ${rank}` : method.label;
  }

  /** Of one of several cases, where it is: " on Digits at rank 8". */
  private placeOf(one: Case): string {
    if (this.pooled || this.isOnePlace()) return "";
    return ` on ${one.pairs[0]!.ours.task.title}${one.rank === null ? "" : ` at rank ${one.rank}`}`;
  }

  private isOnePlace(): boolean {
    return new Set(this.against.map(({ pairs: [pair], rank }) => `${pair!.ours.task.id} ${rank}`)).size === 1;
  }

  /** Where all of it is: " over 10 tasks", " on Digits at rank 8", " on 2 tasks". */
  private where(brief: boolean): string {
    const tasks = this.tasks();
    if (this.pooled) return ` over ${tasks.length} tasks`;
    if (tasks.length > 1) return ` on ${tasks.length} tasks`;
    const { task } = this.against[0]!.pairs[0]!.ours, [rank] = this.against.map((one) => one.rank);
    const at = this.isOnePlace() && rank !== null && !brief ? ` at rank ${rank}` : "";
    return ` on ${brief ? task.id : task.title}${at}`;
  }

  private tasks(): string[] {
    return [...new Set(this.against.flatMap(({ pairs }) => pairs.map(({ ours }) => ours.task.title)))];
  }

  private seeds(): string {
    return formatCounts(
      this.against.flatMap(({ pairs }) => pairs.map(({ comparison }) => comparison.seeds)),
      "seed",
    );
  }

  private examples(): string {
    const all = this.against.flatMap(({ pairs }) => pairs.map(({ comparison }) => comparison.examples));
    return `${formatCounts(all, "test example")} ${this.tasks().length > 1 ? "a task" : "each"}`;
  }

  /** How many seeds would do on a task, or on that where it takes the fewest. */
  private needed(only: TaskLabel | null): string {
    const tasks = Map.groupBy(this.against.flatMap(({ pairs }) => pairs), ({ ours }) => ours.task);
    const found = [...tasks].filter(([task]) => only === null || task === only).flatMap(([task, pairs]) => {
      const known = pairs.filter(({ comparison, diverged }) =>
        comparison.errors !== null && Math.max(...diverged) === 0
      );
      const spread = pooledSpread(known.map(({ comparison }) => comparison));
      const seeds = spread && seedsToShow(ASKED, spread, 1 - 0.05 / Math.max(1, known.length));
      return seeds === null ? [] : [{ task, seeds }];
    }).toSorted((a, b) => a.seeds - b.seeds);
    const [least] = found;
    return least
      ? `about ${least.seeds} seeds of each method would show a difference of ${ASKED} on ${least.task.title}`
      : `more seeds, and more test examples`;
  }
}

function size({ mean }: Case): string {
  return formatNumber(Math.abs(mean));
}

/** The interval of how far apart they are, as the sentence says it: "0.008 to 0.129", "0.010 lower to 0.129 higher". */
function likely({ interval, mean }: Case): string {
  if (interval === null) return "unknown";
  const [low, high] = mean < 0 ? [-interval.high, -interval.low] : [interval.low, interval.high];
  const [here, there] = mean < 0 ? ["lower", "higher"] : ["higher", "lower"];
  return low < 0
    ? `${formatNumber(-low)} ${there} to ${formatNumber(high)} ${here}`
    : `${formatNumber(low)} to ${formatNumber(high)}`;
}

/** "−0.010 to +0.129". */
function range({ low, high }: Interval): string {
  return `${signed(low)} to ${signed(high)}`;
}

function signed(value: number): string {
  return `${value < 0 ? "−" : "+"}${formatNumber(Math.abs(value))}`;
}
