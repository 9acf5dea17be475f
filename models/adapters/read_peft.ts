/**
 * @file Reads adapters in the format of Hugging Face's PEFT: LoRA, rsLoRA, DoRA and what converts to them, and AdaLoRA.
 *
 * Source: https://github.com/huggingface/peft, LoraConfig (0.19), LoraLayer.update_layer, AdaLoraLayer, get_pattern_key.
 */
import { z } from "zod";
import { explainIssue } from "../../errors/explain_issue.ts";
import { listNames, quote, show, showShape } from "../../errors/quote.ts";
import { system } from "../../system/mod.ts";
import { type Checkpoint, CheckpointError } from "../checkpoints/checkpoint.ts";
import { isFile, lackOfFolder } from "../checkpoints/checkpoint_folder.ts";
import { readCheckpointJson } from "../checkpoints/checkpoint_json.ts";
import { openSafetensors } from "../checkpoints/read_safetensors.ts";
import type { HostValues, LowRankChange, TrainedWeights } from "./low_rank_change.ts";

/** The files of an adapter's folder. */
export const ADAPTER_FILES = { config: "adapter_config.json", tensors: "adapter_model.safetensors" } as const;

const RANK = "a whole number from 1 is needed";
const rank = z.int(RANK).min(1, RANK), alpha = z.number();
/** PEFT takes any regular expression; those that its tools write are names, and others may take for ever. */
const NAME = /^\^?[\w.-]+$/;
/** Fields whose other values change what the adapter computes in ways that are not read here. */
const only = <const V extends string | boolean>(value: V) =>
  z.literal(value, `${JSON.stringify(value)} is needed`).nullish();
const nothing = z.unknown().refine(isNothing, "null is needed").optional();
/** Starts that leave the base weights as they are. Others take their product out of them, or round them. */
const STARTS = ["gaussian", "eva", "orthogonal", "mica"] as const;

const Config = z.object({
  peft_type: z.enum(["LORA", "ADALORA"], '"LORA" or "ADALORA" is needed'),
  base_model_name_or_path: z.string().nullish(),
  r: rank.default(8),
  init_r: rank.optional(),
  lora_alpha: alpha.default(8),
  use_rslora: z.boolean().nullish(),
  use_dora: z.boolean().nullish(),
  rank_pattern: z.record(z.string(), rank.or(z.array(z.boolean()))).nullish(),
  alpha_pattern: z.record(z.string(), alpha).nullish(),
  target_modules: z.union([z.string(), z.array(z.string())]).nullish(),
  modules_to_save: z.array(z.string()).nullish(),
  bias: z.enum(["none", "all", "lora_only"], '"none", "all" or "lora_only" is needed').nullish(),
  // It says how a base has its weights, not what an adapter does to them.
  fan_in_fan_out: z.boolean().nullish(),
  ensure_weight_tying: z.boolean().nullish(),
  init_lora_weights: z.union(
    [z.boolean(), z.enum(STARTS)],
    "a start that leaves the base weights as they are is needed, which PEFT's save_pretrained() writes with " +
      "path_initial_model_for_weight_conversion",
  ).nullish(),
  lora_bias: only(false),
  use_qalora: only(false),
  use_bdlora: nothing,
  layer_replication: nothing,
  trainable_token_indices: nothing,
  target_parameters: nothing,
  alora_invocation_tokens: nothing,
  arrow_config: nothing,
  megatron_config: nothing,
  enable_lora: nothing,
});

/**
 * Fields that change nothing of what an adapter computes once it is trained: what it was made with, how it was trained, and which
 * maps it was put beside, which its tensors tell.
 */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set([
  ...["auto_mapping", "revision", "task_type", "inference_mode", "peft_version", "runtime_config"],
  ...["lora_dropout", "merge_weights", "megatron_core", "qalora_group_size"],
  ...["exclude_modules", "layers_to_transform", "layers_pattern"],
  ...["loftq_config", "eva_config", "corda_config", "lora_ga_config"],
  ...["target_r", "tinit", "tfinal", "deltaT", "beta1", "beta2", "orth_reg_weight", "total_step"],
]);

/** Null, or what comes to it. */
function isNothing(value: unknown): boolean {
  return value === undefined || value === null || value === false || value === "" ||
    (typeof value === "object" && Object.keys(value).length === 0);
}

