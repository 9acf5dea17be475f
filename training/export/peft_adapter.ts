/**
 * @file What a run trained in the format of Hugging Face's PEFT, in two forms: `native`, as PEFT's own classes would have it,
 * and `portable`, plain LoRA, which all programs read that read adapters.
 *
 * Source: https://github.com/huggingface/peft: LoraConfig, AdaLoraConfig, get_peft_model_state_dict; llama.cpp's
 * convert_lora_to_gguf.py and vLLM's PEFTHelper for what portable adapters may not have.
 */
import {
  type HostValues,
  type LowRankChange,
  pairOf,
  type TrainedWeights,
} from "../../models/adapters/low_rank_change.ts";
import { isTurned } from "../../models/checkpoints/turned.ts";
import type { ModelFamily } from "../../models/model.ts";
import type { RunConfig } from "../run.ts";

/** The forms. */
export type AdapterForm = "native" | "portable";

/** An adapter's two files. */
export interface PeftAdapter {
  /** `adapter_config.json`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** `adapter_model.safetensors`. */
  readonly tensors: ReadonlyMap<string, HostValues>;
}

/** What an adapter is of. */
export interface AdapterFacts {
  readonly config: Pick<RunConfig, "optimizer" | "steps">;
  readonly family: ModelFamily;
  /** Where its base model is: a name of the hub, or a path. */
  readonly base: string;
  /** Its commit at the hub; null where it is not from there. */
  readonly revision: string | null;
  /** Every map that the model has, by its name in the whole model: also those that are not adapted here, and by PEFT would be. */
  readonly modules: readonly string[];
  /** Its biases, by name. */
  readonly biases: readonly string[];
  /** Parameters that it uses in several places, by name. */
  readonly shared: readonly string[];
}

const PREFIX = "base_model.model.";

const TASK_TYPES: Readonly<Record<ModelFamily, string | null>> = {
  decoder: "CAUSAL_LM",
  "encoder-decoder": "SEQ_2_SEQ_LM",
  encoder: "SEQ_CLS",
  vision: null,
};

/**
 * The adapter of what was trained, or why there is none of that form.
 *
 * A start that was taken out of the weight is put in again by a pair of twice the rank, in both forms. `portable` has
 * alpha = s · rank and so means the same whatever a reader knows of rank-stabilized scaling.
 */
export function toPeft(
  { changes, whole }: TrainedWeights,
  form: AdapterForm,
  facts: AdapterFacts,
): PeftAdapter | string {
  if (changes.length === 0) return "what it trained was kept as whole weights, not as a low-rank change";
  if (form === "portable" && whole.size > 0) {
    return `${[...whole.keys()][0]} was trained itself, which few readers of adapters know`;
  }
  const shared = facts.shared.find((name) => whole.has(name));
  if (shared !== undefined) {
    return `${shared} was trained itself, which PEFT would change in one of its places alone`;
  }
  const biases = facts.biases.filter((name) => whole.has(name));
  if (
    biases.length > 0 && biases.length < facts.biases.length && !biases.every((name) => isSaved(name, whole))
  ) {
    return "some of the biases were trained, and PEFT keeps all of them or none";
  }
  if (form === "portable" && changes.some(({ magnitude }) => magnitude)) {
    return "DoRA's lengths of rows are no low-rank change";
  }
  const isTriplets = changes.every(({ e }) => e !== undefined);
  return form === "native" && isTriplets
    ? adaloraAdapter(changes, whole, facts)
    : loraAdapter(changes, whole, form, facts);
}

function loraAdapter(
  changes: readonly LowRankChange[],
  whole: TrainedWeights["whole"],
  form: AdapterForm,
  facts: AdapterFacts,
): PeftAdapter {
  const stabilized = form === "native" && facts.config.optimizer.options["scaling"] === "alpha/sqrt(r)";
  const parts = changes.map((change) => {
    const { a, b } = pairOf(change), [rank] = a.shape as [number];
    return { ...change, a, b, rank, alpha: change.scale * (stabilized ? Math.sqrt(rank) : rank) };
  }).filter(({ rank }) => rank > 0);
  // What most have is said once.
  const rank = commonest(parts.map((one) => one.rank)), alpha = commonest(parts.map((one) => one.alpha));
  const others = (of: (part: typeof parts[number]) => number, standard: number) =>
    Object.fromEntries(parts.filter((one) => of(one) !== standard).map((one) => [one.path, of(one)]));
  const tensors = new Map(parts.flatMap(({ path, a, b, magnitude }) => [
    [`${PREFIX}${path}.lora_A.weight`, a] as const,
    [`${PREFIX}${path}.lora_B.weight`, b] as const,
    ...magnitude ? [[`${PREFIX}${path}.lora_magnitude_vector`, magnitude] as const] : [],
  ]));
  return withWhole(tensors, whole, parts.map(({ path }) => path), {
    peft_type: "LORA",
    ...commonFields(parts.map(({ path }) => path), whole, facts),
    r: rank,
    lora_alpha: alpha,
    lora_dropout: 0,
    use_rslora: stabilized,
    use_dora: parts.some(({ magnitude }) => magnitude),
    rank_pattern: others((one) => one.rank, rank),
    alpha_pattern: others((one) => one.alpha, alpha),
    init_lora_weights: true,
    layers_to_transform: null,
    layers_pattern: null,
  });
}

