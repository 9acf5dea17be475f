/** @file Reads configs: checks types and ranges, fills in default options, refuses unknown names with the known ones. */
import { withArticle } from "../errors/quote.ts";
import type { z } from "zod";
import type { Architecture, RowLengths } from "../models/architecture.ts";
import type { ClipTextConfig } from "../models/clip_text.ts";
import type { AdapterHead, ModelEntry } from "../models/entry.ts";
import type { ModelFamily } from "../models/model.ts";
import type { ModelMemory } from "../models/tape_tensors.ts";
import { type WeightKind, weightKindOf } from "../models/weight_kind.ts";
import type { LowPrecision } from "../gpu/tensor.ts";
import type { ParameterList } from "../models/weights.ts";
import type {
  Footprint,
  ModelShapes,
  OptimizerModule,
  Options,
  Paper,
  StepSizes,
  StepWork,
} from "../optimizers/optimizer.ts";
import type { Task, TaskModel } from "../tasks/task.ts";
import { validateChangedFiles } from "./resolve/fingerprint.ts";
import { requireKnownPretraining } from "./known_pretraining.ts";
import { alsoTrained, lackingKinds } from "./also_trained.ts";
import { lookup } from "./lookup.ts";
import type { ModuleSource } from "./run.ts";
import { type MemoryOptions, RunConfig } from "./schemas.ts";
import { unknownName } from "../errors/unknown_name.ts";
import { RefusedOptions, UserError } from "../errors/user_error.ts";
import { DEEPEST } from "../files/json_file.ts";
import { hubPlaceOf, nameOfPlace } from "../files/hub_place.ts";
import { matchesWildcard } from "./wildcard.ts";

/** A linear map that may be adapted, before there is a GPU. */
export interface ModuleShape {
  readonly name: string;
  readonly in: number;
  readonly out: number;
}

/** What checking and reporting need to know of a method. */
export interface KnownOptimizer {
  readonly id: string;
  readonly title: string;
  readonly source: string;
  readonly paper?: Paper;
  readonly defaults: Options;
  readonly laterOptions?: readonly string[];
  validate(options: Options, targetModules: readonly ModuleShape[], steps: number): string | null;
  describe(options: Options): string;
  notice?(options: Options, steps: number): string | null;
  stepWork(options: Options, sizes: StepSizes): StepWork;
  footprint(options: Options, model: ModelShapes): Footprint;
  readonly takesLoftq?: true;
  readonly alsoTrains?: OptimizerModule["alsoTrains"];
}

/** What checking and counting need to know of a model. */
export interface KnownModel extends TaskModel {
  readonly id: string;
  readonly title: string;
  readonly family: ModelFamily;
  readonly size: { readonly width: number; readonly layers: number };
  /** What its costs are counted from, for examples of full length. */
  readonly architecture: Architecture;
  readonly parameters: ParameterList;
  readonly tables?: readonly string[];
  /** What its memory is predicted from, for examples of full length. */
  readonly memory: ModelMemory;
  /** The same for rows of so many tokens. */
  ofLengths(lengths: RowLengths): Pick<KnownModel, "architecture" | "memory">;
  /** How its base checkpoint is made; null or absent where it is not made here. */
  readonly recipe?: { readonly task: string } | null;
  /** True where its weights are those of a checkpoint. */
  readonly pretrained?: boolean;
  /** The text tower beside an image tower in a folder. */
  readonly text?: ClipTextConfig;
  /** The folder of an adapter that its weights begin with. */
  readonly adapter?: string;
  /** Finds the folder of a registered model whose weights are brought when they are asked for. @throws {CheckpointError} */
  readonly locate?: () => Promise<string>;
  /** @throws {RangeError} where there is no such size */
  resize(size: { readonly width?: number; readonly layers?: number }): KnownModel;
  /** The same image tower with a new head; absent for models of texts. */
  withNewHead?(classes: number): KnownModel;
  /** Parameters of its new head, which every method trains; absent where it has none. */
  readonly newHead?: ParameterList;
  /** The classifier that its adapter brings; absent where that brings none. */
  readonly adapterHead?: AdapterHead;
  targetModules(): readonly ModuleShape[];
}

/** What checking and reporting need to know of a task. */
export type KnownTask = Pick<
  Task,
  "id" | "title" | "family" | "metric" | "measures" | "shipped" | "realData" | "load"
