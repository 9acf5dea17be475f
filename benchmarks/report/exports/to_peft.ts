/** @file A run as a result file of Hugging Face PEFT's method comparison. */
import type { KnownModel, Registries } from "../../../training/configuration.ts";
import { resolveModel } from "../../../training/configuration.ts";
import type { Point, RunConfig } from "../../../training/run.ts";
import { UserError } from "../../../errors/user_error.ts";
import { rankOf } from "../../sweep/method.ts";
import { mean } from "../../statistics/statistics.ts";
import { riseOf } from "../../study/forgetting.ts";
import type { DoneRun } from "../../study/study.ts";
import type { PeftResult } from "./peft_format.ts";
import { peftMethodOf } from "./peft_methods.ts";

/** What PEFT's comparison calls the types of frozen weights. */
const DTYPES = { f32: "float32", f16: "float16", int8: "int8", nf4: "int4" } as const;

/** What `meta_info.pytorch_info` says of a run that used none: how its figures are to be read. */
function reading({ environment, config }: DoneRun): string {
  const { deno, backend, commit } = environment;
  return [
    `No PyTorch: the equivalent-gradient harness, commit ${commit}, run ${config.optimizer.id}, Deno ${deno}, ` +
    `WebGPU on ${backend}.`,
    "accelerator_memory_max is the most bytes of live tensors while attaching and training. The harness takes no average " +
    "and no percentile: accelerator_memory_reserved_avg and _99th repeat it.",
    "train_time is attaching plus steps at their median time, without validation; metrics' train time and tokens / sec " +
    "come from the same median. Tokens count padding. file_size is four bytes for each trained parameter.",
    "forgetting is the rise of the loss on held-out examples of what the base checkpoint was pre-trained on, not on Wikipedia.",
    "null is what the harness does not measure.",
  ].join("\n");
}

/** The name of a run among PEFT's experiments, method and setting: "lora/vit-tiny-digits-rank2-lr_0.001-seed0-1925b143c02b0795". */
export function experimentOf({ id, config }: DoneRun): string {
  const { optimizer, model, task, schedule, seed } = config, rank = rankOf(optimizer);
  const setting = [
    model.id,
    task.id,
    ...rank === null ? [] : [`rank${rank}`],
    `lr_${schedule.learningRate}`,
    `seed${seed}`,
    id,
  ];
  return `${optimizer.id}/${setting.join("-")}`;
}

/** Where PEFT would put a result: "lora--vit-tiny-….json". */
export function peftFileName(run: DoneRun): string {
  return `${experimentOf(run).replace("/", "--")}.json`;
}

/**
 * A run that was scored on test data as PEFT's result file.
 *
 * @param registries where the model's sizes are from; a model from a folder must be among them, see `withFolders`
 * @param dataTitle what the task's examples are called, e.g. "MetaMathQA and GSM8K"
 * @throws {UserError} where the run was scored on validation data, which is no test, where it kept no loss or measured no
 * step by itself, and where its
 * model is no longer known
 */
