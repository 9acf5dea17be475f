/** @file What a report found, in sentences: only numbers that are in its tables, and how much they weigh. */
import { estimate, mean, type Verdict } from "../statistics.ts";
import {
  formatCount,
  formatCounts,
  formatDifference,
  formatInterval,
  formatN,
  formatNumber,
  formatPercent,
  formatRate,
} from "./format.ts";
import type { ClosedGap } from "./gaps.ts";
import { baselinesOf, contestsOf, type Pair } from "./pairs.ts";
import type { Protocol } from "./protocol.ts";
import type { Ranking } from "./rankings.ts";
import type { Cell, MethodLabel, Study } from "./report.ts";
import { verdictsOf } from "./tables/any_two.ts";
import { stepRatio } from "./tables/costs.ts";
import { meanDiscrepancy } from "./tables/discrepancies.ts";

/** What was computed once for sentences and tables. */
export interface Findings {
  /** Every method against the baselines. */
  readonly pairs: readonly Pair[];
  /** Any two methods. */
  readonly all: readonly Pair[];
  readonly gaps: readonly ClosedGap[];
  readonly rankings: readonly Ranking[];
  readonly protocol: Protocol;
}

/**
 * The answer: the verdicts first, then what they weigh, then the numbers behind them. A paragraph an entry. Sentences are
 * made alike for every method.
 */
