/** @file A grid of runs as written in `sweeps/*.json`, and the list of runs that it stands for. */
import { z } from "zod";
import { allOptions, completeConfig, type Registries } from "../../training/configuration.ts";
import { lookup } from "../../training/lookup.ts";
import { canonicalJson } from "../../files/canonical_json.ts";
import { OptionValues, RunConfig, Schedule } from "../../training/schemas.ts";
import { RefusedOptions, UserError } from "../../errors/user_error.ts";
import { plainPath, portableName } from "../../files/hub_place.ts";
import { GpuRates } from "../cost/growth/predict.ts";
import { FEWEST_PAIRS, LOOKS } from "../statistics/looks.ts";
import {
  type Equal,
  EQUALS,
  isField,
  setField,
  tellValue,
  titleOfField,
  validateAxes,
  type Varied,
  Vary,
} from "./axes.ts";
import { atEqual } from "./equal.ts";
import { rankOf } from "./method.ts";
import { questionOf } from "./question.ts";
import { withSteps } from "./steps.ts";
import {
  type ChosenRate,
  type ChosenRates,
  describeMissing,
  describeRates,
  filesOf,
  missingRates,
  modulesOf,
  rateFor,
  type RateQuery,
  type RateUse,
} from "../rates/rates.ts";

const learningRate = z.number().positive();

/** What all runs of a sweep, or of one task of it, share. The rate is stated elsewhere. */
export const SweepBase = z.strictObject({
  ...RunConfig.omit({ schema: true, task: true, model: true, optimizer: true, seed: true }).shape,
  schedule: Schedule.omit({ learningRate: true }),
});
export type SweepBase = z.infer<typeof SweepBase>;

/** What stands for every registered task or method that a sweep doesn't name itself. */
export const ALL = "*";

/**
 * A task of a sweep, or with the id "*" all that the sweep doesn't name: new ones take part as they come. Fields of the
 * base may be given again: they hold for this task. Where the model or an amount of examples is left out, the task runs
 * with the settings that it ships: model, amounts, steps and batch size are its own, unless the entry gives them.
 */
export const SweepTask = z.strictObject({
  ...SweepBase.partial().shape,
  task: z.strictObject({
    ...RunConfig.shape.task.partial().shape,
    id: z.union([z.literal(ALL), RunConfig.shape.task.shape.id]),
  }),
  model: RunConfig.shape.model.exactOptional(),
});
export type SweepTask = z.infer<typeof SweepTask>;

/** A task of a sweep that leaves nothing out. */
type WholeTask = Omit<SweepTask, "task" | "model"> & Pick<z.infer<typeof RunConfig>, "task" | "model">;

/** A method of a sweep, or with the id "*" all that the sweep doesn't name: new ones take part as they come. */
export const SweepOptimizer = z.strictObject({
  id: z.union([z.literal(ALL), RunConfig.shape.optimizer.shape.id]),
  /** Win over the method's defaults. */
  options: OptionValues.optional(),
  /** Learning rates, all of which are run. Win over the sweep's `rates`. */
  learningRates: z.array(learningRate).min(1).optional(),
});
export type SweepOptimizer = z.infer<typeof SweepOptimizer>;

/** The largest difference between scores that counts as none: above 0, at most 1. */
export const Margin = z.number().positive().max(1);

/** How a sweep's methods are compared until each comparison is decided, see docs/settle.md. */
export const Settle = z.strictObject({
  /** The method that all others are compared with; where absent, the first is compared with each of the others. */
  against: RunConfig.shape.optimizer.shape.id.exactOptional(),
  within: Margin,
  /** Time for all runs together, those of earlier commands among them, e.g. "30m". */
  budget: z.string().regex(/^(\d+\.?\d*|\.\d+)[smh]$/, "a time such as 90s, 30m or 2h is needed"),
  /** Fewest pairs that decide; 4 where absent. */
  atLeast: z.int().min(FEWEST_PAIRS).max(LOOKS.at(-1)!).exactOptional(),
  /** Most pairs that are run; 128 where absent. */
  atMost: z.int().min(FEWEST_PAIRS).max(LOOKS.at(-1)!).exactOptional(),
});
export type Settle = z.infer<typeof Settle>;

