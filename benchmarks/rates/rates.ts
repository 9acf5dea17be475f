/** @file The learning rates that a tuning sweep chose, as stored, and how a later sweep uses them. */
import { z } from "zod";
import type { RunConfig } from "../../training/run.ts";
import { OptionValues } from "../../training/schemas.ts";
import { quoteArgument } from "../../errors/quote.ts";
import { canonicalJson } from "../../files/canonical_json.ts";
import { UserError } from "../../errors/user_error.ts";
import { keyOf, optionsWithoutRank } from "../sweep/method.ts";

/** What one rate of the grid came to. */
export const RateEvidence = z.strictObject({
  learningRate: z.number().positive(),
  seeds: z.array(z.int().min(0)),
  /** Late validation loss by seed (late_loss.ts); null where the run diverged. */
  validationLosses: z.array(z.number().nullable()),
});
export type RateEvidence = z.infer<typeof RateEvidence>;

/** Files of the user's that a run is about, by fingerprint; what is absent is the project's own. */
const Files = {
  /** Of the real data that examples are taken from. */
  dataFingerprint: z.string().exactOptional(),
  /** Of the folder that the model is taken from. */
  modelFingerprint: z.string().exactOptional(),
};
/** See the schema. */
export interface Files {
  readonly dataFingerprint?: string;
  readonly modelFingerprint?: string;
}

/** Fingerprints of the files that a run's task, model and method are from; what is absent ships. */
export const ModulesOf = z.strictObject({
  task: z.string().exactOptional(),
  model: z.string().exactOptional(),
  optimizer: z.string().exactOptional(),
});
export type ModulesOf = z.infer<typeof ModulesOf>;

/** The rate of one method at one rank on one task. */
export const ChosenRate = z.strictObject({
  task: z.string(),
  model: z.string(),
  ...Files,
  modules: ModulesOf.exactOptional(),
  optimizer: z.string(),
  /** Without the rank. */
  options: OptionValues,
  rank: z.number().nullable(),
  learningRate: z.number().positive(),
  /** The best of the other rates that were tried with as many seeds; null where there is none. */
  runnerUp: z.number().positive().nullable(),
  /** How much larger the runner-up's loss is, as a share of the chosen one's; null without a runner-up. */
  lead: z.number().min(0).nullable(),
  /** True where the best rate is the smallest or largest that was tried: a wider grid may hold a better one. */
  atEdge: z.boolean(),
  steps: z.int().min(1),
  /** Present where batch sizes or steps were searched: runs that take the rate take it and the steps, too. */
  batchSize: z.int().min(1).exactOptional(),
  /** Whole runs' time over their steps, for estimates. */
  msPerStep: z.number().min(0),
  evidence: z.array(RateEvidence).min(1),
});
export type ChosenRate = z.infer<typeof ChosenRate>;

/** A tuning sweep's choices: the file `<name>.chosen.json`. */
export const ChosenRates = z.strictObject({
  schema: z.literal(1),
  sweep: z.string(),
  /** Where the runs were made. */
  environment: z.strictObject({
    adapter: z.string(),
    backend: z.string(),
    deno: z.string(),
    commit: z.string(),
  }),
  rates: z.array(ChosenRate),
});
export type ChosenRates = z.infer<typeof ChosenRates>;

/** The files of the user's that a run is about. */
export function filesOf({ task, model }: Pick<RunConfig, "task" | "model">): Files {
  return {
    ...task.fingerprint !== undefined && { dataFingerprint: task.fingerprint },
    ...(model.fingerprint !== undefined || model.adapter) && {
      modelFingerprint: [model.fingerprint, model.adapter?.fingerprint].filter((one) => one !== undefined)
        .join(" "),
    },
  };
}

/** The files that a run's task, model and method are from, as a rate notes them; no field where all of them ship. */
export function modulesOf(
  { task, model, optimizer }: Pick<RunConfig, "task" | "model" | "optimizer">,
): { readonly modules?: ModulesOf } {
  const modules = {
    ...(task.module && { task: task.module.fingerprint }),
    ...(model.module && { model: model.module.fingerprint }),
    ...(optimizer.module && { optimizer: optimizer.module.fingerprint }),
  };
  return Object.keys(modules).length > 0 ? { modules } : {};
}

/** As `methodKey` of the runs that a rate is of. */
export function rateKey({ optimizer: id, options, modules }: ChosenRate): string {
  return keyOf(id, options, modules?.optimizer);
}