export function answer(study: Study, { pairs, all, gaps, rankings, protocol }: Findings): string[] {
  if (study.cells.every((cell) => cell.runs.length === 0)) {
    return ["No run has finished: there is nothing to say yet."];
  }
  return [
    ...baselinesOf(study).flatMap((method) => verdictsAgainst(study, pairs, method)),
    ...gapSentences(study, gaps),
    ...study.tasks.flatMap((task) => firstsOf(study, task, all)),
    ...rankingSentence(rankings),
    evidence(study, pairs),
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

/** The highest score of a task at each rank, and whether anything else was shown to be lower. */
function firstsOf(study: Study, task: Study["tasks"][number], all: readonly Pair[]): string[] {
  const parts = contestsOf(study).filter((contest) => contest.task === task).map(({ rank, cells }) => {
    const [first, ...others] = cells.toSorted((a, b) => scoreOf(b) - scoreOf(a));
    const verdicts = verdictsOf(first!, others, all);
    const ties = verdicts.filter(({ verdict }) => verdict === "tie").map(({ other }) => other.method.label);
    const { mean: score, interval } = estimate(first!.runs.map(({ outcome }) => outcome.scores));
    const lower = verdicts.filter(({ verdict }) => verdict !== "tie").map(({ other }) => other.method.label);
    const tied = ties.length <= FEW || lower.length > FEW
      ? ties.join(", ")
      : `all others${lower.length > 0 ? ` but ${lower.join(", ")}` : ""}`;
    const standing = ties.length === 0
      ? `better than all ${verdicts.length} others`
      : `a tie with ${tied}${
        lower.length > 0 && !tied.startsWith("all others") ? `, better than the other ${lower.length}` : ""
      }`;
    const beaten = verdicts.filter(({ onTheseSeeds }) => onTheseSeeds === "better").length;
    const lesser = beaten > verdicts.length - ties.length
      ? ` (on these seeds alone better than ${beaten})`
      : "";
    const at = rank === null ? "" : `at rank ${rank} `;
    return `${at}${first!.method.label} ${formatNumber(score)} (95%: ${
      formatInterval(interval)
    }), ${standing}${lesser}`;
  });
  const own = study.cells.filter((cell) => cell.task === task);
  return parts.length > 0 ? [`Highest on ${task.title} (${formatN(own)}): ${parts.join("; ")}.`] : [];
}

/** How much of the order of methods is one of rates. */
function rankingSentence(rankings: readonly Ranking[]): string[] {
  const found = rankings.map(({ task, rank, by, peak, standings }) => {
    const moved = standings.filter(({ own, shared }) => own.place !== shared.place);
    const distance = ({ own, shared }: typeof standings[number]) =>
      own.place === null || shared.place === null ? 0 : Math.abs(own.place - shared.place);
    const [most] = moved.toSorted((a, b) => distance(b) - distance(a));
    const far = most ? distance(most) : 0;
    return {
      at: `${task.title}${rank === null ? "" : ` at rank ${rank}`}`,
      how: `by ${by}, all at ${formatRate(peak)}`,
      moved: moved.length,
      of: standings.length,
      far,
      furthest: far > 0
        ? `${most!.cell.method.label} from ${most!.own.place} to ${most!.shared.place}`
        : null,
      lost: standings.filter(({ shared }) => shared.place === null).length,
    };
  });
  const begin = "Methods whose place changes where all share one learning rate:";
  if (found.length <= FEW) {
    const parts = found.map(({ at, how, moved, of, furthest, lost }) =>
      `on ${at}, ${how}: ${moved} of ${of}${furthest ? `, the furthest ${furthest}` : ""}${
        lost > 0 ? ` (${lost} diverged or not run there)` : ""
      }`
    );
    return parts.length > 0 ? [`${begin} ${parts.join("; ")}.`] : [];
  }
  const [most] = found.toSorted((a, b) => b.far - a.far), counts = found.map(({ of }) => of);
  return [
    `${begin} ${formatRange(found.map(({ moved }) => moved), String)} of ${
      formatRange(counts, String)
    } in each of ${found.length} cases${
      most!.furthest ? `, the furthest ${most!.furthest} on ${most!.at}, ${most!.how}` : ""
    }.`,
  ];
}

function scoresOf(study: Study, task: Study["tasks"][number]): string {
  const cells = study.cells.filter((cell) => cell.task === task && cell.runs.length > 0);
  if (cells.length === 0) return `${task.title}: no run has finished.`;
  const groups = [null, ...study.ranks].flatMap((rank) => {
    const own = cells.filter((cell) => cell.rank === rank);
    if (own.length === 0) return [];
    const scores = own.map((cell) => `${cell.method.label} ${formatNumber(scoreOf(cell))}`).join(", ");
    return [rank === null ? scores : `at rank ${rank}: ${scores}`];
  });
  const chance = task.chance === null ? "" : `, ${formatNumber(task.chance)} by chance`;
  const before = study.before.find((one) => one.task === task);
  const start = before ? `, ${formatNumber(before.result.score)} before fine-tuning` : "";
  return `${task.title} (${task.metric}${chance}${start}): ${groups.join("; ")}.`;
}

/**
 * What the methods of a tuning sweep come to at their own rates, the best first, and all at LoRA's: how much of a
 * difference is one of rates.
 */
function ratesOf(study: Study, task: Study["tasks"][number]): string[] {
  return (study.ranks.length > 0 ? study.ranks : [null]).flatMap((rank) => {
    const found = study.cells.flatMap((cell) => {
      if (cell.task !== task || (cell.rank !== null && cell.rank !== rank) || cell.grid.length < 2) return [];
      const losses = new Map(cell.grid.flatMap(({ peak, runs, diverged }) => {
        const last = runs.flatMap((run) => run.outcome.validationLoss.at(-1)?.value ?? []);
        return last.length > 0 && diverged.length === 0 ? [[peak, mean(last)] as const] : [];
      }));
      return losses.has(cell.peak) ? [{ cell, losses }] : [];
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
        list(({ peak }) => peak, (rate) => ` (${formatRate(rate)})`)
      }.`,
      ...lora
        ? [
          `All at the rate of ${lora.method.label}, ${formatRate(lora.peak)}: ${
            list(() => lora.peak, () => "")
          }.`,
        ]
        : [],
    ];
  });
}

function verdictsAgainst(study: Study, pairs: readonly Pair[], baseline: MethodLabel): string[] {
  const against = pairs.filter((pair) => pair.theirs.method === baseline);
  const verdicts = study.methods.flatMap((method) => {
    const own = against.filter((pair) => pair.ours.method === method);
    if (own.length === 0) return [];
    const counts = (read: (pair: Pair) => Verdict) => {
      const count = (verdict: Verdict) => own.filter((pair) => read(pair) === verdict).length;
      return { better: count("better"), tied: count("tie"), worse: count("worse") };
    };
    return [{
      label: method.label,
      cases: own.length,
      overall: counts(({ comparison }) => comparison.verdict),
      onTheseSeeds: counts(({ comparison }) => comparison.onTheseSeeds.verdict),
      differences: own.map((pair) => pair.comparison.mean),
    }];
  });
  const [first] = against;
  if (!first) return [];
  const n = formatCounts(against.map(({ comparison }) => comparison.seeds), "seed");
  const examples = formatCounts(against.map(({ comparison }) => comparison.examples), "example");
  const many = verdicts.length > MANY;
  const cases = formatRange(verdicts.map(({ cases }) => cases), String);
  const each = many ? `, ${cases} ${cases === "1" ? "case" : "cases"} each` : "";
  const told = many ? whatStandsOut(verdicts) : verdicts.map(oneByOne).join("; ");
  return [`Against ${first.theirs.method.label}${each}: ${told}; n = ${n}, ${examples}.`];
}

/** How often a method was better, tied and worse than a baseline. */
interface VerdictCounts {
  readonly better: number;
  readonly tied: number;
  readonly worse: number;
}

/** What was found of a method against a baseline. */
interface MethodVerdicts {
  readonly label: string;
  readonly cases: number;
  readonly overall: VerdictCounts;
  readonly onTheseSeeds: VerdictCounts;
  readonly differences: readonly number[];
}

function formatVerdicts(counts: Partial<VerdictCounts>): string {
  return Object.entries(counts).filter(([, n]) => n > 0).map(([name, n]) => `${name} in ${n}`).join(", ");
}

function oneByOne({ label, cases, overall, onTheseSeeds, differences }: MethodVerdicts): string {
  const verdict = formatVerdicts(overall), lesser = formatVerdicts(onTheseSeeds);
  return `${label} ${verdict} of ${cases} (${
    lesser === verdict ? "" : `on these seeds alone ${lesser}; `
  }difference ${formatRange(differences, formatDifference)})`;
}

/** Of many methods: those that differ, and on these seeds alone how often which is better or worse. */
function whatStandsOut(verdicts: readonly MethodVerdicts[]): string {
  const shown = (read: (one: MethodVerdicts) => VerdictCounts) =>
    verdicts.flatMap((one) => {
      const { better, worse } = read(one);
      return better + worse > 0 ? [`${one.label} ${formatVerdicts({ better, worse })}`] : [];
    });
  const differing = shown(({ overall }) => overall), lesser = shown(({ onTheseSeeds }) => onTheseSeeds);
  const found = differing.length > 0
    ? `${differing.join("; ")}; all else tied`
    : `all ${verdicts.length} tied`;
  const range = formatRange(verdicts.flatMap(({ differences }) => differences), formatDifference);
  const also = lesser.join() === differing.join()
    ? ""
    : `; on these seeds alone ${lesser.join("; ") || "none"}`;
  return `${found} (differences ${range})${also}`;
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

function evidence(study: Study, pairs: readonly Pair[]): string {
  const seeds = study.cells.map((cell) => cell.runs.length).filter((count) => count > 0);
  const most = Math.max(...seeds);
  const weight = most === 1
    ? "says nothing about other seeds"
    : most < 5
    ? "weak evidence about other seeds; “on these seeds alone” asks the lesser question, whether new examples would agree"
    : "some evidence about other seeds";
  const ties = pairs.filter(({ comparison }) => comparison.verdict === "tie");
  const corrected = pairs.length > 1
    ? ` The ${pairs.length} comparisons with baselines are corrected together (Holm): at most one report in twenty shows a difference among them where there is none anywhere.`
    : "";
  const detectable = ties.flatMap(({ comparison }) => comparison.detectable ?? []);
  const missed = detectable.length > 0
    ? ` ${formatCount(ties.length, "tie")}: a true difference of ${
      formatRange(detectable, formatNumber)
    }, by comparison, would have been shown four times in five, a smaller one less often.`
    : "";
  return `n = ${formatCounts(seeds, "seed")}: ${weight}.${corrected}${missed}`;
}

function scoreOf(cell: Cell): number {
  return mean(cell.runs.map((run) => run.outcome.score));
}

function formatRange(values: readonly number[], write: (value: number) => string): string {
  const low = write(Math.min(...values)), high = write(Math.max(...values));
  return low === high ? low : `${low} to ${high}`;
}
