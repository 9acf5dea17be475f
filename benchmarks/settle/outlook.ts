/** @file What settling a question would take, told before anything is run: from runs that are stored, where there are any. */
import { canonicalJson } from "../../files/canonical_json.ts";
import { namesIn } from "../../files/write_file.ts";
import { UserError } from "../../errors/user_error.ts";
import { system } from "../../system/mod.ts";
import type { Registries } from "../../training/configuration.ts";
import type { RunConfig, RunResult } from "../../training/run.ts";
import { formatDuration } from "../cost/estimate.ts";
import { forecastFor } from "../cost/known_paces.ts";
import { formatNumber } from "../report/format.ts";
import { mean, sampleDeviation } from "../statistics/statistics.ts";
import { pairsToDecide } from "../statistics/sequential.ts";
import { prepareRuns } from "../sweep/prepare_runs.ts";
import { openStore } from "../sweep/store.ts";
import type { Cell, Comparison, Question } from "./question.ts";
import { criterionOf } from "./standing.ts";
import { tuningRuns } from "./runs.ts";
import { openFile } from "./settle_file.ts";

/** What a comparison would take. */
export interface Price {
  readonly cell: Cell;
  readonly comparison: Comparison;
  /** Standard deviation of a pair's difference among stored runs; null where there are not two such pairs. */
  readonly deviation: number | null;
  /** Stored pairs that it is from. */
  readonly stored: number;
  /** Pairs that show in four of five questions that both are the same, where nothing differs; null where none do. */
  readonly same: number | null;
  /** The same for a true difference as large as the margin. */
  readonly differ: number | null;
  /** Milliseconds of a pair; null where nobody knows. */
  readonly pairMs: number | null;
}

/** What a question would take. */
export interface SettleOutlook {
  /** Runs that choose rates and are not stored, as far as no grid must be widened, and their milliseconds. */
  readonly tuning: { readonly runs: number; readonly ms: number | null };
  readonly prices: readonly Price[];
  /** Milliseconds of a scored run by contender; null where nobody knows. */
  readonly runMs: ReadonlyMap<string, number | null>;
  /** Where times are from; null where nobody knows. */
  readonly pacesFrom: string | null;
  /** Most bytes on the GPU at once. */
  readonly peakBytes: number;
}

/**
 * Looks into the output folder and those beside it, changing nothing.
 *
 * @throws as `settle` does before anything runs
 */
export async function lookAtQuestion(
  question: Question,
  out: string,
  registries: Registries,
): Promise<SettleOutlook> {
  const file = await openFile(out, question);
  const contenders = [
    ...new Map(question.cells.flatMap((cell) => cell.contenders.map((one) => [one.id, one]))).values(),
  ];
  const runs = contenders.map(({ run }) => run);
  const onValidation = runs.map((run) => ({
    ...run,
    config: { ...run.config, scoreOn: "validation" as const },
  }));
  const workOf = await prepareRuns([...runs, ...onValidation]);
  const { results } = await openStore(out).read();
  const tuning = (await Promise.all(
    contenders.filter(({ rates }) => rates.length > 1 && !file.choices).map((one) =>
      tuningRuns(one, one.rates, question.tuningSeeds)
    ),
  )).flat();
  const asked = [...tuning, ...runs.map(({ config }, i) => ({ id: contenders[i]!.id, config }))];
  const { forecast, from } = await forecastFor({ runs: asked }, { results }, registries, workOf);
  const left = tuning.filter(({ id }) => !results.has(id)).map(({ config }) => config);
  const folders = [[...results.values()], ...await siblingsOf(out)];
  return {
    tuning: { runs: left.length, ms: forecast.estimateAllMs(left) },
    pacesFrom: from,
    peakBytes: Math.max(...[...runs, ...onValidation].map(({ config }) => workOf(config).peakBytes)),
    runMs: new Map(contenders.map(({ id, run }) => [id, forecast.estimateMs(run.config)])),
    prices: question.cells.flatMap((cell) =>
      cell.comparisons.map((comparison): Price => {
        const { of, against } = comparison;
        const pairs = folders.map((stored) => differencesIn(stored, of.run.config, against.run.config));
        const told = pairs.filter(({ length }) => length >= 2);
        const deviation = told.length > 0
          ? Math.sqrt(mean(told.map((some) => sampleDeviation(some) ** 2)))
          : null;
        const criterion = criterionOf(cell, question);
        const [one, other] = [forecast.estimateMs(of.run.config), forecast.estimateMs(against.run.config)];
        return {
          cell,
          comparison,
          deviation,
          stored: told.flat().length,
          same: deviation === null ? null : pairsToDecide(0, deviation, criterion),
          differ: deviation === null ? null : pairsToDecide(question.margin, deviation, criterion),
          pairMs: one === null || other === null ? null : one + other,
        };
      })
    ),
  };
}