>;

/** The names that a config may use, and what they stand for. */
export interface Registries {
  readonly tasks: Readonly<Record<string, KnownTask>>;
  readonly models: Readonly<Record<string, KnownModel>>;
  readonly optimizers: Readonly<Record<string, KnownOptimizer>>;
  /** The files that entries are from, by the entry; what is absent is from none, such as what ships. */
  readonly sources?: ReadonlyMap<unknown, ModuleSource>;
  /** The entries that a caller brought beside what ships, from files or not: they join every sweep. */
  readonly own?: ReadonlySet<unknown>;
  /** What is known of entries that are not at hand: enough to report on stored runs. */
  readonly described?: DescribedEntries;
}

/** What reports need to know of methods and tasks. */
export interface DescribedEntries {
  readonly methods: readonly Pick<KnownOptimizer, "id" | "title" | "source" | "paper" | "describe">[];
  readonly tasks: readonly Pick<KnownTask, "id" | "title" | "family" | "metric" | "measures">[];
}

/** Registries whose entries can be run, not only planned and reported. */
export interface Library extends Registries {
  readonly tasks: Readonly<Record<string, Task>>;
  readonly models: Readonly<Record<string, ModelEntry>>;
  readonly optimizers: Readonly<Record<string, OptimizerModule>>;
}

/**
 * Checks outside data against a schema.
 *
 * @param where the file or flag that the value is from, for the error
 * @throws {UserError} naming the place, the field, the value found and what was wanted
 */
export function parseWith<S extends z.ZodType>(schema: S, value: unknown, where: string): z.output<S> {
  const checked = checkWith(schema, value);
  if (checked.fault !== null) throw new UserError(`Cannot read ${where}: ${checked.fault}`);
  return checked.value;
}

/** What a schema makes of outside data, or what is wrong with them. */
export type Checked<T> =
  | { readonly fault: null; readonly value: T }
  /** The field, the value found and what was wanted: the end of a sentence, for a `UserError`, which spells it out. */
  | { readonly fault: string };

/** As `parseWith`, for whoever begins the sentence otherwise. */
export function checkWith<S extends z.ZodType>(schema: S, value: unknown): Checked<z.output<S>> {
  const unread = unreadPart(value);
  if (unread !== null) return { fault: unread };
  const parsed = schema.safeParse(value);
  if (parsed.success) return { fault: null, value: parsed.data };
  const [first, ...others] = parsed.error.issues;
  const more = others.length > 0 ? ` (and ${others.length} more)` : "";
  return { fault: `${explain(first!, schema, value)}${more}` };
}

/**
 * The same config with every option of its method filled in, so that equal runs have equal ids.
 *
 * @throws {UserError} for unknown names, options of wrong types, patterns without a match
 * @throws {RefusedOptions} for what the method refuses
 */