/** What is wrong with the fields that nobody here knows, of which files of later programs have some; null where nothing is. */
function unknownField(json: Readonly<Record<string, unknown>>): string | null {
  const found = Object.entries(json).find(([field, value]) =>
    !Object.hasOwn(Config.shape, field) && !WITHOUT_EFFECT.has(field) && !isNothing(value)
  );
  return found === undefined
    ? null
    : `${quote(found[0])} is ${
      show(found[1])
    }, a field that is not known here and may change what the adapter computes`;
}

/** An adapter. */
export interface PeftFolder extends TrainedWeights {
  /** For errors and reports: the folder's path. */
  readonly name: string;
  /** What it calls its base model; null where it says nothing. */
  readonly base: string | null;
  /** The method, e.g. "DoRA". */
  readonly method: string;
  /** True where a parameter that the model uses in several places is replaced in all of them, and not in its own place alone. */
  readonly tiesWeights: boolean;
}

/**
 * Reads an adapter's folder. What it changes in ways that are not known here is refused by name, never passed over.
 *
 * @throws {CheckpointError} where a file is missing or unsound, a field has a value that is not known here, a tensor has no
 * counterpart or another shape than its config says, and where a value is no finite number
 */
export async function readPeftFolder(folder: string): Promise<PeftFolder> {
  const path = `${folder}/${ADAPTER_FILES.config}`;
  const fault = (reason: string) => new CheckpointError(`Cannot read adapter "${folder}": ${reason}`);
  if (!await isFile(path)) throw fault(await lackOf(folder, ADAPTER_FILES.config));
  const json = await readCheckpointJson(
    path,
    (reason, cause) => new CheckpointError(`Cannot read "${path}": ${reason}`, { cause }),
  );
  const parsed = Config.safeParse(json);
  if (!parsed.success) {
    throw new CheckpointError(`Cannot use "${path}": ${explainIssue(parsed.error.issues[0]!, json)}`);
  }
  const unknown = unknownField(json as Readonly<Record<string, unknown>>);
  if (unknown !== null) throw new CheckpointError(`Cannot use "${path}": ${unknown}`);
  for (const field of ["rank_pattern", "alpha_pattern"] as const) {
    const odd = Object.keys(parsed.data[field] ?? {}).find((pattern) => !NAME.test(pattern));
    if (odd !== undefined) {
      throw fault(`${field} has ${quote(odd)}, the name of a linear map or the end of one is needed`);
    }
  }
  if (!await isFile(`${folder}/${ADAPTER_FILES.tensors}`)) {
    const isOld = await isFile(`${folder}/adapter_model.bin`);
    throw fault(
      `it has no ${ADAPTER_FILES.tensors}${
        isOld ? ", and adapter_model.bin is a program's memory, which is not read" : ""
      }`,
    );
  }
  const file = await openSafetensors(`${folder}/${ADAPTER_FILES.tensors}`), config = parsed.data;
  return {
    name: folder,
    base: config.base_model_name_or_path ?? null,
    method: config.peft_type === "ADALORA"
      ? "AdaLoRA"
      : config.use_dora
      ? "DoRA"
      : config.use_rslora
      ? "rsLoRA"
      : "LoRA",
    tiesWeights: config.ensure_weight_tying === true,
    ...weightsOf(file, config, fault),
  };
}

/** Why a folder has no adapter: what is there instead, or the folders below it that have the file. */
async function lackOf(folder: string, file: string): Promise<string> {
  const lack = await lackOfFolder(folder);
  if (lack !== null) return lack;
  const below: string[] = [];
  for (const name of (await system.namesIn(folder)).toSorted()) {
    if (await isFile(`${folder}/${name}/${file}`).catch(() => false)) below.push(name);
  }
  return `it has no ${file}${below.length === 0 ? "" : `, its folders have: ${listNames(below)}`}`;
}

type Fields = z.output<typeof Config>;

/** What a tensor of a linear map is, by its name's end. */
const PARTS = /^(.+)\.lora_(A|B|E|magnitude_vector)(?:\.weight)?$/;

