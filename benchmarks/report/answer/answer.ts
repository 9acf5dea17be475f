/** @file What a report found, in sentences: only numbers that are in its tables, and how much they weigh. */
import { pooledSpread, seedsToShow, withMoreExamples } from "../../statistics/seeds_needed.ts";
import { FEWEST_SEEDS } from "../../statistics/comparison.ts";
import { estimate, type Interval, mean } from "../../statistics/statistics.ts";
import { isJudged, type Verdict } from "../../statistics/verdicts.ts";
import {
  formatCount,
  formatCounts,
  formatDifference,
  formatInterval,
  formatN,
  formatNumber,
  formatPercent,
  formatRange,
  formatRate,
} from "../format.ts";
import type { ClosedGap } from "../../study/gaps.ts";
import { baselinesOf, contestsOf, countedScores, type Pair, standInOf } from "../../study/pairs.ts";
import type { OverTasks } from "../../study/over_tasks.ts";
import { ASKED } from "../headline.ts";
import { overTasksAnswer } from "./over_tasks.ts";
import type { Protocol } from "../protocol.ts";
import type { Ranking } from "../../study/rankings.ts";
import type { Cell, MethodLabel, Study } from "../../study/study.ts";
import { settling } from "../settling.ts";
import { verdictsOf } from "../tables/any_two.ts";
import { stepRatio } from "../tables/costs.ts";
import { meanDiscrepancy } from "../tables/discrepancies.ts";

/** What was computed once for sentences and tables. */
export interface Findings {
  /** Every method against the baselines. */
  readonly pairs: readonly Pair[];
  /** Any two methods of which neither is a baseline of the other. */
  readonly others: readonly Pair[];
  readonly overTasks: OverTasks;
  readonly gaps: readonly ClosedGap[];
  readonly rankings: readonly Ranking[];
  readonly protocol: Protocol;
}

/**
 * The answer: the verdicts first, or what it takes to get some, then what they weigh, then the numbers behind them. A
 * paragraph an entry. Sentences are made alike for every method.
 */
export function answer(study: Study, findings: Findings): string[] {
  const { pairs, others, gaps, rankings, protocol } = findings;
  if (study.cells.every((cell) => cell.runs.length === 0)) {
    return ["No run has finished: there is nothing to say yet."];
  }
  const all = [...pairs, ...others], judged = all.some(({ comparison }) => isJudged(comparison));
  const isDecided = all.some(({ comparison }) => comparison.verdict !== "undecided");
  return [
    ...overTasksAnswer(study, findings.overTasks),
    ...isDecided ? [] : undecided(study, findings),
    ...baselinesOf(study).flatMap((method) => verdictsAgainst(study, findings, method)),
    ...divergedSentence(study, pairs),
    ...judged ? gapSentences(study, gaps) : [],
    ...judged || study.methods.length > MANY ? study.tasks.flatMap((task) => firstsOf(study, task, all)) : [],
    ...rankingSentence(rankings),
    ...judged ? [evidence(all, study.margin)] : [],
    ...protocol.statements.length > 0 ? [protocol.statements.join(" ")] : [],
    ...study.methods.length <= MANY ? study.tasks.map((task) => scoresOf(study, task)) : [],
    ...study.tasks.flatMap((task) => ratesOf(study, task)),
    ...discrepancySentence(study),
    ...stepSentence(study),
  ];
}

/** How many cases are told one by one; of more, their range. */
const FEW = 3;

/** Methods that are told one by one, with their scores; of more what stands out, and the rest is in the tables. */
const MANY = 6;

/** So many times as many test examples are looked at: seeds don't help against a test set that is too small. */
const TIMES = [1, 4, 16];