export function completeConfig(config: unknown, registries: Registries, where = "config"): RunConfig {
  const parsed = parseWith(RunConfig, config, where);
  const task = lookup("task", registries.tasks, parsed.task.id, parsed.task.module);
  const model = resolveModel(parsed.model, registries.models, where);
  const module = lookup("optimizer", registries.optimizers, parsed.optimizer.id, parsed.optimizer.module);
  if ((task.family === "vision") !== (model.family === "vision")) {
    throw new UserError(
      `Cannot train model "${model.id}" on task "${task.id}": it is ${withArticle(model.family)} model`,
    );
  }
  validateData(parsed.task, task, registries.tasks);
  validateHead(parsed, model);
  validateRetained(parsed, model);
  validateParts(parsed, where);
  const options = completeOptions(module, parsed.optimizer.options);
  const targetModules = matchTargetModules(parsed.targetModules, model.targetModules());
  const refusal = lackingKinds(module, model) ?? module.validate(options, targetModules, parsed.steps);
  if (refusal !== null) {
    throw new RefusedOptions(`Cannot use "${module.id}" on model "${model.id}": ${refusal}`, refusal);
  }
  const footprint = module.footprint(options, { targetModules, parameters: [], head: [] });
  const { memory: given, alsoTrain = [], ...rest } = parsed, memory = completeMemory(given);
  const also = alsoTrained({ alsoTrain }, module, model, targetModules);
  const frozenWeights = memory?.frozenWeights ?? "f32";
  if (frozenWeights !== "f32" && footprint.trainsWeights) {
    throw new UserError(
      `Cannot keep frozen weights as ${frozenWeights} with "${module.id}": it trains the weights of all adapted maps`,
    );
  }
  const { frozenEmbeddings } = memory ?? {};
  if (frozenEmbeddings && frozenEmbeddings !== "f32") {
    requireFrozenTables(
      frozenEmbeddings,
      also,
      model,
      footprint.trainsAll,
    );
  }
  if (memory?.loftq && frozenWeights !== "int8" && frozenWeights !== "nf4") {
    throw new UserError(
      `Cannot start by LoftQ: frozen weights are kept as ${frozenWeights}, int8 or nf4 is needed`,
    );
  }
  if (memory?.activations && memory.checkpointing) {
    throw new UserError(
      `Cannot keep activations as ${memory.activations} with checkpointing "${memory.checkpointing}": it computes them again; "blocks-f16" has the inputs of blocks in 16 bits`,
    );
  }
  if (memory?.loftq && !module.takesLoftq) {
    throw new UserError(
      `Cannot start "${module.id}" by LoftQ: a method is needed whose weight is W + s B A, and starts as LoRA's`,
    );
  }
  if (footprint.inputMoments === "pretraining") {
    requireKnownPretraining(module.id, model, parsed.model);
  }
  const { sources } = registries, entry = findModel(parsed.model, registries.models);
  return {
    ...rest,
    task: withModule(
      `train task "${task.id}"`,
      { ...parsed.task, ...fetchedFrom(parsed.task.data) },
      sources?.get(task),
    ),
    model: withModule(
      `use model "${entry.id}"`,
      shortestName(parsed.model, registries.models),
      sources?.get(entry),
    ),
    optimizer: withModule(
      `use "${module.id}"`,
      {
        id: module.id,
        options: namedOptions(module, options),
        ...(parsed.optimizer.module && { module: parsed.optimizer.module }),
      },
      sources?.get(module),
    ),
    ...(alsoTrain.length > 0 && { alsoTrain: [...new Set(alsoTrain)].sort() }),
    ...(memory && { memory }),
  };
}

/**
 * A choice with the file that it is from, so that another file makes another run; the same choice for what ships.
 *
 * @throws {UserError} where it was from another file, or from one that has changed
 */
function withModule<C extends { readonly module?: ModuleSource }>(
  wanted: string,
  choice: C,
  found: ModuleSource | undefined,
): C {
  const noted = choice.module;
  if (!found) {
    if (!noted) return choice;
    throw new UserError(`Cannot ${wanted}: it was from ${noted.path}, and is not from a file now`);
  }
  validateChangedFiles(`${wanted} from ${found.path}`, noted?.fingerprint, found.fingerprint);
  return { ...choice, module: found };
}

function validateData(
  { id, data, fingerprint, layout, trainOnTest }: RunConfig["task"],
  task: KnownTask,
  tasks: Registries["tasks"],
): void {
  if (data === undefined && fingerprint !== undefined) {
    throw new UserError(`Cannot read task "${id}": it has a fingerprint, but no data`);
  }
  if (data === undefined && layout) {
    throw new UserError(`Cannot read task "${id}": it says how data are read, but names none`);
  }
  if (data === undefined && trainOnTest) {
    throw new UserError(
      `Cannot train task "${id}" on test examples: they are of real data, --data DIR is needed`,
    );
  }
  if (data === undefined || task.realData) return;
  const taking = Object.values(tasks).filter(({ realData }) => realData).map((known) => known.id);
  throw new UserError(
    `Cannot train task "${id}" on ${data}: it takes no real data, ${
      taking.length === 0 ? "no task does" : `tasks that do are ${taking.join(", ")}`
    }`,
  );
}

/** Every part of a batch has an example of it or more. */
function validateParts({ batchSize, accumulate }: RunConfig, where: string): void {
  if (accumulate <= batchSize) return;
  throw new UserError(
    `Cannot read ${where}: "accumulate" is ${accumulate}, a batch of ${batchSize} has at most ${batchSize} parts`,
  );
}