export function toPeft(run: DoneRun, registries: Registries, dataTitle: string): PeftResult {
  const { config, environment, outcome } = run, { cost, trainLoss } = outcome;
  if (config.scoreOn !== "test") {
    throw new UserError(
      `Cannot export run ${run.id} for PEFT: it was scored on validation data, test data is needed`,
    );
  }
  const windows = windowsOf(config, trainLoss), last = windows.at(-1);
  if (!last) throw new UserError(`Cannot export run ${run.id} for PEFT: it kept no loss`);
  if (cost.medianStepMs === null || cost.peakBytes === null) {
    throw new UserError(
      `Cannot export run ${run.id} for PEFT: telemetry measured each of its steps, so that it has no time and no peak of a step by itself`,
    );
  }
  const { tokens, parameters } = modelOf(run, registries).architecture;
  const { peftConfig, optimizerType, optimizerKwargs } = peftMethodOf(config);
  const stepSeconds = cost.medianStepMs / 1000, tokensAStep = config.batchSize * tokens;
  const bytes = cost.peakBytes, forgetting = riseOf(run);
  return {
    run_info: {
      created_at: environment.startedAt.replace(/(\.\d+)?Z$/, "+00:00"),
      total_time: cost.totalMs / 1000,
      experiment_name: experimentOf(run),
      peft_branch: "equivalent-gradient",
      train_config: {
        model_id: config.model.id,
        dtype: DTYPES[config.memory?.frozenWeights ?? "f32"],
        max_seq_length: tokens,
        batch_size: config.batchSize,
        batch_size_eval: null,
        max_steps: config.steps,
        eval_steps: Math.min(config.validateEvery, config.steps),
        compile: false,
        use_gc: (config.memory?.checkpointing ?? "none") !== "none",
        query_template: "{query}",
        seed: config.seed,
        grad_norm_clip: config.clip,
        optimizer_type: optimizerType,
        optimizer_kwargs: optimizerKwargs,
        lr_scheduler: config.schedule.kind === "constant" ? null : config.schedule.kind,
        use_amp: false,
        autocast_adapter_dtype: true,
        generation_kwargs: {},
        attn_implementation: null,
        init_kv_cache_prefix: null,
      },
      peft_config: peftConfig,
      error_msg: "",
    },
    train_info: {
      accelerator_memory_reserved_avg: bytes,
      accelerator_memory_max: bytes,
      accelerator_memory_reserved_99th: bytes,
      train_time: cost.attachMs / 1000 + config.steps * stepSeconds,
      file_size: 4 * cost.trainableParameters,
      num_trainable_params: cost.trainableParameters,
      num_total_params: parameters + (peftConfig === null ? 0 : cost.trainableParameters),
      status: "success",
      metrics: [
        ...windows.map(({ step, steps, loss }) => ({
          step,
          "valid accuracy": null,
          "train loss": loss,
          "train samples": step * config.batchSize,
          "train time": steps * stepSeconds,
          "eval time": null,
          "tokens / sec": stepSeconds > 0 ? tokensAStep / stepSeconds : 0,
          "mem allocated avg": null,
          "mem reserved avg": null,
          "elapsed time": null,
        })),
        {
          step: config.steps,
          "test accuracy": outcome.score,
          "train loss": last.loss,
          "train samples": config.steps * config.batchSize,
          "train total tokens": config.steps * tokensAStep,
          ...forgetting !== null && { forgetting },
        },
      ],
    },
    meta_info: {
      model_info: { sha: config.model.fingerprint ?? null, created_at: null },
      dataset_info: { [dataTitle]: { sha: outcome.data?.fingerprint ?? null, created_at: null } },
      package_info: {
        "transformers-version": null,
        "transformers-commit-hash": null,
        "peft-version": null,
        "peft-commit-hash": null,
        "datasets-version": null,
        "datasets-commit-hash": null,
        "bitsandbytes-version": null,
        "bitsandbytes-commit-hash": null,
        "torch-version": null,
        "torch-commit-hash": null,
        "deno-version": environment.deno,
        "equivalent-gradient-commit-hash": environment.commit,
      },
      // Python's platform module says "" where it knows nothing, and a run of ours may not ask.
      system_info: {
        system: "",
        release: "",
        version: "",
        machine: "",
        processor: "",
        accelerator: environment.adapter,
      },
      pytorch_info: reading(run),
    },
  };
}

function modelOf({ id, config }: DoneRun, registries: Registries): KnownModel {
  try {
    return resolveModel(config.model, registries.models, `run ${id}`);
  } catch (error) {
    if (!(error instanceof UserError) && !(error instanceof RangeError)) throw error;
    throw new UserError(
      `Cannot export run ${id} for PEFT: the sizes of its model "${config.model.id}" are not known`,
    );
  }
}

/** The steps between two validations: the last one, how many, and the mean of their losses. Without a loss they are left out. */
function windowsOf(
  { steps, validateEvery }: RunConfig,
  losses: readonly Point[],
): { readonly step: number; readonly steps: number; readonly loss: number }[] {
  return Array.from({ length: Math.ceil(steps / validateEvery) }, (_, i) => i * validateEvery).flatMap(
    (before) => {
      const step = Math.min(steps, before + validateEvery);
      const own = losses.filter((point) => point.step > before && point.step <= step);
      return own.length === 0
        ? []
        : [{ step, steps: step - before, loss: mean(own.map(({ value }) => value)) }];
    },
  );
}
