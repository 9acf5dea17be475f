/** @file Which method of PEFT's is which of ours: names in both directions. */
import type { RunConfig } from "../../../training/run.ts";
import { optionsWithoutRank, rankOf } from "../../sweep/method.ts";
import type { PeftReading, PeftResult } from "./peft_format.ts";

type PeftConfig = PeftResult["run_info"]["peft_config"];

/** What says in PEFT's configs which method a run used. */
interface Naming {
  /** `peft_config.peft_type`; null where there is no such config: full fine-tuning. */
  readonly type: string | null;
  /** Further fields of `peft_config`. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** `train_config.optimizer_type`. */
  readonly optimizer?: string;
}

/** Methods that PEFT has too. Others of the LoRA family are a LORA with the method's id for an optimizer. */
const namings: Readonly<Record<string, Naming>> = {
  full: { type: null },
  lora: { type: "LORA" },
  rslora: { type: "LORA", fields: { use_rslora: true } },
  dora: { type: "LORA", fields: { use_dora: true } },
  pissa: { type: "LORA", fields: { init_lora_weights: "pissa" } },
  "lora-ga": { type: "LORA", fields: { init_lora_weights: "lora_ga" } },
  adalora: { type: "ADALORA" },
  "lora-plus": { type: "LORA", optimizer: "lora+" },
  "lora-fa": { type: "LORA", optimizer: "lora-fa" },
};

const ADAMW = "AdamW";
/** Options that have a field of their own in `peft_config`. */
const inConfig: readonly string[] = ["alpha", "scaling"];

/** How PEFT's configs would say a run's method, with its rank, alpha and scale where PEFT has fields for them. */
export function peftMethodOf(config: RunConfig): {
  readonly peftConfig: PeftConfig;
  readonly optimizerType: string;
  readonly optimizerKwargs: { readonly lr: number } & Readonly<Record<string, unknown>>;
} {
  const { optimizer, schedule, model, targetModules } = config;
  const { type, fields, optimizer: optimizerType = ADAMW }: Naming = namings[optimizer.id] ??
    { type: "LORA", optimizer: optimizer.id };
  const { alpha, scaling } = optimizer.options;
  const rest = Object.entries(optionsWithoutRank(optimizer)).filter(([name]) => !inConfig.includes(name));
  return {
    peftConfig: type === null ? null : {
      task_type: null,
      peft_type: type,
      base_model_name_or_path: model.id,
      r: rankOf(optimizer),
      target_modules: [...targetModules],
      ...alpha !== undefined && { lora_alpha: alpha },
      ...type === "LORA" &&
        { init_lora_weights: true, use_dora: false, use_rslora: scaling === "alpha/sqrt(r)" },
      ...fields,
    },
    optimizerType,
    optimizerKwargs: { ...Object.fromEntries(rest), lr: schedule.learningRate },
  };
}

/** The id of our method that a run of PEFT's used; null where it is none of them. */
export function methodOfPeft({ train_config, peft_config }: PeftReading["run_info"]): string | null {
  if (peft_config === null) return "full";
  const { peft_type } = peft_config, { optimizer_type: optimizer = ADAMW } = train_config;
  if (peft_type === "ADALORA") return "adalora";
  if (peft_type !== "LORA") return null;
  const rule = Object.keys(namings).find((id) => namings[id]!.optimizer === optimizer);
  if (rule !== undefined) return rule;
  const { init_lora_weights: start = true, use_dora: dora, use_rslora: scaled } = peft_config;
  // Ours that PEFT lacks; of theirs that we lack nobody knows what they are.
  if (optimizer !== ADAMW) return /^[a-z0-9][a-z0-9-]*$/.test(optimizer) ? optimizer : null;
  if (dora === true) return start === true ? "dora" : null;
  if (typeof start === "string") {
    return start.startsWith("pissa") ? "pissa" : start === "lora_ga" ? "lora-ga" : null;
  }
  return start === false ? null : scaled === true ? "rslora" : "lora";
}