/** A head is for classes of texts, or of real images on a tower of the user's: other models have heads of their own. */
function validateHead(
  { model: { id, head, adapter }, task: { data } }: RunConfig,
  { folder, family }: KnownModel,
): void {
  if (head === undefined || (family === "encoder" && head === "new")) return;
  const wanted = head === "adapter" && !adapter
    ? "a model with an adapter is needed, --adapter DIR"
    : family === "encoder" && head === "adapter"
    ? null
    : family !== "vision" && family !== "encoder"
    ? `it is ${withArticle(family)} model, vision is needed`
    : folder === undefined
    ? "a model in a folder is needed, --model DIR"
    : data === undefined
    ? "real images are needed, --data DIR"
    : null;
  if (wanted !== null) throw new UserError(`Cannot use head "${head}" with model "${id}": ${wanted}`);
}

/** A text tells what a decoder of the user's forgets: the project's own models have a corpus, and others write no text. */
function validateRetained({ model: { id }, retain }: RunConfig, { folder, family }: KnownModel): void {
  if (!retain) return;
  const wanted = folder === undefined
    ? "a model in a folder is needed, --model DIR"
    : family !== "decoder"
    ? `it is ${withArticle(family)} model, a decoder is needed`
    : null;
  if (wanted !== null) {
    throw new UserError(`Cannot tell by ${retain.path} what model "${id}" forgets: ${wanted}`);
  }
}

/**
 * The config with the fingerprint of its task's real data, so that other data make another run.
 *
 * @throws {UserError} where it has one that the files no longer fit
 * @throws {DataError} where the files can't be read, or are none that the task takes
 */
export async function withDataFingerprint<C extends Pick<RunConfig, "task">>(
  config: C,
  tasks: Registries["tasks"],
): Promise<C> {
  const { id, data, fingerprint } = config.task;
  const { realData } = lookup("task", tasks, id);
  if (data === undefined || !realData) return config;
  const found = await realData.fingerprint(data);
  validateChangedFiles(`train task "${id}" on ${data}`, fingerprint, found);
  return { ...config, task: { ...config.task, fingerprint: found } };
}

/** A model that other sizes are made from. */
interface Resizable<M> {
  readonly id: string;
  readonly folder?: string;
  readonly locate?: () => Promise<string>;
  readonly adapter?: string;
  readonly size: KnownModel["size"];
  resize(size: Partial<KnownModel["size"]>): M;
}

/**
 * The registry's model in the size that a config asks for; the entry itself where that is its own.
 *
 * @throws {UserError} for unknown names and sizes that the model can't have
 */
export function resolveModel<M extends Resizable<M>>(
  choice: RunConfig["model"],
  models: Readonly<Record<string, M>>,
  where = "config",
): M {
  const entry = findModel(choice, models);
  const { width, layers } = shortestName(choice, models);
  const size = { ...(width !== undefined && { width }), ...(layers !== undefined && { layers }) };
  if (Object.keys(size).length === 0) return entry;
  if (choice.adapter) {
    throw new UserError(
      `Cannot resize "${choice.id}": its adapter, from ${choice.adapter.path}, fits its own size`,
    );
  }
  try {
    return entry.resize(size);
  } catch (error) {
    if (error instanceof RangeError) throw new UserError(`Cannot read ${where}: ${error.message}`);
    throw error;
  }
}

/**
 * The entry of a name, or with a path that of the folder.
 *
 * @throws {UserError} where there is none
 */
function findModel<M extends Pick<KnownModel, "id" | "folder" | "locate" | "adapter">>(
  { id, path, fingerprint, adapter: given, module }: RunConfig["model"],
  models: Readonly<Record<string, M>>,
): M {
  const entries = Object.entries(models).filter(([, { folder, locate, adapter }]) =>
    (locate ? undefined : folder) === path && adapter === given?.path
  );
  if (path === undefined) {
    if (fingerprint !== undefined) {
      throw new UserError(`Cannot use model "${id}": it has a fingerprint, but no path`);
    }
    return lookup("model", Object.fromEntries(entries), id, module);
  }
  const found = entries.find(([, model]) => model.id === id);
  if (!found) throw new UserError(`Cannot use model "${id}" from ${path}: the folder was not read`);
  return found[1];
}