/** A grid of runs. */
export const SweepSpec = z.strictObject({
  name: RunConfig.shape.task.shape.id,
  /** The question that the sweep answers; the report opens with it. */
  question: z.string().min(1),
  base: SweepBase,
  tasks: z.array(SweepTask).min(1),
  optimizers: z.array(SweepOptimizer).min(1),
  /**
   * Where learning rates come from for methods without `learningRates`, those among them that join the sweep: one or
   * several for all, or those that a tuning sweep chose (from `<name>.chosen.json` beside the sweeps).
   */
  rates: z.union([
    z.strictObject({ shared: z.union([learningRate, z.array(learningRate).min(1)]) }),
    z.strictObject({ chosenBy: z.string() }),
  ])
    .optional(),
  /**
   * Set the option "rank" of every method that has one. A method is left out, with a note, at ranks that it refuses, as
   * long as it takes another of them.
   */
  ranks: z.array(z.int()).min(1),
  /**
   * Fields that every run is repeated with, at each of these values, one field at a time and the others as they are: see
   * axes.ts for their names. A model of another width or number of layers starts from random weights, see `RunConfig.model`.
   */
  vary: Vary.exactOptional(),
  /**
   * What stays as it is while a field varies: "examples", so that steps shrink as batches grow, and "parameters", so that
   * the rank is the one at which a method trains about as many numbers as it does with the sweep's own settings.
   */
  equal: z.array(z.enum(EQUALS)).min(1).exactOptional(),
  /** The GPU that the report of a sweep which varies sizes predicts the paper's sizes for. */
  gpu: GpuRates.exactOptional(),
  seeds: z.array(RunConfig.shape.seed).min(1),
  /** Files that bring methods, tasks and models, as `--with` names them: from the folder of the sweep's file. */
  with: z.array(z.string().min(1)).exactOptional(),
  /** The margin of the report's verdict “same”; 0.02 where none is given. */
  within: Margin.exactOptional(),
  /**
   * Present where only those of each method's `learningRates` are run that a search for the best asks for
   * (benchmarks/rates/search.ts). With batch sizes or steps, each of them is searched, and the best one is chosen with its rate.
   */
  search: z.union([
    z.literal(true),
    z.strictObject({
      batchSize: z.array(z.int().min(1)).min(1).exactOptional(),
      steps: z.array(z.int().min(1)).min(1).exactOptional(),
    }),
  ]).exactOptional(),
  /** Present where methods are compared until it is decided. The sweep's seeds are then those that rates are chosen with. */
  settle: Settle.exactOptional(),
});
export type SweepSpec = z.infer<typeof SweepSpec>;

/** What the command line may change about a sweep. */
export interface SweepOverrides {
  readonly tasks?: readonly string[];
  readonly optimizers?: readonly string[];
  readonly ranks?: readonly number[];
  readonly learningRates?: readonly number[];
  readonly seeds?: readonly number[];
  /** Also scales the warm-up and the steps between validations and measurements. */
  readonly steps?: number;
  /** Fields and their values, which take the place of those that the sweep varies. */
  readonly vary?: Vary;
  /** What stays as it is while they vary, in place of what the sweep says. */
  readonly equal?: readonly Equal[];
  /** Which linear maps are adapted, for every task: patterns, or names as PEFT has them. */
  readonly targets?: readonly string[];
  /** What is trained itself beside them, for every task. */
  readonly alsoTrain?: readonly string[];
  /** How runs save memory, for every task; what is not named stays. */
  readonly memory?: NonNullable<RunConfig["memory"]>;
  /** Path of a text that forgetting is told by, for every task. */
  readonly retain?: string;
  /** Steps of Lanczos' method by which the sharpness of each run's start is taken, for every task. */
  readonly sharpness?: number;
  /** Path of real data for every task that is left. */
  readonly data?: string;
  /** How the data are read, where they are the user's own. */
  readonly layout?: NonNullable<RunConfig["task"]["layout"]>;
  /** True where what the data publishes to test on is to be trained on. */
  readonly trainOnTest?: true;
  /** Counts of examples for every task that is left. */
  readonly examples?: Pick<RunConfig["task"], "trainExamples" | "validationExamples" | "testExamples">;
  /** The folder of the model that every task which is left begins with. */
  readonly model?: string;
  /** The folder of an adapter that every model which is left begins with. */
  readonly adapter?: string;
  /** The folder of a tuning sweep, whose choice takes the place of the sweep's rates. */
  readonly rates?: string;
  /** What predictions are for. */
  readonly gpu?: GpuRates;
  /** True differences of scores of less, either way, are the same. */
  readonly within?: number;
}