/** Why there is no verdict, and how many seeds would bring one, from how paired differences vary on each task. */
function undecided(study: Study, findings: Findings): string[] {
  const pairs = findings.pairs.length > 0 ? findings.pairs : findings.others;
  if (pairs.length === 0) return [];
  const seeds = formatCounts(pairs.map(({ comparison }) => comparison.seeds), "seed");
  const cannot = `${seeds} cannot decide`;
  const reason = pairs.some(({ comparison }) => isJudged(comparison))
    ? `${cannot}: no difference was shown, nor that one is less than ${study.margin}.`
    : `${cannot}, and with fewer than ${FEWEST_SEEDS} no verdict is given.`;
  const start = findings.overTasks.pairs.length > 0 ? `Task by task, ${reason}` : `No winner: ${reason}`;
  const parts = study.tasks.flatMap((task) => {
    const own = pairs.filter(({ ours, comparison }) => ours.task === task && comparison.errors !== null);
    // How much a method varies that diverges now and then says little about the others.
    const whole = own.filter(({ diverged }) => Math.max(...diverged) === 0);
    const spread = pooledSpread((whole.length > 0 ? whole : own).map(({ comparison }) => comparison));
    if (spread === null) return [];
    const family = Math.max(
      ...[...Map.groupBy(own, ({ family }) => family).values()].map(({ length }) => length),
    );
    const examples = Math.min(...own.map(({ comparison }) => comparison.examples));
    const [enough, ...more] = TIMES.map((times) => ({
      examples: examples * times,
      seeds: seedsToShow(ASKED, withMoreExamples(spread, times), 1 - 0.05 / family),
    }));
    const fewer = more.find(({ seeds }) => seeds !== null && seeds < (enough!.seeds ?? Infinity) / 2);
    const tell = (one: typeof fewer) =>
      `about ${one!.seeds} seeds of each method with ${one!.examples} test examples`;
    const options = [...enough!.seeds === null ? [] : [tell(enough)], ...fewer ? [tell(fewer)] : []];
    return [
      `on ${task.title}, where another seed moves a difference by about ${formatNumber(spread.seeds)}, ${
        options.join(", or ") || `more than ${more.at(-1)!.examples} test examples`
      }`,
    ];
  });
  const settle = settling(study, pairs, ASKED);
  return [
    start,
    parts.length === 0
      ? `How much another seed moves a difference can't be told from one seed: run ${FEWEST_SEEDS} or more.`
      : `To show a true difference of ${ASKED} four times in five takes, by how much the paired differences here vary: ${
        parts.join("; ")
      }.`,
    ...settle === null ? [] : [`To settle one of them: \`${settle.command}\`.`],
  ];
}

/** How many runs diverged, and what they count as. */
function divergedSentence(study: Study, pairs: readonly Pair[]): string[] {
  const lost = study.cells.filter(({ diverged }) => diverged.length > 0);
  if (lost.length === 0) return [];
  const methods = study.methods.flatMap((method) => {
    const count = lost.filter((cell) => cell.method === method).reduce(
      (sum, cell) => sum + cell.diverged.length,
      0,
    );
    return count > 0 ? [`${method.label} ${count}`] : [];
  });
  const count = lost.reduce((sum, { diverged }) => sum + diverged.length, 0);
  const known = study.tasks.filter((task) => lost.some((cell) => cell.task === task)).map((task) => {
    const source = task.chance !== null
      ? "by chance"
      : study.before.some((one) => one.task === task)
      ? "before fine-tuning"
      : "the least there is";
    return `${formatNumber(standInOf(study, task))} on ${task.title}, ${source}`;
  });
  const counted = pairs.some(({ diverged }) => Math.max(...diverged) > 0)
    ? ` Comparisons count them as what a model that learned nothing scores: ${known.join("; ")}.`
    : "";
  return [`${formatCount(count, "run")} diverged: ${methods.join(", ")}.${counted}`];
}

