/** @file A question that is settled: which methods are compared on which tasks, at which ranks, within what margin. */
import { UserError } from "../../errors/user_error.ts";
import { canonicalJson } from "../../files/canonical_json.ts";
import type { Registries } from "../../training/configuration.ts";
import { lookup } from "../../training/lookup.ts";
import { openFolders, type ResolvedRun, resolveRuns } from "../../training/resolve/resolve.ts";
import { recordId, type RunConfig } from "../../training/run.ts";
import type { TaskData } from "../../tasks/task.ts";
import { readDuration } from "../cost/estimate.ts";
import { type ChosenRates, filesOf, modulesOf, rateFor } from "../rates/rates.ts";
import { FEWEST_PAIRS, LOOKS } from "../statistics/looks.ts";
import { MOST_COMPARISONS } from "../statistics/sequential.ts";
import { tellValue, titleOfField, type Varied } from "../sweep/axes.ts";
import { labelMethods, methodKey, rankOf } from "../sweep/method.ts";
import { describeFiles } from "../sweep/expand_runs.ts";
import { draftRuns, type SweepSpec } from "../sweep/sweep.ts";

/** Seed of the first scored pair: those below are for choosing rates. */
export const FIRST_SEED = 1000;

/** Seeds that rates are chosen with, where nobody says which. */
const TUNING_SEEDS = [900, 901, 902];

/** Where a method's grid of rates begins that nobody ever tuned. */
const UNKNOWN_RATE = 1e-3;

/** What was typed. */
export interface Asked {
  readonly methods: readonly string[];
  readonly against?: string;
  readonly tasks: readonly string[];
  readonly ranks: readonly number[];
  readonly within: number;
  readonly budget: string;
  readonly atLeast?: number;
}

/** A method of a question, on one task at one rank. */
export interface Contender {
  /** As it was asked for; with its options where two are of one method. */
  readonly name: string;
  /** For people. */
  readonly title: string;
  /** Its run but for rate, seed and slice of test examples, and its name. */
  readonly run: ResolvedRun;
  readonly id: string;
  /** Rates that are tried at first, ascending. */
  readonly rates: readonly number[];
}

/** Two methods of a cell. */
export interface Comparison {
  readonly of: Contender;
  readonly against: Contender;
}

/** One task at one rank: what is judged together. */
export interface Cell {
  readonly task: string;
  readonly taskTitle: string;
  /** With what is varied. */
  readonly title: string;
  readonly rank: number;
  /** What of its runs is varied; empty where nothing is, or where its contenders differ in just that. */
  readonly varied: Varied;
  readonly contenders: readonly Contender[];
  readonly comparisons: readonly Comparison[];
  /** What a run that diverged counts as: the score and the loss of guessing. */
  readonly chance: { readonly score: number; readonly loss: number };
  /** How many test examples there are; null where all pairs have the same. */
  readonly pool: number | null;
}

/** A question, ready to be settled. */
export interface Question {
  readonly spec: SweepSpec;
  readonly cells: readonly Cell[];
  /** The largest difference that counts as none. */
  readonly margin: number;
  /** Fewest pairs that decide. */
  readonly atLeast: number;
  /** Most pairs that are run. */
  readonly atMost: number;
  readonly budgetMs: number;
  /** Seeds that rates are chosen with. */
  readonly tuningSeeds: readonly number[];
  readonly notes: readonly string[];
}

/**
 * The sweep of a question: tasks with their shipped settings, validated ten times a run.
 *
 * @throws {UserError} for unknown tasks and methods
 */
export function specOf(
  { methods, against, tasks, ranks, within, budget, atLeast }: Asked,
  registries: Registries,
): SweepSpec {
  const all = [...new Set([...methods, ...against === undefined ? [] : [against]])];
  const slug = [...all, "on", ...tasks, ...ranks.map((rank) => `r${rank}`), "within", within].join("-");
  const [first, ...others] = against === undefined ? all : [against, ...methods];
  return {
    name: `settle-${slug.replaceAll(/[^a-z0-9]+/g, "-")}`,
    question: `On ${tasks.join(", ")} at rank ${ranks.join(", ")}: how does ${first} compare with ${
      others.join(", ")
    }, where differences up to ${within} count as none?`,
    base: {
      targetModules: ["*"],
      steps: 100,
      batchSize: 32,
      accumulate: 1,
      schedule: { kind: "cosine", warmup: 8, floor: 0 },
      clip: 1,
      validateEvery: 10,
      telemetryEvery: 0,
      scoreOn: "test",
    },
    tasks: tasks.map((id) => {
      const { shipped } = lookup("task", registries.tasks, id);
      return {
        task: { id },
        ...(shipped && { validateEvery: Math.max(1, Math.round(shipped.steps / 10)) }),
      };
    }),
    optimizers: all.map((id) => ({ id })),
    rates: { chosenBy: "tune" },
    ranks: [...ranks],
    seeds: TUNING_SEEDS,
    settle: {
      within,
      budget,
      ...(against !== undefined && { against }),
      ...(atLeast !== undefined && { atLeast }),
    },
  };
}