/** The runs of a sweep. */
export interface Expansion {
  /** Complete, in the order in which they should run: a part of them, from the front, already says something. */
  readonly configs: readonly RunConfig[];
  /** The tuned rates in use. */
  readonly rates: readonly ChosenRate[];
  /** What to know before trusting the runs: methods that are left out at some ranks, rates that were tuned otherwise. */
  readonly notes: readonly string[];
}

/**
 * The sweep with the command line's changes. Methods from files join it, and so do tasks from files with the settings that
 * they ship.
 *
 * @throws {UserError} for names that the registries don't have, and for a task that neither the sweep nor itself gives
 * settings
 */
export function override(spec: SweepSpec, overrides: SweepOverrides, registries: Registries): SweepSpec {
  const {
    tasks,
    optimizers,
    ranks,
    learningRates,
    seeds,
    steps,
    vary,
    equal,
    targets,
    alsoTrain,
    memory,
    retain,
    sharpness,
    data,
    layout,
    trainOnTest,
    examples,
    model,
    adapter,
    gpu,
    within,
  } = overrides;
  const allTasks = [...tasksOf(spec, registries), ...ownTasks(spec, registries)];
  // What the sweep doesn't name joins, so that a new one can be tried at once: a task as it ships, a method with its defaults.
  const chosenTasks = tasks?.flatMap((id) => {
    lookup("task", registries.tasks, id);
    const entries = allTasks.filter(({ task }) => task.id === id);
    return entries.length > 0 ? entries : [asShipped(spec, { task: { id } }, id, registries)];
  });
  const all = methodsOf(spec, registries), grid = gridOf(all);
  for (const { id } of ownOf(registries.optimizers, registries)) {
    if (!all.some((entry) => entry.id === id)) all.push({ id, ...grid });
  }
  const chosenOptimizers: SweepOptimizer[] | undefined = optimizers?.flatMap((id) => {
    lookup("optimizer", registries.optimizers, id);
    const entries = all.filter((entry) => entry.id === id);
    return entries.length > 0 ? entries : [{ id, ...grid }];
  });
  const titled = (entries: readonly SweepOptimizer[]) =>
    [...new Set(entries.map(({ id }) => id))].map((id) => {
      const found = Object.values(registries.optimizers).find((one) => one.id === id);
      return { id, title: found?.title ?? id };
    });
  const trained = (before: { readonly memory?: RunConfig["memory"] }) => ({
    ...(memory && { memory: { ...before.memory, ...memory } }),
    ...(targets && { targetModules: [...targets] }),
    ...(alsoTrain && { alsoTrain: [...alsoTrain] }),
    ...(retain !== undefined && { retain: { path: retain } }),
    ...(sharpness !== undefined && { sharpness }),
  });
  return {
    ...spec,
    question: questionOf(spec.question, titled(all), titled(chosenOptimizers ?? all)),
    base: { ...withSteps(spec.base, steps), ...trained(spec.base) },
    tasks: (chosenTasks ?? allTasks).map((entry) => ({
      ...entry,
      ...(steps !== undefined && withSteps(baseOf(spec, entry), steps)),
      ...trained(baseOf(spec, entry)),
      task: {
        ...entry.task,
        ...examples,
        ...(data !== undefined && { data }),
        // What the schema reads could be changed, which nobody does.
        ...(layout && { layout: layout as NonNullable<SweepTask["task"]["layout"]> }),
        ...(trainOnTest && { trainOnTest }),
      },
      ...(model !== undefined || adapter !== undefined) && {
        model: {
          ...model === undefined ? entry.model : { ...headOf(entry), ...modelAt(model, registries.models) },
          ...(adapter !== undefined && { adapter: { path: adapter } }),
        },
      },
    })),
    optimizers: (chosenOptimizers ?? all).map((entry) =>
      learningRates ? { ...entry, learningRates: [...learningRates] } : entry
    ),
    ranks: [...ranks ?? spec.ranks],
    seeds: [...seeds ?? spec.seeds],
    ...(vary && { vary }),
    ...(equal && { equal: [...equal] }),
    ...(gpu && { gpu }),
    ...(within !== undefined && { within }),
  };
}