/** Results of the sweeps that lie beside a folder. What can't be read, or may not be, has none. */
async function siblingsOf(out: string): Promise<RunResult[][]> {
  const slash = out.lastIndexOf("/"), parent = slash > 0 ? out.slice(0, slash) : slash === 0 ? "/" : ".";
  const own = out.slice(slash + 1), found: RunResult[][] = [];
  for (const name of await orNone(() => namesIn(parent))) {
    if (name === own) continue;
    found.push(await orNone(async () => [...(await openStore(`${parent}/${name}`).read()).results.values()]));
  }
  return found;
}

async function orNone<T>(read: () => Promise<readonly T[]>): Promise<T[]> {
  try {
    return [...await read()];
  } catch (error) {
    if (error instanceof UserError || system.faultOf(error) === "not allowed") return [];
    throw error;
  }
}

/** Differences of two methods' scores with the same seed, each at the rate that it was run at most. */
function differencesIn(stored: readonly RunResult[], ours: RunConfig, theirs: RunConfig): number[] {
  const [mine, other] = [ours, theirs].map((config) => scoresIn(stored, settingOf(config)));
  return [...mine!].flatMap(([seed, score]) => other!.has(seed) ? [score - other!.get(seed)!] : []);
}

function scoresIn(stored: readonly RunResult[], setting: string): ReadonlyMap<number, number> {
  const alike = stored.flatMap((result) =>
    result.status === "done" && result.config.scoreOn === "test" && settingOf(result.config) === setting
      ? [{ ...result.config, score: result.outcome.score }]
      : []
  );
  const byRate = [...Map.groupBy(alike, ({ schedule }) => schedule.learningRate).values()];
  const [most = []] = byRate.toSorted((a, b) => b.length - a.length);
  return new Map(most.map(({ seed, score }) => [seed, score]));
}

/** What a run's score depends on, but for rate and seed. */
function settingOf(config: RunConfig): string {
  const { task, model, optimizer, steps, batchSize, targetModules, alsoTrain, clip } = config;
  const { testSlice: _, testExamples: _tested, validationExamples: _validated, ...own } = task;
  return canonicalJson({ task: own, model, optimizer, steps, batchSize, targetModules, alsoTrain, clip });
}

/** What a question would take, for people. */
export function describeOutlook(
  { spec, margin, atLeast }: Question,
  { tuning, prices, pacesFrom }: SettleOutlook,
): string[] {
  const time = (ms: number | null) => ms === null ? "nobody knows how long" : `about ${formatDuration(ms)}`;
  const pairs = (count: number | null) => count === null ? "more pairs than are planned" : `${count} pairs`;
  const prepared = tuning.runs === 0
    ? "Rates: nothing is left to run"
    : `Rates: ${tuning.runs} runs or a few more, ${time(tuning.ms)}`;
  return [
    spec.question,
    prepared,
    ...prices.map(({ cell, comparison: { of, against }, deviation, stored, same, differ, pairMs }) => {
      const name = `${of.title} and ${against.title} on ${cell.title} at rank ${cell.rank}`;
      const each = pairMs === null ? "" : `, ${formatDuration(pairMs)} a pair`;
      if (deviation === null) {
        return `${name}: no stored runs tell how much pairs differ; the first ${atLeast} do${each}`;
      }
      const total = [same, differ].every((count) => count !== null) && pairMs !== null
        ? `, about ${formatDuration(Math.max(same!, differ!) * pairMs)}`
        : "";
      return `${name}: a pair's difference has a deviation of ${
        formatNumber(deviation)
      } (${stored} stored pairs). If nothing differs ${pairs(same)} decide it, if ${margin} does ${
        pairs(differ)
      }${each}${total}`;
    }),
    ...pacesFrom === null ? [] : [`Times are estimates from the paces of ${pacesFrom}`],
  ];
}

/** The same for programs. */
export function outlookToJson(
  { spec, margin }: Question,
  out: string,
  { tuning, prices, pacesFrom }: SettleOutlook,
) {
  return {
    question: spec.question,
    out,
    within: margin,
    tuning,
    prices: prices.map(({ cell, comparison: { of, against }, ...price }) => ({
      task: cell.task,
      rank: cell.rank,
      of: of.name,
      against: against.name,
      ...price,
    })),
    pacesFrom,
  };
}