/** A model's own size goes without saying, so that equal runs have equal ids. */
function shortestName(
  choice: RunConfig["model"],
  models: Readonly<Record<string, Pick<KnownModel, "id" | "size" | "folder" | "locate" | "adapter">>>,
): RunConfig["model"] {
  const { id, path, fingerprint, hub, adapter, module, width, layers, head } = choice;
  const { size } = findModel(choice, models);
  return {
    id,
    ...(module && { module }),
    ...(path !== undefined && { path }),
    ...(fingerprint !== undefined && { fingerprint }),
    ...(hub !== undefined && { hub }),
    ...fetchedFrom(path),
    ...(adapter && { adapter: { ...adapter, ...fetchedFrom(adapter.path) } }),
    ...(width !== undefined && width !== size.width && { width }),
    ...(layers !== undefined && layers !== size.layers && { layers }),
    ...(head !== undefined && { head }),
  };
}

/** What the Hub calls the files at a path, where they were fetched from there. */
function fetchedFrom(path: string | undefined): { readonly hub?: string } {
  const place = path === undefined ? null : hubPlaceOf(path);
  return place ? { hub: nameOfPlace(place) } : {};
}

/** Choices of papers, by name: what kinds of linear map are adapted; null for all, which is PEFT's word. */
const TARGET_PRESETS: Readonly<Record<string, readonly WeightKind[] | null>> = {
  "all-linear": null,
  "query-value": ["q", "v"],
  attention: ["q", "k", "v", "o"],
  mlp: ["mlp"],
};

/**
 * Whether a pattern means a target module: `*` stands for any characters, a name for itself and, as in PEFT, for all names
 * that end with it ("q_proj", "self_attn.q_proj"), a preset's name for all of its kinds.
 */
function isMeant(pattern: string, name: string): boolean {
  if (matchesWildcard(pattern, name)) return true;
  if (Object.hasOwn(TARGET_PRESETS, pattern)) {
    const kinds = TARGET_PRESETS[pattern]!, kind = weightKindOf(name);
    if (kinds === null || (kind !== null && kinds.includes(kind))) return true;
  }
  return !pattern.includes("*") && name.endsWith(`.${pattern}`);
}

/**
 * The target modules that at least one of the patterns means, in the target modules' order: see `isMeant`.
 *
 * @throws {UserError} where a pattern matches nothing
 */
export function matchTargetModules<S extends { readonly name: string }>(
  patterns: readonly string[],
  targetModules: readonly S[],
): S[] {
  for (const pattern of patterns) {
    if (!targetModules.some(({ name }) => isMeant(pattern, name))) {
      throw new UserError(
        `Cannot find a target module like "${pattern}": known are ${
          targetModules.map((targetModule) => targetModule.name).join(", ")
        }`,
      );
    }
  }
  return targetModules.filter(({ name }) => patterns.some((pattern) => isMeant(pattern, name)));
}

/** Default options with the given ones on top, sorted by name. */
function completeOptions(module: KnownOptimizer, given: Options): Options {
  const known = Object.keys(module.defaults);
  for (const [name, value] of Object.entries(given)) {
    const standard = module.defaults[name];
    if (standard === undefined || !Object.hasOwn(module.defaults, name)) {
      throw unknownName(`option "${name}" of "${module.id}"`, name, known);
    }
    if (typeof value !== typeof standard) {
      throw new UserError(
        `Cannot read option "${name}" of "${module.id}": ${JSON.stringify(value)} is a ${typeof value}, ` +
          `a ${typeof standard} is needed`,
      );
    }
  }
  return Object.fromEntries(known.toSorted().map((name) => [name, given[name] ?? module.defaults[name]!]));
}

/** Those that a run's name is of: see `OptimizerModule.laterOptions`. */
function namedOptions({ defaults, laterOptions = [] }: KnownOptimizer, options: Options): Options {
  return Object.fromEntries(
    Object.entries(options).filter(([name, value]) =>
      !laterOptions.includes(name) || value !== defaults[name]
    ),
  );
}

/** A complete config's options, with the later ones that it leaves at their defaults. */
export function allOptions(
  { defaults }: Pick<KnownOptimizer, "defaults">,
  { optimizer }: Pick<RunConfig, "optimizer">,
): Options {
  return { ...defaults, ...optimizer.options };
}