/** Which share of the gap to full fine-tuning each method closes, and in how many cases there is none. */
function gapSentences(study: Study, gaps: readonly ClosedGap[]): string[] {
  const [first] = gaps;
  if (!first) return [];
  const known = gaps.filter(({ found }) => found.share !== null);
  const casesOf = (list: readonly ClosedGap[]) =>
    new Set(list.map(({ lora }) => JSON.stringify([lora.task.id, lora.rank]))).size;
  const parts = study.methods.length > MANY ? extremesOf(known) : study.methods.flatMap((method) => {
    const own = known.filter(({ cell }) => cell.method === method);
    if (own.length === 0) return [];
    const shares = own.map(({ found }) => found.share!), all = own.map(({ found }) => found.interval!);
    const closed = own.length <= FEW
      ? own.map(({ cell, found }) => `${formatPercent(found.share!)} ${whereOf(cell, found)}`).join(", ")
      : `${formatRange(shares, formatPercent)} in ${own.length} cases (95% intervals from ${
        formatPercent(Math.min(...all.map(({ low }) => low)))
      } to ${formatPercent(Math.max(...all.map(({ high }) => high)))})`;
    return [`${method.label} ${closed}`];
  });
  const cases = casesOf(gaps), without = cases - casesOf(known);
  const none = without > 0
    ? ` In ${without} of ${cases} cases no gap was shown, and no share is told: ${first.full.method.label} was not shown to be better than ${first.lora.method.label}.`
    : "";
  const n = formatCounts(gaps.map(({ found }) => found.seeds), "seed");
  const examples = formatCounts(gaps.map(({ found }) => found.examples), "example");
  return [
    parts.length > 0
      ? `Of the gap from ${first.lora.method.label} to ${first.full.method.label} (n = ${n}, ${examples}) are closed: ${
        parts.join("; ")
      }.${none}`
      : none.trim(),
  ];
}

/** The least and the most that any method closes, in one part; none where there is no share. */
function extremesOf(known: readonly ClosedGap[]): string[] {
  const sorted = known.toSorted((a, b) => a.found.share! - b.found.share!), least = sorted[0];
  if (!least) return [];
  const tell = ({ cell, found }: ClosedGap) =>
    `${formatPercent(found.share!)} by ${cell.method.label} ${whereOf(cell, found)}`;
  return [`between ${tell(least)} and ${tell(sorted.at(-1)!)}`];
}

function whereOf(cell: Cell, { interval }: ClosedGap["found"]): string {
  return `on ${cell.task.title} at rank ${cell.rank} (95%: ${formatInterval(interval, formatPercent)})`;
}

/** The highest score of a task at each rank, and, where that is decided, whether anything else was shown to be lower. */
function firstsOf(study: Study, task: Study["tasks"][number], all: readonly Pair[]): string[] {
  const parts = contestsOf(study).filter((contest) => contest.task === task).map(({ rank, cells }) => {
    const [first, ...others] = cells.toSorted((a, b) => scoreOf(study, b) - scoreOf(study, a));
    const verdicts = verdictsOf(first!, others, all);
    const { mean: score, interval } = estimate(countedScores(study, first!));
    const standings = [
      ["better than", ["better"]],
      ["the same as", ["same", "identical"]],
      ["not told apart from", ["undecided"]],
      // The highest score need not be a method's that is shown to be better.
      ["worse than", ["worse"]],
    ] as const;
    const standing = standings.flatMap(([words, wanted]) => {
      const labels = verdicts.filter(({ verdict }) => wanted.some((one) => one === verdict))
        .map(({ other }) => other.method.label);
      if (labels.length === 0) return [];
      const isAll = labels.length === verdicts.length;
      const whom = labels.length <= FEW && !isAll
        ? labels.join(", ")
        : `${isAll ? "all " : ""}${labels.length} others`;
      return [`, ${words} ${isAll && labels.length === 1 ? labels[0] : whom}`];
    }).join("");
    const at = rank === null ? "" : `at rank ${rank} `;
    return `${at}${first!.method.label} ${formatNumber(score)} (95%: ${formatInterval(interval)})${standing}`;
  });
  const own = study.cells.filter((cell) => cell.task === task);
  return parts.length > 0 ? [`Highest on ${task.title} (${formatN(own)}): ${parts.join("; ")}.`] : [];
}