/** True where both are about the same data and the same model. */
export function areSameFiles(a: Files, b: Files): boolean {
  return a.dataFingerprint === b.dataFingerprint && a.modelFingerprint === b.modelFingerprint;
}

/** A run whose rate is asked for. */
export interface RateQuery extends Files {
  readonly task: string;
  readonly model: string;
  readonly modules?: ModulesOf;
  /** Where the method is from, where it is from a file. */
  readonly file?: string;
  readonly optimizer: { readonly id: string; readonly options: ChosenRate["options"] };
  readonly rank: number | null;
  readonly steps: number;
}

/** A chosen rate in use, and where the run that it was tuned on differs from the one that takes it. */
export interface RateUse {
  readonly query: RateQuery;
  readonly rate: ChosenRate;
  /** True where only runs with other options were tuned. */
  readonly otherOptions: boolean;
}

/**
 * The rate that was chosen for a run: same task and optimizer, then same options and nearest rank as far as there are.
 * Where nothing was chosen for this optimizer on this task, that of another task of the same model, of several the first
 * by name; null where there is none either. What was tuned on real data, or on a model in a folder, is for these alone;
 * what was tuned on the project's own serves others where nothing else does.
 */
export function rateFor(
  chosen: { readonly rates: readonly ChosenRate[] },
  query: RateQuery,
): RateUse | null {
  const sameMethod = nearestFiles(
    chosen.rates.filter((rate) => rate.optimizer === query.optimizer.id),
    query,
  );
  const own = sameMethod.filter(({ task }) => task === query.task);
  const kin = sameMethod.filter(({ model }) => model === query.model);
  const [nearestTask] = kin.map(({ task }) => task).sort();
  const onTask = own.length > 0 ? own : kin.filter(({ task }) => task === nearestTask);
  const { id } = query.optimizer, key = keyOf(id, optionsWithoutRank(query.optimizer));
  const exact = onTask.filter((rate) => keyOf(id, optionsWithoutRank({ id, options: rate.options })) === key);
  const candidates = exact.length > 0 ? exact : onTask;
  const distance = (rate: ChosenRate) => Math.abs(Math.log2((rate.rank ?? 1) / (query.rank ?? 1)));
  const [rate] = candidates.toSorted((a, b) => distance(a) - distance(b) || (a.rank ?? 0) - (b.rank ?? 0));
  return rate ? { query, rate, otherOptions: exact.length === 0 } : null;
}

/** The rates that may serve a run: those of no files but its own, and of these the ones that share the most with it. */
function nearestFiles(rates: readonly ChosenRate[], query: Files): readonly ChosenRate[] {
  const shared = ({ dataFingerprint: data, modelFingerprint: model }: Files) =>
    Number(data === query.dataFingerprint) + Number(model === query.modelFingerprint);
  const fitting = rates.filter(({ dataFingerprint: data, modelFingerprint: model }) =>
    (data === undefined || data === query.dataFingerprint) &&
    (model === undefined || model === query.modelFingerprint)
  );
  const most = Math.max(...fitting.map(shared));
  return fitting.filter((rate) => shared(rate) === most);
}

/**
 * The error of a sweep for which a tuning sweep chose too little, or on other files: which methods lack a rate on which
 * tasks, and what to type.
 */
export function missingRates(chosen: ChosenRates, queries: readonly RateQuery[]): UserError {
  for (const query of queries) {
    const other = chosen.rates.find(({ task, optimizer }) =>
      task === query.task && optimizer === query.optimizer.id
    );
    if (other) {
      return new UserError(
        `Cannot use the rates that sweep "${chosen.sweep}" chose for "${query.task}": they were tuned on ` +
          `${describeFiles(other)}, not on ${describeFiles(query)} (--learning-rates states rates instead)`,
      );
    }
  }
  const files = [...new Set(queries.flatMap(({ file }) => file ?? []))];
  // A method that the tuning sweep ran on some of its tasks alone, or never, is not among its own: it is run where it is named.
  const tasks = new Set(chosen.rates.map(({ task }) => task));
  const isOwn = queries.every(({ file, optimizer: { id } }) =>
    file === undefined && tasks.size > 0 &&
    new Set(chosen.rates.flatMap(({ task, optimizer }) => optimizer === id ? task : [])).size === tasks.size
  );
  const names = isOwn ? [] : [...new Set(queries.map(({ optimizer }) => optimizer.id))];
  const tune = [
    `./run bench ${chosen.sweep}`,
    ...files.map((file) => `--with ${quoteArgument(file)}`),
    ...names.length > 0 ? [`--optimizers ${names.join(",")}`] : [],
  ].join(" ");
  const does = names.length > 0
    ? "chooses them and says how to take them"
    : "runs what its folder lacks and chooses";
  return new UserError(
    `Cannot find learning rates: sweep "${chosen.sweep}" chose none for ${
      describeMissing(chosen, queries)
    } (${tune} ${does}; --learning-rates states a rate instead)`,
  );
}