/**
 * The question of a sweep as `override()` gave it, held against what there is.
 *
 * @param chosen rates to begin at; null where every method states its own
 * @param areRatesGiven true where these are taken as they are
 * @throws {UserError} where a run of it can't be made, and where it is none that can be settled
 * @throws {DataError} where data can't be read
 * @throws {CheckpointError} where a model's folder can't be read
 */
export async function askQuestion(
  spec: SweepSpec,
  registries: Registries,
  chosen: ChosenRates | null,
  areRatesGiven: boolean,
): Promise<Question> {
  const { settle, name, seeds } = spec;
  const validate = (reason: string) => new UserError(`Cannot settle sweep "${name}": ${reason}`);
  if (!settle) throw validate(`it has no "settle"`);
  if (spec.search) throw validate(`"search" is for sweeps of another kind`);
  if (spec.base.scoreOn !== "test") throw validate(`"scoreOn" is "${spec.base.scoreOn}", "test" is needed`);
  if (seeds.some((seed) => seed >= FIRST_SEED)) {
    throw validate(`its seeds choose rates and are never scored, ${FIRST_SEED} is the first that is scored`);
  }
  const choices = spec.tasks.flatMap(({ task, model }) => model ? [{ task, model }] : []);
  const known = await openFolders(choices, registries);
  const { drafts, notes } = draftRuns(spec, known);
  const runs = await resolveRuns(drafts.map(({ config }) => config), known);
  const labels = labelMethods(runs.map(({ config }) => config.optimizer), known);
  const said = new Set([...notes, ...await describeFiles(runs)]);
  const cells: Cell[] = [];
  // Of one method its variations are compared; of several the methods at each variation.
  const isOfOne = new Set(drafts.map(({ method }) => method)).size === 1;
  const variations = isOfOne ? [null] : unique(drafts.map(({ varied }) => varied), canonicalJson);
  for (const task of new Set(runs.map(({ config }) => config.task.id))) {
    for (const rank of spec.ranks) {
      for (const varied of variations) {
        const own = [...runs.keys()].filter((i) =>
          runs[i]!.config.task.id === task && drafts[i]!.rank === rank &&
          // A rank among a method's own options is its only one.
          (Object.keys(drafts[i]!.varied).length > 0 ||
            [rank, null].includes(rankOf(runs[i]!.config.optimizer))) &&
          (varied === null || canonicalJson(drafts[i]!.varied) === canonicalJson(varied))
        );
        // What a variation leaves as it is comes up once.
        const once = unique(own, (i) => canonicalJson(runs[i]!.config));
        const contenders = await Promise.all(once.map(async (i): Promise<Contender> => {
          const run = runs[i]!, { id } = run.config.optimizer, key = methodKey(run.config.optimizer);
          const twins = once.filter((j) => runs[j]!.config.optimizer.id === id);
          const namesakes = once.filter((j) => runs[j]!.method.title === run.method.title);
          const rates = ratesOf(
            run.config,
            drafts[i]!.method.learningRates ?? null,
            chosen,
            areRatesGiven,
            said,
          );
          const told = varied === null ? tellVaried(drafts[i]!.varied) : "";
          const label = `${told === "" ? labels.get(key)! : run.method.title}${told}`;
          return {
            run,
            name: twins.length > 1 ? told === "" ? isOfOne ? id : labels.get(key)! : `${id}${told}` : id,
            title: namesakes.length > 1
              ? isOfOne && told === "" ? run.method.title : label
              : run.method.title,
            id: await recordId(run.config),
            rates,
          };
        }));
        cells.push(await cellOf(contenders, rank, varied ?? {}, settle.against ?? null, validate));
      }
    }
  }
  return {
    spec,
    cells,
    margin: settle.within,
    atLeast: settle.atLeast ?? FEWEST_PAIRS,
    atMost: settle.atMost ?? LOOKS.at(-1)!,
    budgetMs: readDuration(settle.budget)!,
    tuningSeeds: seeds,
    notes: [...said],
  };
}