/** Entries that a file of the user's brought, or a program. */
function ownOf<T>(entries: Readonly<Record<string, T>>, { own }: Registries): T[] {
  return Object.values(entries).filter((entry) => own?.has(entry));
}

/** Tasks from files that the sweep doesn't name and that ship settings; others run where it names them, with settings. */
function ownTasks(spec: SweepSpec, registries: Registries): WholeTask[] {
  const named = new Set(tasksOf(spec, registries).map(({ task }) => task.id));
  return ownOf(registries.tasks, registries)
    .filter(({ id, shipped }) => shipped && !named.has(id))
    .map(({ id }) => asShipped(spec, { task: { id } }, id, registries));
}

/** The rates that all methods of a sweep are run at, where they are the same: one that joins is run at them too. */
function gridOf(methods: readonly SweepOptimizer[]): Pick<SweepOptimizer, "learningRates"> {
  const [first] = methods,
    isSame = (other: SweepOptimizer) => String(other.learningRates) === String(first?.learningRates);
  return first?.learningRates && methods.every(isSame) ? { learningRates: first.learningRates } : {};
}

/** What a model from the command line leaves as the sweep has it. */
function headOf({ model: { head } }: WholeTask): Pick<RunConfig["model"], "head"> {
  return head === undefined ? {} : { head };
}

/** The choice of a model by a folder, or by the name of a registered one whose weights are brought when they are asked for. */
export function modelAt(place: string, models: Registries["models"]): RunConfig["model"] {
  if (Object.values(models).some(({ id, locate }) => id === place && locate)) return { id: place };
  return { id: nameOf(place), path: place };
}

/** The name of a model in a folder: that of the folder, or of the Hub's repository, as names are written. */
export function nameOf(folder: string): string {
  const [last = ""] = plainPath(folder).split("/").filter((part) => part !== "" && part !== ".").slice(-1);
  return last.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-").replaceAll(/^-|-$/g, "") || "model";
}

/** The tuning sweep whose choice is needed to expand this one; null where every method's rates are stated. */
export function ratesNeeded(spec: SweepSpec): string | null {
  const stated = spec.optimizers.every((entry) => entry.learningRates);
  return !stated && spec.rates && "chosenBy" in spec.rates ? spec.rates.chosenBy : null;
}

/** A run of a sweep before its rate and its seed are known. */
export interface Draft {
  /** Complete, at a peak of 1 and the sweep's first seed. */
  readonly config: RunConfig;
  /** What the sweep says of its method. */
  readonly method: SweepOptimizer;
  /** Which of the sweep's ranks it is listed for: a method without ranks is for all, and equal parameters take another. */
  readonly rank: number;
  /** What of it is varied; empty where nothing is. */
  readonly varied: Varied;
}

/** A sweep's drafts. */
export interface Drafts {
  /** In the order in which their runs should run. */
  readonly drafts: readonly Draft[];
  /** Methods that are left out at some ranks, and those that come to something else than they are for. */
  readonly notes: readonly string[];
}