/** How much of the order of methods is one of rates. */
function rankingSentence(rankings: readonly Ranking[]): string[] {
  const nameOf = ({ task, rank }: Ranking) => `${task.title}${rank === null ? "" : ` at rank ${rank}`}`;
  const found = rankings.flatMap((ranking) => {
    const { by, learningRate, standings } = ranking;
    if (learningRate === null) return [];
    const both = standings.flatMap(({ cell, own, shared }) =>
      own.place === null || shared?.place == null ? [] : [{
        label: cell.method.label,
        from: own.place,
        to: shared.place,
        far: Math.abs(own.place - shared.place),
      }]
    );
    const [most] = both.toSorted((a, b) => b.far - a.far), far = most?.far ?? 0;
    return [{
      at: nameOf(ranking),
      how: `by ${by}, all at ${formatRate(learningRate)}`,
      moved: both.filter((one) => one.far > 0).length,
      of: both.length,
      far,
      furthest: far > 0 ? `${most!.label} from ${most!.from} to ${most!.to}` : null,
    }];
  });
  const without = rankings.filter(({ learningRate }) => learningRate === null);
  const none = without.length === 0 ? [] : without.length <= FEW
    ? [
      `No rate was run to the end by all methods on ${without.map(nameOf).join(", ")}: no order at one rate.`,
    ]
    : [
      `In ${without.length} of ${rankings.length} cases no rate was run to the end by all methods: no order at one rate.`,
    ];
  const begin = "Methods whose place changes where all share one learning rate:";
  if (found.length <= FEW) {
    const parts = found.map(({ at, how, moved, of, furthest }) =>
      `on ${at}, ${how}: ${moved} of ${of}${furthest ? `, the furthest ${furthest}` : ""}`
    );
    return [...parts.length > 0 ? [`${begin} ${parts.join("; ")}.`] : [], ...none];
  }
  const [most] = found.toSorted((a, b) => b.far - a.far), counts = found.map(({ of }) => of);
  return [
    `${begin} ${formatRange(found.map(({ moved }) => moved), String)} of ${
      formatRange(counts, String)
    } in each of ${found.length} cases${
      most!.furthest ? `, the furthest ${most!.furthest} on ${most!.at}, ${most!.how}` : ""
    }.`,
    ...none,
  ];
}

function scoresOf(study: Study, task: Study["tasks"][number]): string {
  const cells = study.cells.filter((cell) => cell.task === task && cell.runs.length > 0);
  if (cells.length === 0) return `${task.title}: no run has finished.`;
  const groups = [null, ...study.ranks].flatMap((rank) => {
    const own = cells.filter((cell) => cell.rank === rank);
    if (own.length === 0) return [];
    const scores = own.map((cell) => `${cell.method.label} ${formatNumber(scoreOf(study, cell))}`).join(", ");
    return [rank === null ? scores : `at rank ${rank}: ${scores}`];
  });
  const chance = task.chance === null ? "" : `, ${formatNumber(task.chance)} by chance`;
  const before = study.before.find((one) => one.task === task);
  const start = before ? `, ${formatNumber(before.result.score)} before fine-tuning` : "";
  const same = before?.result.commonest;
  const commonest = same === undefined
    ? ""
    : `, ${formatNumber(same)} by always answering the commonest class`;
  return `${task.title} (${task.metric}${chance}${commonest}${start}): ${groups.join("; ")}.`;
}

/**
 * What the methods of a tuning sweep come to at their own rates, the best first, and all at LoRA's: how much of a
 * difference is one of rates.
 */
function ratesOf(study: Study, task: Study["tasks"][number]): string[] {
  return (study.ranks.length > 0 ? study.ranks : [null]).flatMap((rank) => {
    const found = study.cells.flatMap((cell) => {
      if (cell.task !== task || (cell.rank !== null && cell.rank !== rank) || cell.grid.length < 2) return [];
      const losses = new Map(cell.grid.flatMap(({ learningRate, runs, diverged }) => {
        const last = runs.flatMap((run) => run.outcome.validationLoss.at(-1)?.value ?? []);
        return last.length > 0 && diverged.length === 0 ? [[learningRate, mean(last)] as const] : [];
      }));
      return losses.has(cell.learningRate) ? [{ cell, losses }] : [];
    });
    if (found.length < 2) return [];
    const list = (rateOf: (cell: Cell) => number, ending: (rate: number) => string) =>
      found.flatMap(({ cell, losses }) => {
        const rate = rateOf(cell), loss = losses.get(rate);
        return loss === undefined
          ? []
          : [{ loss, text: `${cell.method.label} ${formatNumber(loss)}${ending(rate)}` }];
      }).toSorted((a, b) => a.loss - b.loss).map(({ text }) => text).join(", ");
    const at = `${task.title}${rank === null ? "" : ` at rank ${rank}`}`;
    const lora = found.find(({ cell }) => cell.method.optimizer === "lora")?.cell;
    return [
      `Validation loss on ${at}, each method at its own rate: ${
        list(({ learningRate }) => learningRate, (rate) => ` (${formatRate(rate)})`)
      }.`,
      ...lora
        ? [
          `All at the rate of ${lora.method.label}, ${formatRate(lora.learningRate)}: ${
            list(() => lora.learningRate, () => "")
          }.`,
        ]
        : [],
    ];
  });
}

