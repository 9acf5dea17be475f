/**
 * @file What a sweep can vary: any field of a run's config by its name, and any option of a method. The same names are read
 * from a sweep's file and the command line, set in configs, and found again in the configs of a report.
 */
import { z } from "zod";
import { unknownName } from "../../errors/unknown_name.ts";
import { UserError } from "../../errors/user_error.ts";
import type { KnownModel } from "../../training/configuration.ts";
import type { RunConfig } from "../../training/run.ts";

/** A value of a field: of one that takes a list, such as "targets", one entry stands for a list of it. */
export type AxisValue = number | string | boolean | readonly string[];

/** Values of fields by their names, e.g. { batchSize: 8 }. */
export type Varied = Readonly<Record<string, AxisValue>>;

/** Where a field lies in a config. */
interface Field {
  readonly path: readonly [string, ...string[]];
  /** e.g. "batch size"; of a method's option its own name. */
  readonly title: string;
  readonly takesList?: true;
  /** What a config without it means; of a model's size, which goes without saying, the part of it. */
  readonly absent?: string;
  readonly sizeOf?: "width" | "layers";
}

const at = (title: string, ...path: [string, ...string[]]): Field => ({ path, title });
const listAt = (title: string, ...path: [string, ...string[]]): Field => ({ path, title, takesList: true });

/** Fields by the names that people write. Tasks, methods, rates and seeds have lists of their own in a sweep. */
const FIELDS: Readonly<Record<string, Field>> = {
  steps: at("steps", "steps"),
  batchSize: at("batch size", "batchSize"),
  accumulate: at("parts of a batch", "accumulate"),
  schedule: at("schedule", "schedule", "kind"),
  warmup: at("warm-up steps", "schedule", "warmup"),
  floor: at("floor of the rate", "schedule", "floor"),
  clip: at("largest norm of gradients", "clip"),
  targets: listAt("targets", "targetModules"),
  alsoTrain: { ...listAt("what else is trained", "alsoTrain"), absent: "none" },
  trainExamples: at("training examples", "task", "trainExamples"),
  validationExamples: at("validation examples", "task", "validationExamples"),
  testExamples: at("test examples", "task", "testExamples"),
  model: at("model", "model", "id"),
  width: { ...at("model width", "model", "width"), sizeOf: "width" },
  layers: { ...at("layers", "model", "layers"), sizeOf: "layers" },
  frozenWeights: { ...at("frozen weights", "memory", "frozenWeights"), absent: "f32" },
  frozenEmbeddings: { ...at("frozen embeddings", "memory", "frozenEmbeddings"), absent: "f32" },
  loftq: { ...at("steps of LoftQ", "memory", "loftq"), absent: "0" },
  checkpointing: { ...at("checkpointing", "memory", "checkpointing"), absent: "none" },
  activations: { ...at("activations", "memory", "activations"), absent: "f32" },
};

/** The names of fields that are no options of methods. */
export const FIELD_NAMES: readonly string[] = Object.keys(FIELDS);

/** What may stay as it is while a field varies. */
export const EQUALS = ["examples", "parameters"] as const;
/** One of them. */
export type Equal = typeof EQUALS[number];

/** Fields that change along with another: in reports they are no differences of their own. */
export function companionsOf(field: string, equal: readonly Equal[]): readonly string[] {
  const steps = ["steps", "warmup"];
  return [
    ...field === "steps" || (field === "batchSize" && equal.includes("examples")) ? steps : [],
    ...field !== "rank" && equal.includes("parameters") ? ["rank"] : [],
  ].filter((name) => name !== field);
}

const value = z.union([z.number(), z.string().min(1), z.boolean(), z.array(z.string().min(1)).readonly()]);

/** The values of each field that varies. */
export const Vary = z.record(z.string().min(1), z.array(value).min(1));
export type Vary = z.infer<typeof Vary>;

/** A field by its name: an option of methods where it is none of every run. */
function fieldOf(name: string): Field {
  return isField(name) ? FIELDS[name]! : { path: ["optimizer", "options", name], title: name };
}

/** True for a field of every run, false for an option of methods. */
export function isField(name: string): boolean {
  return Object.hasOwn(FIELDS, name);
}

/** True for a size of the model: another one than its own starts from random weights. */
export function isSize(name: string): boolean {
  return fieldOf(name).sizeOf !== undefined;
}

/** What a field is called in sentences and charts. */
export function titleOfField(name: string): string {
  return fieldOf(name).title;
}

/**
 * What a place in a config is called in sentences, and how likely it is what a reader wants to tell runs apart by: fields before
 * options of methods, and steps, which change along with batch sizes, behind both.
 */
export function titleAt(
  path: string,
): { readonly title: string; readonly absent: string; readonly order: number } {
  const known = Object.entries(FIELDS).find(([, field]) => field.path.join(".") === path);
  if (known) {
    const [name, { title, absent = "its own" }] = known;
    return { title, absent, order: name === "steps" || name === "warmup" ? 2 : 0 };
  }
  const isOption = path.startsWith("optimizer.options.");
  return { title: path.slice(path.lastIndexOf(".") + 1), absent: "none", order: isOption ? 1 : 3 };
}