/**
 * Lists a sweep's runs: seed outermost, then task, rank, varied field, method and rate. Methods without a rank come out equal for
 * every rank, and equal configs are one run: full fine-tuning needs no rule of its own. A method that refuses some of the
 * ranks is left out there, and a note says so.
 *
 * @param chosen the rates that `ratesNeeded` names
 * @param standIn the rate at which runs are listed whose rate is missing, which costs do not depend on; where absent,
 * missing rates are refused
 * @throws {UserError} for configs that a run would refuse, for ranks that no method takes, for methods that take no rank,
 * and for methods without a rate
 */
export function expand(
  spec: SweepSpec,
  registries: Registries,
  chosen: ChosenRates | null = null,
  standIn?: number,
): Expansion {
  return takeRates(spec, draftRuns(spec, registries), chosen, standIn);
}

/**
 * The first half of `expand`: all but rates and seeds.
 *
 * @throws {UserError} for configs that a run would refuse, for fields that can't vary, for ranks that no method takes, and for
 * methods that take no rank
 */
export function draftRuns(spec: SweepSpec, registries: Registries): Drafts {
  validateTwoSources(spec);
  const drafts: Draft[] = [], attempts: RankAttempt[] = [], [seed] = spec.seeds;
  const tasks = tasksOf(spec, registries), methods = methodsOf(spec, registries);
  validateAxes(spec.vary ?? {}, spec.equal ?? [], optionsOf(methods, registries), spec.ranks);
  const variations = variationsOf(spec), named = new Set(spec.optimizers.map(({ id }) => id));
  for (const entry of tasks) {
    for (const rank of spec.ranks) {
      for (const varied of variations) {
        for (const method of methods) {
          const config = draftRun(spec, entry, method, rank, varied, seed!, registries);
          const { rank: other, ...rest } = varied, asked = typeof other === "number" ? other : rank;
          const attempt = {
            ...{ task: entry.task.id, method, isNamed: named.has(method.id), rank: asked },
            varied: tellVaried(rest),
          };
          if (config instanceof RefusedOptions) {
            attempts.push({ ...attempt, hasRank: true, refusal: config });
            continue;
          }
          attempts.push({ ...attempt, hasRank: rankOf(config.optimizer) !== null, refusal: null });
          drafts.push({ config, method, rank, varied });
        }
      }
    }
  }
  return { drafts, notes: [...describeRefusals(attempts), ...describeNotices(drafts, registries)] };
}

/**
 * The second half of `expand`: each draft at its rates, and all of them with each seed.
 *
 * @throws {UserError} for methods without a rate
 */
export function takeRates(
  spec: SweepSpec,
  { drafts, notes: refusals }: Drafts,
  chosen: ChosenRates | null = null,
  standIn?: number,
): Expansion {
  const configs = new Map<string, RunConfig>();
  const uses: RateUse[] = [], missing: RateQuery[] = [];
  for (const { config: draft, method } of drafts) {
    const found = learningRatesOf(spec, method, draft, chosen, standIn);
    if (found.use) uses.push(found.use);
    if (found.missing) missing.push(found.missing);
    const sized = withChosenSizes(draft, found.use?.rate);
    for (const value of found.learningRates) {
      const config = withLearningRate(sized, value);
      configs.set(canonicalJson(config), config);
    }
  }
  if (chosen && missing.length > 0 && standIn === undefined) throw missingRates(chosen, missing);
  const rates = new Set(uses.map(({ rate }) => rate));
  const notes = [
    ...spec.search ? [SEARCH_NOTE] : [],
    ...chosen && missing.length > 0
      ? [
        `Rates are missing: sweep "${chosen.sweep}" chose none for ${
          describeMissing(chosen, missing)
        }; listed at ${standIn}, and to be run only once they are chosen or stated`,
      ]
      : [],
    ...refusals,
    ...describeRates(uses),
    ...describeTransfer(spec, uses),
    ...describeFolders(spec, uses),
    ...describeAlsoTrained(drafts, uses),
    ...describePrecisions(drafts, uses),
  ];
  // Those of the other seeds differ from these in the seed alone.
  const all = [...new Set(spec.seeds)].flatMap((seed) =>
    Array.from(configs.values(), (config) => ({ ...config, seed }))
  );
  return { configs: all, rates: [...rates], notes };
}