/** @throws {UserError} where a model's tables can't be kept in low precision: there are none, or they are trained */
function requireFrozenTables(
  type: LowPrecision,
  also: ParameterList,
  { id, tables = [] }: Pick<KnownModel, "id" | "tables">,
  trainsAll: boolean,
): void {
  if (tables.length === 0) {
    throw new UserError(
      `Cannot keep embeddings as ${type} in model "${id}": it reads no text`,
    );
  }
  const trained = also.find(({ name }) => tables.includes(name))?.name ?? (trainsAll ? tables[0] : null);
  if (trained) throw new UserError(`Cannot keep embeddings as ${type}: "${trained}" is trained`);
}

/** What differs from the defaults; undefined where nothing does, so that runs from before there were options keep their ids. */
function completeMemory(
  { frozenWeights = "f32", frozenEmbeddings = "f32", loftq = 0, checkpointing, activations }: MemoryOptions =
    {},
): MemoryOptions | undefined {
  const chosen = {
    ...frozenWeights !== "f32" && { frozenWeights },
    ...frozenEmbeddings !== "f32" && { frozenEmbeddings },
    ...loftq > 0 && { loftq },
    ...checkpointing && checkpointing !== "none" && { checkpointing },
    ...activations && activations !== "f32" && { activations },
  };
  return Object.keys(chosen).length > 0 ? chosen : undefined;
}

/**
 * What is wrong with a value that no schema is to see: too many levels, or a field `__proto__`, which records of any names would
 * pass over in silence; null where there is nothing.
 */
function unreadPart(value: unknown): string | null {
  const rest: { readonly inner: unknown; readonly path: readonly string[] }[] = [{ inner: value, path: [] }];
  for (const { inner, path } of rest) {
    if (typeof inner !== "object" || inner === null) continue;
    // Whatever walks it calls itself for each level.
    if (path.length > DEEPEST) return `it is nested more than ${DEEPEST} levels deep`;
    if (Object.hasOwn(inner, "__proto__")) return `field "${[...path, "__proto__"].join(".")}" is unknown`;
    for (const [key, child] of Object.entries(inner)) {
      if (typeof child === "object") rest.push({ inner: child, path: [...path, key] });
    }
  }
  return null;
}

/** One issue in words: the field, the value found, what was wanted. */
function explain(issue: z.core.$ZodIssue, schema: z.ZodType, value: unknown): string {
  const field = issue.path.length > 0 ? `"${issue.path.join(".")}"` : "the whole";
  if (issue.code === "unrecognized_keys") {
    const known = knownKeys(schema, issue.path);
    const owner = issue.path.length > 0 ? ` of ${field}` : "";
    return `field "${issue.keys.join('", "')}"${owner} is unknown${
      known ? `, known are ${known.join(", ")}` : ""
    }`;
  }
  const found = issue.path.reduce<unknown>(
    (inner, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key],
    value,
  );
  if (found === undefined) return `field ${field} is missing`;
  const text = JSON.stringify(found) ?? String(found);
  return `field ${field} is ${text.length > 60 ? `${text.slice(0, 60)}…` : text}, ${wanted(issue)}`;
}

/** What an issue asks for, from the schema library's message. */
function wanted(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_union" && issue.errors.length > 0) {
    return [...new Set(issue.errors.map(([first]) => first ? wanted(first) : "another value is needed"))]
      .join(", or ");
  }
  if (issue.code === "invalid_value") {
    return `one of ${issue.values.map((item) => JSON.stringify(item)).join(", ")} is needed`;
  }
  const message = issue.message.replace(/^(Invalid input|Too small|Too big|Invalid string): /, "");
  return message.replace(/^expected \w+ to be/, "needed is").replace(
    /^expected (\w+), received \w+$/,
    "needed is a value of type $1",
  );
}

/** Names that an object schema knows at a path; null where the schema at the path isn't an object's. */
function knownKeys(schema: unknown, path: readonly PropertyKey[]): string[] | null {
  let inner = unwrap(schema);
  for (const key of path) {
    inner = unwrap(typeof key === "number" ? inner?.element : inner?.shape?.[String(key)]);
  }
  return inner?.shape ? Object.keys(inner.shape) : null;
}

interface Described {
  readonly shape?: Readonly<Record<string, unknown>>;
  readonly element?: unknown;
  readonly unwrap?: () => unknown;
}

/** A schema without "optional" and "nullable" around it. */
function unwrap(schema: unknown): Described | undefined {
  let inner = schema as Described | undefined;
  while (inner && typeof inner.unwrap === "function" && inner.element === undefined) {
    inner = inner.unwrap() as Described;
  }
  return inner;
}
