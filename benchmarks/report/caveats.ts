/** @file What a reader should hold against a report. */
import type { BaseResult, RunConfig, RunResult } from "../../training/run.ts";
import { nameSize, rankOf } from "../sweep/method.ts";
import type { Plan } from "../sweep/plan.ts";
import type { Findings } from "./answer/answer.ts";
import { formatCount, formatNumber, formatRange, formatRate } from "./format.ts";
import { farSeeds } from "../study/far_seeds.ts";
import type { Study } from "../study/study.ts";

/** What caveats are drawn from. */
export interface Circumstances {
  /** Null where the sweep's plan is lost: nobody can say then what is missing. */
  readonly plan: Plan | null;
  /** Results that the report is about. */
  readonly results: readonly RunResult[];
  /** Stored results that it leaves out. */
  readonly leftOut: number;
  /** Scores of base checkpoints in the store. */
  readonly bases?: readonly BaseResult[];
  /** Sentences about files that can't be used. */
  readonly faults: readonly string[];
  /** Names of files that were set aside. */
  readonly setAside: readonly string[];
}

/** A fitted step time that is off by more is worth a sentence. */
const MISFIT = 0.25;

/** Every caveat, in sentences. */
export function caveats(study: Study, findings: Findings, circumstances: Circumstances): string[] {
  const { plan, results, leftOut, bases = [], faults, setAside } = circumstances;
  const configs = plan?.runs.map(({ config }) => config) ?? results.map(({ config }) => config);
  const known = new Map(results.map((result) => [result.id, result]));
  const missing = plan?.runs.filter(({ id }) => !known.has(id)).map(({ config }) => nameOf(config)) ?? [];
  const failed = results.filter((result) => result.status === "failed");
  const diverged = results.filter((result) => result.status === "diverged");
  const edges = study.rates.filter((rate) => rate.atEdge);
  const commits = new Set(results.map((result) => result.environment.commit));
  const adapters = new Set(
    results.map((result) => `${result.environment.adapter} (${result.environment.backend})`),
  );
  const resized = configs.some(({ model }) => model.width !== undefined || model.layers !== undefined);
  const grid = study.cells.some((cell) => cell.grid.length > 1);
  const seeds = study.cells.map((cell) => cell.runs.length).filter((count) => count > 0);
  const unpaired = study.cells.filter((cell) =>
    new Set(cell.runs.map(({ outcome }) => outcome.scores.length)).size > 1
  );
  const growing = study.growth.map(({ task }) => task.title);
  const misfit = Math.max(
    0,
    ...study.growth.flatMap(({ methods }) => methods.map(({ time }) => time?.largestError ?? 0)),
  );
  const cold = results.filter((result) => result.status === "done" && result.outcome.cost.onlyFirstWindow);
  const unequal = study.cells.some((cell) => cell.runs.length !== study.cells[0]!.runs.length);
  return [
    ...(plan
      ? []
      : ["The sweep's plan (sweep.json) is missing or broken: runs that are missing can't be told."]),
    ...(growing.length > 0
      ? [
        `Runs of ${
          growing.join(" and ")
        } differ in the size of the model, and other sizes than its own start from random weights: they are ` +
        "about costs, their scores and losses mean nothing for fine-tuning.",
      ]
      : []),
    ...(misfit > MISFIT
      ? [
        `Fitted step times are off by up to ${
          (100 * misfit).toFixed(0)
        }%: other work on the machine, or growth that ` +
        "the model lacks. Times are worth most from a machine that does nothing else.",
      ]
      : []),
    ...(resized
      ? ["Models of other sizes than their checkpoints' start from seeded random weights: costs only."]
      : []),
    ...onTest(study, configs),
    ...list(missing, "run is missing", "runs are missing"),
    ...list(
      failed.map((result) => `${nameOf(result.config)} (${result.error})`),
      "run failed by a fault of ours and is left out",
      "runs failed by faults of ours and are left out",
    ),
    ...list(
      bases.flatMap((base) =>
        base.status === "failed" ? [`${base.config.model.id} on ${base.config.task.id} (${base.error})`] : []
      ),
      "base checkpoint could not be scored before fine-tuning, by a fault of ours",
      "base checkpoints could not be scored before fine-tuning, by faults of ours",
    ),
    ...list(
      diverged.map((result) => `${nameOf(result.config)} at step ${result.step}`),
      "run diverged and has no score",
      "runs diverged and have no score",
    ),
    ...(diverged.length > 0
      ? [
        "In tables and comparisons they count as what a model that learned nothing scores; charts of scores show the other " +
        "runs alone, and flatter methods that diverged.",
      ]
      : []),
    ...list(
      study.cells.flatMap((cell) =>
        farSeeds(cell).map(({ config, outcome }) => {
          const others = cell.runs.filter((run) => run.config !== config).map((run) => run.outcome.score);
          return `${nameOf(config)} (${formatNumber(outcome.score)}, others ${
            formatRange(others, formatNumber)
          })`;
        })
      ),
      "run's score is far from those of its method's other seeds, and counts",
      "runs' scores are far from those of their method's other seeds, and count",
    ),
    ...(unequal
      ? ["Methods have unequal numbers of finished runs: comparisons use the seeds that both have."]
      : []),
    ...faults,
    ...list(setAside, "broken file was set aside", "broken files were set aside"),
    ...study.leftOut.map(({ task, runs, difference }) =>
      `${formatCount(runs, "run")} on ${task.title} can't be compared with the others and ${
        runs === 1 ? "is" : "are"
      } left out: ${difference}.`
    ),
    ...(leftOut > 0 ? [`${formatCount(leftOut, "stored run")} of other settings left out.`] : []),
    ...list(
      edges.map((rate) =>
        `${rate.optimizer}${rate.rank === null ? "" : ` r${rate.rank}`} on ${rate.task} (${
          formatRate(rate.learningRate)
        })`
      ),
      "chosen rate is at the edge of its grid, a wider one may hold a better",
      "chosen rates are at the edge of their grids, wider ones may hold better",
    ),
    ...plan?.notes.map((note) => `${note}.`) ?? [],
    ...(grid
      ? ["Methods ran at several rates; each is shown at the one with the least validation loss."]
      : []),
    ...findings.protocol.caveats,
    ...(seeds.length > 0 && Math.max(...seeds) === 1
      ? ["One seed each: intervals are about new examples alone, another seed may turn every difference."]
      : []),
    ...list(
      unpaired.map((cell) => `${cell.method.label} on ${cell.task.title}`),
      "method's runs are scored on different numbers of examples and not paired",
      "methods' runs are scored on different numbers of examples and not paired",
    ),
    ...list(
      cold.map(({ config }) => nameOf(config)),
      "run was too short for a second window of steps: its time of a step holds the compilation of kernels that were new",
      "runs were too short for a second window of steps: their times of a step hold the compilation of kernels that were new",
    ),
    ...(adapters.size > 1
      ? [
        `Runs were made on different adapters, their times can't be compared: ${
          [...adapters].sort().join("; ")
        }.`,
      ]
      : []),
    ...(commits.size > 1 ? [`Runs were made by different commits: ${[...commits].sort().join(", ")}.`] : []),
  ];
}

/** What was trained on though it is published to test on. */
function onTest({ tasks }: Study, configs: readonly RunConfig[]): string[] {
  const asked = new Set(configs.flatMap(({ task }) => task.trainOnTest ? [task.id] : []));
  return tasks.filter(({ id }) => asked.has(id)).map(({ title }) =>
    `Runs on ${title} were trained on examples that are published to test on, as --train-on-test asked: their scores are ` +
    "of other examples of that set, and are not to be compared with published ones."
  );
}

/** A run in a few words. */
function nameOf(config: RunConfig): string {
  const rank = rankOf(config.optimizer);
  return `${config.task.id} ${config.optimizer.id}${rank === null ? "" : ` r${rank}`}${nameSize(config)} at ${
    formatRate(config.schedule.learningRate)
  }, seed ${config.seed}`;
}

function list(items: readonly string[], one: string, many: string): string[] {
  if (items.length === 0) return [];
  const shown = items.slice(0, 12).join("; ");
  const more = items.length > 12 ? `; and ${items.length - 12} more` : "";
  return [`${items.length} ${items.length === 1 ? one : many}: ${shown}${more}.`];
}