/** What a plan says whose runs are searched. */
const SEARCH_NOTE =
  "Rates are searched: of each method's grid three are run with the first seed, then the neighbours of the best until " +
  "none is better; then the best and its neighbours with every seed";

/** A method asked to take a rank. */
interface RankAttempt {
  readonly task: string;
  readonly method: SweepOptimizer;
  /** False for methods that "*" stands for. */
  readonly isNamed: boolean;
  /** False for methods without ranks, to which all are the same. */
  readonly hasRank: boolean;
  readonly rank: number;
  /** What else of it is varied, in words; empty where nothing is. */
  readonly varied: string;
  /** Null where the method takes the rank. */
  readonly refusal: RefusedOptions | null;
}

/**
 * Which methods are left out at which ranks, and of those that "*" stands for, on which tasks; where others of a method's runs at
 * a rank are made, which are not.
 *
 * @throws {RefusedOptions} where a method that the sweep names refuses every rank, so that something else is wrong with it too,
 * and where every method that has ranks refuses one
 */
function describeRefusals(attempts: readonly RankAttempt[]): string[] {
  const notes = attempts.flatMap(({ task, method, isNamed, rank, varied, refusal }) => {
    if (!refusal) return [];
    const taken = attempts.filter((other) => other.task === task && other.hasRank && !other.refusal);
    const own = taken.filter((other) => other.method === method);
    const fitsRank = taken.some((other) => other.rank === rank);
    if (!fitsRank || (own.length === 0 && isNamed)) throw refusal;
    const beside = own.filter((other) => other.rank === rank).map((other) => other.varied);
    const isOfRank = beside.length === 0 ? own.length > 0 : own.some((other) => other.varied === varied);
    const which = beside.length === 0
      ? ""
      : beside.includes("")
      ? ` with ${varied}`
      : ` except with ${[...new Set(beside)].join(" or ")}`;
    return [
      `"${method.id}" is left out${
        isOfRank ? ` at rank ${rank}` : ""
      } on ${task}${which}: ${refusal.refusal}`,
    ];
  });
  return [...new Set(notes)];
}

/** What is varied, in words, e.g. "batch size 8". */
function tellVaried(varied: Varied): string {
  return Object.entries(varied).map(([name, value]) => `${titleOfField(name)} ${tellValue(value)}`).join(
    ", ",
  );
}

/** What methods say of their runs. */
function describeNotices(drafts: readonly Draft[], { optimizers }: Registries): string[] {
  const notes = drafts.flatMap(({ config }) => {
    const { task, optimizer: { id }, steps } = config, module = lookup("optimizer", optimizers, id);
    const notice = module.notice?.(allOptions(module, config), steps) ?? null;
    return notice === null ? [] : [`"${id}" on ${task.id} ${notice}`];
  });
  return [...new Set(notes)];
}

/** Which tuned rates are used on data that they were not tuned on. */
function describeTransfer({ tasks }: SweepSpec, uses: readonly RateUse[]): string[] {
  const tuned = new Set(
    uses.filter(({ query, rate }) => rate.task === query.task && rate.dataFingerprint === undefined)
      .map(({ query }) => query.task),
  );
  const real = tasks.filter(({ task }) => task.data !== undefined && tuned.has(task.id));
  return [
    ...new Set(
      real.map(({ task: { id, data } }) =>
        `Rates for "${id}" were tuned on the task's own data, not on ${portableName(data!)}`
      ),
    ),
  ];
}

/** Reports tell runs apart by task, so a task has one source of data in a sweep. */
function validateTwoSources({ name, tasks }: SweepSpec): void {
  for (const { task } of tasks) {
    const isOther = (other: typeof task) =>
      other.data !== task.data || other.trainOnTest !== task.trainOnTest;
    if (tasks.some((other) => other.task.id === task.id && isOther(other.task))) {
      throw new UserError(
        `Cannot run sweep "${name}": task "${task.id}" is there with different data, give each a sweep of its own`,
      );
    }
  }
}