/** PEFT divides alpha by the initial rank and 1e-5, which is in s already. */
function adaloraAdapter(
  changes: readonly LowRankChange[],
  whole: TrainedWeights["whole"],
  facts: AdapterFacts,
): PeftAdapter {
  const [{ a, scale }] = changes as [LowRankChange],
    [rank] = a.shape as [number],
    { options } = facts.config.optimizer;
  const tensors = new Map(changes.flatMap(({ path, a, b, e }) => [
    [`${PREFIX}${path}.lora_A`, a] as const,
    [`${PREFIX}${path}.lora_B`, b] as const,
    [`${PREFIX}${path}.lora_E`, { shape: [rank, 1], data: e!.data }] as const,
  ]));
  return withWhole(tensors, whole, changes.map(({ path }) => path), {
    peft_type: "ADALORA",
    ...commonFields(changes.map(({ path }) => path), whole, facts),
    r: rank,
    init_r: rank,
    target_r: options["rank"],
    lora_alpha: scale * (rank + 1e-5),
    lora_dropout: 0,
    tinit: options["tinit"],
    tfinal: options["tfinal"],
    deltaT: options["deltaT"],
    beta1: options["importanceBeta"],
    beta2: options["uncertaintyBeta"],
    orth_reg_weight: options["orthogonality"],
    total_step: facts.config.steps,
    use_rslora: false,
    use_dora: false,
    rank_pattern: null,
  });
}

function withWhole(
  tensors: ReadonlyMap<string, HostValues>,
  whole: TrainedWeights["whole"],
  adapted: readonly string[],
  config: Readonly<Record<string, unknown>>,
): PeftAdapter {
  // PEFT puts an adapted map, with its bias, into one of its own.
  const placed = (name: string) => {
    const path = name.replace(/\.bias$/, "");
    return path !== name && adapted.includes(path) ? `${PREFIX}${path}.base_layer.bias` : PREFIX + name;
  };
  return {
    config,
    tensors: new Map([...tensors, ...[...whole].map(([name, value]) => [placed(name), value] as const)]),
  };
}

/** True where a bias goes with the weight of its module, which is saved as a whole: a norm's. */
function isSaved(bias: string, whole: TrainedWeights["whole"]): boolean {
  return whole.has(bias.replace(/\.bias$/, ".weight"));
}

function commonFields(
  paths: readonly string[],
  whole: TrainedWeights["whole"],
  { family, base, revision, modules, biases }: AdapterFacts,
): Readonly<Record<string, unknown>> {
  const isAlone = (name: string) => biases.includes(name) && !isSaved(name, whole);
  const holders = [...whole.keys()].filter((name) => !isAlone(name)).map((name) =>
    /\.(weight|bias)$/.test(name) ? name.replace(/\.(weight|bias)$/, "") : name.replace(/\.[^.]*$/, "")
  );
  // A module is saved with those in it.
  const saved = holders.filter((path) => !holders.some((other) => path.startsWith(`${other}.`)));
  const names = [...new Set(saved.map((path) => path.split(".").at(-1)!))];
  return {
    task_type: TASK_TYPES[family],
    base_model_name_or_path: base,
    revision,
    inference_mode: true,
    target_modules: shortNames(paths, modules),
    modules_to_save: names.length > 0 ? names : null,
    bias: [...whole.keys()].some(isAlone) ? "all" : "none",
    fan_in_fan_out: paths.every((path) => isTurned(`${path}.weight`)),
  };
}

/** By their last part where all maps of that part are adapted, as PEFT's users write them; else in full. */
function shortNames(paths: readonly string[], modules: readonly string[]): string[] {
  const last = (path: string) => path.split(".").at(-1)!;
  const isWhole = (name: string) =>
    modules.filter((one) => last(one) === name).every((one) => paths.includes(one));
  return [...new Set(paths.map((path) => isWhole(last(path)) ? last(path) : path))].sort();
}

function commonest(values: readonly number[]): number {
  const groups = [...Map.groupBy(values, (value) => value).values()];
  return groups.reduce((most, own) => own.length > most.length ? own : most, [])[0] ?? 1;
}