/**
 * The question's sweep with every rate stated that its methods are tried at first, for whoever asks it elsewhere: the same
 * runs follow, whichever rates ship there. Null where a method begins at several grids of rates: on several tasks, say.
 */
export function statedSpec({ spec, cells }: Question): SweepSpec | null {
  const contenders = cells.flatMap((cell) => cell.contenders);
  const optimizers = spec.optimizers.flatMap((method) => {
    const own = contenders.filter(({ run: { config } }) => config.optimizer.id === method.id);
    const grids = unique(own.map(({ rates }) => rates), canonicalJson);
    return grids.length === 1 ? [{ ...method, learningRates: [...grids[0]!] }] : [];
  });
  return optimizers.length === spec.optimizers.length ? { ...spec, optimizers } : null;
}

/** ", batch size 8"; nothing where nothing is varied. */
export function tellVaried(varied: Varied): string {
  return Object.entries(varied).map(([name, value]) => `, ${titleOfField(name)} ${tellValue(value)}`).join(
    "",
  );
}

function unique<T>(values: readonly T[], keyOf: (value: T) => string): T[] {
  return [...new Map(values.map((value) => [keyOf(value), value])).values()];
}

async function cellOf(
  contenders: readonly Contender[],
  rank: number,
  varied: Varied,
  against: string | null,
  validate: (reason: string) => UserError,
): Promise<Cell> {
  const [first] = contenders, { config, task, model } = first!.run;
  const reference = against === null
    ? null
    : contenders.find(({ run }) => run.config.optimizer.id === against);
  if (reference === undefined) throw validate(`"against" is "${against}", which is none of its methods`);
  const others = contenders.filter((one) => one !== (reference ?? first));
  if (others.length === 0) {
    throw validate(`${first!.name} has nothing to be compared with on ${config.task.id}`);
  }
  if (others.length > MOST_COMPARISONS) {
    throw validate(`it compares ${others.length} pairs at a time, ${MOST_COMPARISONS} is the most`);
  }
  // Loaded when needed: what reads texts and images is not needed to list and to report.
  const { loadExamples } = await import("../../training/resolve/examples.ts");
  const data: TaskData = await loadExamples(task, model, config);
  const isReal = config.task.data !== undefined;
  const taskTitle = isReal ? data.source?.title ?? task.title : task.title;
  return {
    task: config.task.id,
    taskTitle,
    title: `${taskTitle}${tellVaried(varied)}`,
    rank,
    varied,
    contenders,
    comparisons: others.map((one) =>
      reference ? { of: one, against: reference } : { of: first!, against: one }
    ),
    chance: {
      score: isReal ? data.commonest?.("test") ?? 0 : task.metric.chance,
      loss: Math.log(data.needs.outputs),
    },
    pool: data.testPool ?? null,
  };
}

/** The rates that a method is tried at first: those that are stated, or the chosen one, half and twice it. */
function ratesOf(
  { task, model, optimizer, steps }: RunConfig,
  stated: readonly number[] | null,
  chosen: ChosenRates | null,
  areRatesGiven: boolean,
  notes: Set<string>,
): readonly number[] {
  if (stated) return [...new Set(stated)].sort((a, b) => a - b);
  const use = chosen && rateFor(chosen, {
    task: task.id,
    model: model.id,
    ...filesOf({ task, model }),
    ...modulesOf({ task, model, optimizer }),
    ...(optimizer.module && { file: optimizer.module.path }),
    optimizer,
    rank: rankOf(optimizer),
    steps,
  });
  if (areRatesGiven && !use) {
    throw new UserError(
      `Cannot take the rate of "${optimizer.id}" on "${task.id}": sweep "${chosen?.sweep}" chose none`,
    );
  }
  if (areRatesGiven) return [use!.rate.learningRate];
  if (!use) notes.add(`"${optimizer.id}" was never tuned: its search for a rate begins at ${UNKNOWN_RATE}`);
  const middle = use?.rate.learningRate ?? UNKNOWN_RATE;
  return [middle / 2, middle, 2 * middle];
}