/** "data 0123456789abcdef and the project's model": fingerprints as far as they tell files apart. */
function describeFiles({ dataFingerprint, modelFingerprint }: Files): string {
  const short = (fingerprint: string) => fingerprint.slice(0, 16);
  const data = dataFingerprint === undefined ? "the task's own data" : `data ${short(dataFingerprint)}`;
  const model = modelFingerprint === undefined ? "the project's model" : `model ${short(modelFingerprint)}`;
  return `${data} and ${model}`;
}

/** "lora" on "digits", and none for any method on "arithmetic": which rates a tuning sweep didn't choose. */
export function describeMissing({ rates }: ChosenRates, queries: readonly RateQuery[]): string {
  const tuned = new Set(rates.map(({ task }) => task));
  const methodsOn = ([task, own]: readonly [string, readonly RateQuery[]]) =>
    tuned.has(task) ? joinWords(own.map(({ optimizer }) => `"${optimizer.id}"`)) : "any method";
  const byMethods = Map.groupBy(Map.groupBy(queries, ({ task }) => task), methodsOn);
  return [...byMethods].map(([methods, tasks]) =>
    `${methods} on ${joinWords(tasks.map(([task]) => `"${task}"`))}`
  ).join(", and none for ");
}

/**
 * Where tuned runs differ from those that take their rates, in as few sentences as say it: "The rates of lora and dora
 * at ranks 1 and 2 on digits were tuned at rank 8".
 */
export function describeRates(uses: readonly RateUse[]): string[] {
  const told = uses.flatMap(({ query, rate, otherOptions }) => {
    const ends = [
      ...(rate.task === query.task ? [] : [`tuned on ${rate.task}, with the same model`]),
      ...(rate.rank === query.rank ? [] : [`tuned at rank ${rate.rank}`]),
      ...(otherOptions ? ["tuned with other options"] : []),
      ...(canonicalJson(rate.modules ?? {}) === canonicalJson(query.modules ?? {})
        ? []
        : ["tuned with other versions of files of yours"]),
      ...(rate.steps === query.steps || rate.batchSize !== undefined
        ? []
        : [`tuned at ${rate.steps} steps, not ${query.steps}`]),
    ];
    return ends.map((end) => ({ end, method: query.optimizer.id, rank: query.rank, task: query.task }));
  });
  // What differs only in the task is told together, then what differs only in the rank, then in the method.
  const tasks = Map.groupBy(told, ({ end, method, rank }) => JSON.stringify([end, method, rank]));
  const ranks = Map.groupBy(
    [...tasks.values()].map((group) => {
      const tasks = new Set(group.map(({ task }) => task));
      return { ...group[0]!, tasks: joinWords(tasks), isOne: tasks.size === 1 };
    }),
    ({ end, method, tasks }) => JSON.stringify([end, method, tasks]),
  );
  const methods = Map.groupBy(
    [...ranks.values()].map((group) => {
      const ranks = [...new Set(group.flatMap(({ rank }) => rank ?? []))].sort((a, b) => a - b);
      const at = ranks.length === 0
        ? ""
        : ` at rank${ranks.length > 1 ? "s" : ""} ${joinWords(ranks.map(String))}`;
      return { ...group[0]!, at, isOne: group[0]!.isOne && ranks.length < 2 };
    }),
    ({ end, at, tasks }) => JSON.stringify([end, at, tasks]),
  );
  return [...methods.values()].map((group) => {
    const [{ end, at, tasks, ...first }] = group as [typeof group[number]];
    const names = new Set(group.map(({ method }) => method)), isOne = first.isOne && names.size === 1;
    return `The rate${isOne ? "" : "s"} of ${joinWords(names)}${at} on ${tasks} ${
      isOne ? "was" : "were"
    } ${end}`;
  });
}

/** "a", "a and b", "a, b and c"; each once. */
function joinWords(words: Iterable<string>): string {
  const all = [...new Set(words)];
  return all.length < 2 ? all.join("") : `${all.slice(0, -1).join(", ")} and ${all.at(-1)}`;
}