function verdictsAgainst(study: Study, findings: Findings, baseline: MethodLabel): string[] {
  const { pairs, overTasks } = findings, pooled = overTasks.pairs.length > 0;
  const against = pairs.filter((pair) => pair.theirs.method === baseline);
  const verdicts = study.methods.flatMap((method) => {
    const own = against.filter((pair) => pair.ours.method === method);
    if (own.length === 0) return [];
    const count = (wanted: Verdict) => own.filter(({ comparison }) => comparison.verdict === wanted).length;
    return [{
      label: method.label,
      cases: own.length,
      counts: {
        better: count("better"),
        worse: count("worse"),
        same: count("same"),
        identical: count("identical"),
        undecided: count("undecided"),
      },
      differences: own.map((pair) => pair.comparison.mean),
      intervals: own.map((pair) => pair.comparison.interval),
      wins: own.reduce((sum, { comparison }) => sum + comparison.wins, 0),
      seeds: own.reduce((sum, { comparison }) => sum + comparison.seeds, 0),
    }];
  });
  const [first] = against;
  if (!first) return [];
  const n = formatCounts(against.map(({ comparison }) => comparison.seeds), "seed");
  const examples = formatCounts(against.map(({ comparison }) => comparison.examples), "example");
  const many = verdicts.length > MANY;
  const cases = formatRange(verdicts.map(({ cases }) => cases), String);
  const each = many ? `, ${cases} ${cases === "1" ? "case" : "cases"} each` : "";
  const told = against.every(({ comparison }) => !isJudged(comparison))
    ? observed(verdicts, against)
    : many
    ? whatStandsOut(verdicts)
    : verdicts.map(oneByOne).join("; ");
  return [
    `${
      pooled ? "Task by task, against" : "Against"
    } ${first.theirs.method.label}${each}: ${told}; n = ${n}, ${examples}.`,
  ];
}

/** How often each verdict was given of a method against a baseline. */
type VerdictCounts = Readonly<Record<Verdict, number>>;

/** What was found of a method against a baseline. */
interface MethodVerdicts {
  readonly label: string;
  readonly cases: number;
  readonly counts: VerdictCounts;
  readonly differences: readonly number[];
  readonly intervals: readonly (Interval | null)[];
  /** Seeds on which it is ahead, of how many, over all cases. */
  readonly wins: number;
  readonly seeds: number;
}

function formatVerdicts(counts: Partial<VerdictCounts>): string {
  return Object.entries(counts).filter(([, n]) => n > 0).map(([name, n]) => `${name} in ${n}`).join(", ");
}

/** Differences that nothing was decided about. */
function observed(verdicts: readonly MethodVerdicts[], pairs: readonly Pair[]): string {
  if (verdicts.length <= MANY) {
    return `observed, not decided, ${
      verdicts.map((one) =>
        `${one.label} ${formatRange(one.differences, formatDifference)}${
          one.cases > 1 ? ` in ${one.cases} cases` : ""
        } (${winsOf(one)})`
      ).join("; ")
    }`;
  }
  const sorted = pairs.toSorted((a, b) => a.comparison.mean - b.comparison.mean);
  const tell = ({ ours, comparison }: Pair) =>
    `${formatDifference(comparison.mean)} (${ours.method.label} on ${ours.task.title}${
      ours.rank === null ? "" : ` at rank ${ours.rank}`
    })`;
  return `observed, not decided, between ${tell(sorted[0]!)} and ${tell(sorted.at(-1)!)}`;
}