/** A value for people: "64", "query-value", "q_proj + v_proj"; "none" for an empty list, "all" for the pattern of everything. */
export function tellValue(value: AxisValue): string {
  if (!Array.isArray(value)) return String(value);
  return value.map((one) => one === "*" ? "all" : one).join(" + ") || "none";
}

/**
 * Holds the fields of a sweep against what there is.
 *
 * @param options names of the options of the sweep's methods
 * @throws {UserError} for a name that is no field and no option, and for a field that is to stay equal while it varies
 */
export function validateAxes(
  vary: Readonly<Record<string, readonly AxisValue[]>>,
  equal: readonly Equal[],
  options: ReadonlySet<string>,
  ranks: readonly number[],
): void {
  for (const [name, values] of Object.entries(vary)) {
    if (isField(name)) {
      const wrong = values.find((one) => Array.isArray(one) && !fieldOf(name).takesList);
      if (wrong !== undefined) {
        throw new UserError(`Cannot vary "${name}": it takes one value, not the list ${tellValue(wrong)}`);
      }
    } else if (!options.has(name)) {
      throw unknownName(`field "${name}" to vary`, name, [...FIELD_NAMES, ...[...options].sort()]);
    }
  }
  if (equal.length > 0 && Object.keys(vary).length === 0) {
    throw new UserError(`Cannot keep ${equal.join(" and ")} equal: no field varies, see "vary"`);
  }
  const keep = (what: Equal, field: string) => {
    if (equal.includes(what) && Object.hasOwn(vary, field)) {
      throw new UserError(`Cannot keep ${what} equal while "${field}" varies: leave out one of both`);
    }
  };
  keep("examples", "steps");
  keep("parameters", "rank");
  if (equal.includes("parameters") && ranks.length > 1) {
    throw new UserError(
      `Cannot keep parameters equal at ranks ${
        ranks.join(", ")
      }: one rank is needed, that of the sweep's own targets`,
    );
  }
}

/** A config that may lack fields yet: what `setField` and `readField` look into. */
type Draft = Readonly<Record<string, unknown>>;

/** The config with another value of a field of it, which lies beside others in copies of its objects. */
export function setField<T extends object>(config: T, name: string, value: AxisValue): T {
  const { path, takesList } = fieldOf(name);
  return setAt(config as Draft, path, takesList && !Array.isArray(value) ? [value] : value) as T;
}

function setAt(into: Draft, [first, ...rest]: readonly string[], value: unknown): Draft {
  const inner = into[first!];
  return {
    ...into,
    [first!]: rest.length === 0 ? value : setAt(typeof inner === "object" ? inner as Draft : {}, rest, value),
  };
}

/** The value of a field in a complete config; null where it has none, as of an option that its method lacks. */
export function readField(
  config: RunConfig,
  name: string,
  models: Readonly<Record<string, Pick<KnownModel, "id" | "size">>>,
): AxisValue | null {
  const { path, absent, sizeOf } = fieldOf(name);
  let found: unknown = config;
  for (const key of path) found = (found as Draft | undefined)?.[key];
  if (found !== undefined) return found as AxisValue;
  const model = sizeOf && Object.values(models).find(({ id }) => id === config.model.id);
  return model ? model.size[sizeOf!] : absent ?? (isField(name) ? "its own" : null);
}

/** The config without a field: what runs share that differ in it alone. */
export function withoutField(config: RunConfig, name: string): RunConfig {
  return removeAt(config as unknown as Draft, fieldOf(name).path) as unknown as RunConfig;
}

function removeAt(from: Draft, [first, ...rest]: readonly string[]): Draft {
  const { [first!]: inner, ...others } = from;
  return rest.length === 0 || typeof inner !== "object" || inner === null
    ? others
    : { ...others, [first!]: removeAt(inner as Draft, rest) };
}

/**
 * Reads "batchSize=8,16,32" and "targets=q_proj+v_proj,mlp".
 *
 * @throws {UserError} where it is something else
 */
export function readAxis(text: string): readonly [name: string, values: AxisValue[]] {
  const [, name, list] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
  const values = list?.split(",").map((item) => item.trim()) ?? [];
  if (name === undefined || values.length === 0 || values.includes("")) {
    throw new UserError(
      `Cannot read --vary "${text}": a field and values are needed, as in batchSize=8,16,32`,
    );
  }
  const field = name.trim(), { takesList = false } = fieldOf(field);
  return [field, values.map((item) => readValue(item, takesList))];
}

function readValue(text: string, takesList: boolean): AxisValue {
  if (takesList) return text.split("+").map((item) => item.trim());
  if (/^-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return Number(text);
  return text === "true" ? true : text === "false" ? false : text;
}