function weightsOf(
  file: Checkpoint,
  config: Fields,
  fault: (reason: string) => CheckpointError,
): TrainedWeights {
  const parts = new Map<string, Map<string, HostValues>>(), whole = new Map<string, HostValues>();
  for (const [name, { shape, data }] of file.tensors) {
    const place = data.findIndex((value) => !Number.isFinite(value));
    if (place >= 0) throw fault(`element ${place} of tensor ${quote(name)} is ${data[place]}`);
    const bare = name.replace(/^base_model\.model\./, ""), [, path, part] = PARTS.exec(bare) ?? [];
    if (path !== undefined) {
      const own = parts.get(path) ?? new Map<string, HostValues>();
      parts.set(path, own.set(part!, { shape, data }));
    } else if (isBias(config) && bare.endsWith(".bias")) {
      // PEFT keeps an adapted map, with its bias, in one of its own.
      whole.set(bare.replace(/\.base_layer\.bias$/, ".bias"), { shape, data });
    } else if (config.modules_to_save?.some((module) => isIn(bare, module))) {
      whole.set(bare, { shape, data });
    } else throw fault(`tensor ${quote(name)} is no part of a low-rank change that is known here`);
  }
  if (parts.size === 0) throw fault("it changes no linear map");
  const saved = config.modules_to_save ?? [];
  // PEFT names both that a classifier may be called by: one of them is there.
  if (saved.length > 0 && !saved.some((module) => [...whole.keys()].some((name) => isIn(name, module)))) {
    throw fault(`its modules_to_save is ${show(saved)}, and it has no tensor of them`);
  }
  return { whole, changes: Array.from(parts, ([path, own]) => changeOf(path, own, config, fault)) };
}

/** Whether a tensor is of a module whose name ends with another: PEFT's "classifier" is a "pre_classifier" too. */
function isIn(tensor: string, module: string): boolean {
  const parts = tensor.split(".");
  return parts.some((_, i) => i > 0 && parts.slice(0, i).join(".").endsWith(module));
}

function isBias({ bias }: Fields): boolean {
  return bias === "all" || bias === "lora_only";
}

function changeOf(
  path: string,
  own: ReadonlyMap<string, HostValues>,
  config: Fields,
  fault: (reason: string) => CheckpointError,
): LowRankChange {
  const a = own.get("A"), b = own.get("B"), e = own.get("E"), magnitude = own.get("magnitude_vector");
  if (!a || !b) {
    throw fault(`${quote(path)} has lora_${a ? "A" : b ? "B" : "E"} alone, lora_A and lora_B are needed`);
  }
  const isTriplets = config.peft_type === "ADALORA";
  const said = patternFor(config.rank_pattern, path), noted = typeof said === "number" ? said : undefined;
  const [rank] = a.shape as [number], [rows, inner] = b.shape;
  const wanted = isTriplets ? rank : noted ?? config.r;
  if (a.shape.length !== 2 || b.shape.length !== 2 || inner !== rank || rank !== wanted || rank === 0) {
    throw fault(
      `the factors of ${quote(path)} have the shapes ${showShape(a.shape)} and ${
        showShape(b.shape)
      }, [${wanted}, in] and [out, ${wanted}] are needed`,
    );
  }
  if (isTriplets !== (e !== undefined)) {
    throw fault(
      `${quote(path)} has ${e ? "a" : "no"} lora_E, which ${config.peft_type} ${e ? "has not" : "has"}`,
    );
  }
  if (Boolean(config.use_dora) !== (magnitude !== undefined)) {
    throw fault(
      `${quote(path)} has ${magnitude ? "a" : "no"} lora_magnitude_vector, though use_dora is ${
        show(config.use_dora)
      }`,
    );
  }
  for (
    const [name, value, count] of [["lora_E", e, rank], ["lora_magnitude_vector", magnitude, rows]] as const
  ) {
    if (value && value.data.length !== count) {
      throw fault(
        `${name} of ${quote(path)} has the shape ${showShape(value.shape)}, ${count} numbers are needed`,
      );
    }
  }
  const alpha = patternFor(config.alpha_pattern, path) ?? config.lora_alpha;
  // PEFT's AdaLoRA keeps the rank as a number that is never 0.
  const divisor = isTriplets ? (config.init_r ?? rank) + 1e-5 : config.use_rslora ? Math.sqrt(rank) : rank;
  return {
    ...{ path, a, b, scale: alpha / divisor },
    ...(e && { e }),
    ...(magnitude && { magnitude }),
  };
}

/** The value of the first name that fits: a whole one, or the end of one. */
function patternFor<V>(
  patterns: Readonly<Record<string, V>> | null | undefined,
  path: string,
): V | undefined {
  return Object.entries(patterns ?? {}).find(([pattern]) => {
    const name = pattern.replace(/^\^/, "");
    return path === name || (name === pattern && path.endsWith(`.${name}`));
  })?.[1];
}