/** "wins on 7 of 9 seeds". */
function winsOf({ wins, seeds }: Pick<MethodVerdicts, "wins" | "seeds">): string {
  return `wins on ${wins} of ${formatCount(seeds, "seed")}`;
}

function oneByOne(one: MethodVerdicts): string {
  const { label, cases, counts, differences, intervals } = one;
  const [only] = Object.keys(counts).filter((name) => counts[name as Verdict] > 0);
  const verdict = cases === 1 ? only! : `${formatVerdicts(counts)} of ${cases}`;
  const interval = cases === 1 ? `, 95%: ${formatInterval(intervals[0]!, formatDifference)}` : "";
  return `${label} ${verdict} (difference ${formatRange(differences, formatDifference)}${interval}, ${
    winsOf(one)
  })`;
}

/** Of many methods those of which something was shown. */
function whatStandsOut(verdicts: readonly MethodVerdicts[]): string {
  const shown = verdicts.flatMap(({ label, counts: { undecided: _, ...found } }) => {
    const told = formatVerdicts(found);
    return told === "" ? [] : [`${label} ${told}`];
  });
  const range = formatRange(verdicts.flatMap(({ differences }) => differences), formatDifference);
  const rest = verdicts.every(({ counts }) => counts.undecided === 0)
    ? []
    : [shown.length > 0 ? "all else undecided" : `all ${verdicts.length} undecided`];
  return `${[...shown, ...rest].join("; ")} (differences ${range})`;
}

function discrepancySentence(study: Study): string[] {
  const parts = study.methods.flatMap((method) => {
    const found = study.cells.filter((cell) => cell.method === method).map(meanDiscrepancy)
      .filter((one) => one !== null && one.bound !== null);
    if (found.length === 0) return [];
    const error = mean(found.map((one) => one!.error)), bound = mean(found.map((one) => one!.bound!));
    return [`${method.label} ${formatNumber(error)} (bound ${formatNumber(bound)})`];
  });
  if (parts.length === 0) return [];
  return [`Mean distance of the equivalent gradient from the full one, ‖g̃ − G‖ / ‖G‖: ${parts.join(", ")}.`];
}

function stepSentence(study: Study): string[] {
  const parts = study.methods.filter((method) => method.optimizer !== "lora").flatMap((method) => {
    const ratios = study.cells.filter((cell) => cell.method === method).map((cell) => stepRatio(study, cell))
      .filter((ratio) => ratio !== null);
    return ratios.length > 0 ? [`${method.label} ${formatRange(ratios, (ratio) => ratio.toFixed(2))}`] : [];
  });
  return parts.length > 0 ? [`Time of a step over that of LoRA: ${parts.join(", ")}.`] : [];
}

/** What verdicts weigh. */
function evidence(pairs: readonly Pair[], margin: number): string {
  const judged = pairs.filter(({ comparison }) => isJudged(comparison)),
    families = new Set(judged.map(({ family }) => family)).size;
  const corrected =
    `Verdicts are corrected in families (Holm), of all comparisons with a baseline on a task and of all other pairs there: at most one family in twenty shows a difference where there is none, at most one in twenty calls the same what differs by ${margin} or more, and this report has ${families}.`;
  const open = judged.filter(({ comparison }) => comparison.verdict === "undecided");
  const detectable = open.flatMap(({ comparison }) => comparison.detectable ?? []);
  const missed = detectable.length > 0
    ? ` ${open.length} undecided: a true difference of ${
      formatRange(detectable, formatNumber)
    }, by comparison, would have been shown about four times in five, a smaller one less often.`
    : "";
  const few = pairs.length - judged.length;
  const rest = few > 0
    ? ` ${formatCount(few, "comparison")} with fewer than ${FEWEST_SEEDS} seeds in common ${
      few === 1 ? "is" : "are"
    } not judged.`
    : "";
  return `${corrected}${missed}${rest}`;
}

function scoreOf(study: Study, cell: Cell): number {
  return mean(countedScores(study, cell).map(mean));
}