/** Models of the user's whose rates were tuned on the project's. */
function describeFolders({ tasks }: SweepSpec, uses: readonly RateUse[]): string[] {
  const tuned = new Set(
    uses.filter(({ rate }) => rate.modelFingerprint === undefined).map(({ query }) => query.task),
  );
  return tasks.flatMap(({ task, model }) =>
    model?.path === undefined || !tuned.has(task.id)
      ? []
      : [`Rates for ${task.id} were tuned on the project's model, not on ${portableName(model.path)}`]
  );
}

/** What is trained beside adapters has a part in which rate is best, and chosen rates do not tell of it. */
function describeAlsoTrained(drafts: readonly Draft[], uses: readonly RateUse[]): string[] {
  const trained = new Set(
    drafts.flatMap(({ config: { alsoTrain } }) => alsoTrain ? [alsoTrain.join(", ")] : []),
  );
  return uses.length === 0
    ? []
    : [...trained].map((names) =>
      `Runs also train ${names}: rates do not tell what else was trained when they were chosen`
    );
}

/** What frozen weights are kept in, where that is less than 32 bits: the base is another one then. */
function describePrecisions(drafts: readonly Draft[], uses: readonly RateUse[]): string[] {
  const kept = new Set(
    drafts.map(({ config: { memory: { frozenWeights = "f32", loftq = 0 } = {} } }) =>
      loftq > 0 ? `${frozenWeights}, with LoftQ's start in ${loftq} steps` : frozenWeights
    ),
  );
  kept.delete("f32");
  const tables = new Set(drafts.map(({ config: { memory } }) => memory?.frozenEmbeddings ?? "f32"));
  tables.delete("f32");
  const rates = uses.length > 0 ? "; rates were chosen with 32 bits" : "";
  return [
    ...[...kept].map((type) => `Frozen weights are kept as ${type}${rates}`),
    ...[...tables].map((type) => `Embeddings and output map are kept as ${type}${rates}`),
  ];
}

/** No change first, then each value of each field by itself; where fields are searched, each with each. */
function variationsOf({ vary = {}, search }: SweepSpec): Varied[] {
  if (typeof search === "object") {
    const or = (name: "batchSize" | "steps") => search[name]?.map((value) => ({ [name]: value })) ?? [{}];
    return or("batchSize").flatMap((batchSize) => or("steps").map((steps) => ({ ...batchSize, ...steps })));
  }
  return [
    {},
    ...Object.entries(vary).flatMap(([name, values]) => values.map((value) => ({ [name]: value }))),
  ];
}

/** The names of all options of some methods. */
function optionsOf(methods: readonly SweepOptimizer[], { optimizers }: Registries): Set<string> {
  return new Set(methods.flatMap(({ id }) => Object.keys(lookup("optimizer", optimizers, id).defaults)));
}

/**
 * A sweep's tasks, with "*" replaced by those that it stands for, in the registry's order.
 *
 * @throws {UserError} where settings are left out that the task does not ship
 */
function tasksOf(spec: SweepSpec, registries: Registries): WholeTask[] {
  const named = new Set(spec.tasks.map(({ task }) => task.id));
  const others = Object.values(registries.tasks).map(({ id }) => id).filter((id) => !named.has(id));
  return spec.tasks.flatMap((entry) =>
    (entry.task.id === ALL ? others : [entry.task.id]).map((id) => {
      const task = RunConfig.shape.task.safeParse({ ...entry.task, id }), { model } = entry;
      return task.success && model
        ? { ...entry, task: task.data, model }
        : asShipped(spec, entry, id, registries);
    })
  );
}

function asShipped(spec: SweepSpec, entry: SweepTask, id: string, registries: Registries): WholeTask {
  const { shipped } = lookup("task", registries.tasks, id);
  if (!shipped) {
    throw new UserError(
      `Cannot run task "${id}" in sweep "${spec.name}": it ships no settings, its model and all its amounts are needed`,
    );
  }
  const { model, steps, batchSize, ...own } = shipped;
  const task = RunConfig.shape.task.parse({ ...own, ...entry.task, id });
  return { steps, batchSize, model: { id: model }, ...entry, task };
}

/** A sweep's methods, with "*" replaced by those that it stands for, in the registry's order. */
function methodsOf({ optimizers }: SweepSpec, registries: Registries): SweepOptimizer[] {
  const named = new Set(optimizers.map(({ id }) => id));
  const others = Object.values(registries.optimizers).map(({ id }) => id).filter((id) => !named.has(id));
  return optimizers.flatMap((entry) => entry.id === ALL ? others.map((id) => ({ ...entry, id })) : [entry]);
}

function baseOf(spec: SweepSpec, entry: WholeTask): SweepBase {
  const { task: _task, model: _model, ...own } = entry;
  const given = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined));
  return { ...spec.base, ...given };
}

/**
 * A complete config but for the rate, which is looked up by it and set afterwards; the refusal of a method that can't
 * have the rank. What is varied wins over what the sweep says elsewhere; an option that a method lacks leaves it as it is.
 */
function draftRun(
  spec: SweepSpec,
  entry: WholeTask,
  method: SweepOptimizer,
  rank: number,
  varied: Varied,
  seed: number,
  registries: Registries,
): RunConfig | RefusedOptions {
  const base = baseOf(spec, entry);
  const module = lookup("optimizer", registries.optimizers, method.id);
  const has = (option: string) => Object.hasOwn(module.defaults, option);
  const plain = {
    schema: 1 as const,
    ...base,
    task: entry.task,
    model: entry.model,
    optimizer: { id: method.id, options: { ...has("rank") ? { rank } : {}, ...method.options } },
    schedule: { ...base.schedule, learningRate: 1 },
    seed,
  };
  const where = `sweep "${spec.name}"`, names = Object.keys(varied);
  const draft = names.filter((name) => isField(name) || has(name)).reduce(
    (config, name) =>
      name === "steps" && typeof varied["steps"] === "number"
        ? withSteps(config, varied["steps"])
        : setField(config, name, varied[name]!),
    plain,
  );
  try {
    const config = completeConfig(draft, registries, where);
    return spec.equal
      ? atEqual(config, completeConfig(plain, registries, where), spec.equal, registries, where)
      : config;
  } catch (error) {
    const isOther = names.some((name) => name !== "rank" && name !== "steps");
    const isNamed = spec.optimizers.some(({ id }) => id === method.id);
    if (error instanceof RefusedOptions && (has("rank") || !isNamed) && !isOther) return error;
    throw error;
  }
}

/** With the batch size and the steps that were chosen with a rate, where they were searched. */
function withChosenSizes(config: RunConfig, rate: ChosenRate | undefined): RunConfig {
  return rate?.batchSize === undefined
    ? config
    : { ...withSteps(config, rate.steps), batchSize: rate.batchSize };
}

function withLearningRate(config: RunConfig, value: number): RunConfig {
  return { ...config, schedule: { ...config.schedule, learningRate: value } };
}

function learningRatesOf(
  spec: SweepSpec,
  method: SweepOptimizer,
  draft: RunConfig,
  chosen: ChosenRates | null,
  standIn: number | undefined,
): { readonly learningRates: readonly number[]; readonly use?: RateUse; readonly missing?: RateQuery } {
  if (method.learningRates) return { learningRates: method.learningRates };
  if (spec.rates && "shared" in spec.rates) return { learningRates: [spec.rates.shared].flat() };
  if (!spec.rates || !chosen) {
    throw new UserError(
      `Cannot find a learning rate for "${method.id}" in sweep "${spec.name}": give the method "learningRates", ` +
        `the sweep "rates", or the command --learning-rates`,
    );
  }
  const query = {
    task: draft.task.id,
    model: draft.model.id,
    ...filesOf(draft),
    ...modulesOf(draft),
    ...(draft.optimizer.module && { file: draft.optimizer.module.path }),
    optimizer: draft.optimizer,
    rank: rankOf(draft.optimizer),
    steps: draft.steps,
  };
  const use = rateFor(chosen, query);
  return use
    ? { learningRates: [use.rate.learningRate], use }
    : { learningRates: standIn === undefined ? [] : [standIn], missing: query };
}
