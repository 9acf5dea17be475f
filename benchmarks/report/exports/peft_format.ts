/**
 * @file The result files of Hugging Face PEFT's method comparison, `method_comparison/MetaMathQA/results/*.json`, keys with
 * spaces and all: as they are written, which this harness does too, and as much of them as is read here.
 *
 * Source: `log_results` in `method_comparison/MetaMathQA/utils.py`, `train` in `run.py` and the files themselves, in
 * github.com/huggingface/peft; `TrainConfig` is the dataclass in `utils.py`.
 */
import { z } from "zod";

const bytes = z.int().min(0);
const count = z.int().min(0);

/** What training was asked to do. Null is what this harness has no such thing of. */
const TrainConfig = z.strictObject({
  model_id: z.string(),
  dtype: z.enum(["float32", "float16", "bfloat16", "int8", "int4"]),
  max_seq_length: z.int().min(0),
  batch_size: z.int().min(1),
  batch_size_eval: z.int().min(1).nullable(),
  max_steps: z.int().min(1),
  eval_steps: z.int().min(1),
  compile: z.boolean(),
  // Since 2026.
  use_gc: z.boolean().exactOptional(),
  query_template: z.string().includes("{query}"),
  seed: z.int(),
  grad_norm_clip: z.number().min(0),
  optimizer_type: z.string(),
  optimizer_kwargs: z.looseObject({ lr: z.number() }),
  // Theirs know "cosine" and none.
  lr_scheduler: z.string().nullable(),
  use_amp: z.boolean(),
  autocast_adapter_dtype: z.boolean(),
  generation_kwargs: z.record(z.string(), z.unknown()),
  attn_implementation: z.string().nullable(),
  // Since 2026.
  init_kv_cache_prefix: z.string().nullable().exactOptional(),
});

/** What was measured between two evaluations. Null is what this harness does not measure. */
const Evaluation = z.strictObject({
  step: count,
  "valid accuracy": z.number().nullable(),
  "train loss": z.number(),
  "train samples": count,
  // Files of June 2025 say "train loss" twice.
  "loss avg": z.number().exactOptional(),
  "train time": z.number().min(0),
  "eval time": z.number().min(0).nullable(),
  "tokens / sec": z.number().min(0),
  "mem allocated avg": z.number().nullable(),
  "mem reserved avg": z.number().nullable(),
  "elapsed time": z.number().min(0).nullable(),
});

/** The last of the metrics: the test. */
const Test = z.strictObject({
  step: count,
  "test accuracy": z.number().min(0).max(1),
  "train loss": z.number(),
  "train samples": count,
  "train total tokens": count,
  // Since 2026: how much the loss on Wikipedia's text rose.
  forgetting: z.number().exactOptional(),
});

const nullableText = z.string().nullable();
const Origin = z.strictObject({ sha: nullableText, created_at: nullableText });

const trainInfo = {
  train_time: z.number().min(0),
  file_size: bytes,
  // Since the end of June 2025.
  num_trainable_params: count.exactOptional(),
  num_total_params: count.exactOptional(),
  status: z.enum(["success", "failed", "canceled"]),
  metrics: z.array(z.union([Evaluation, Test])),
};

/** A result file as PEFT writes it: every key, none beside. */
export const PeftResult = z.strictObject({
  run_info: z.strictObject({
    created_at: z.string(),
    total_time: z.number().min(0),
    experiment_name: z.string(),
    peft_branch: z.string(),
    train_config: TrainConfig,
    peft_config: z.looseObject({ peft_type: z.string() }).nullable(),
    error_msg: z.string().exactOptional(),
  }),
  train_info: z.union([
    z.strictObject({
      accelerator_memory_reserved_avg: bytes,
      accelerator_memory_max: bytes,
      accelerator_memory_reserved_99th: bytes,
      ...trainInfo,
    }),
    // As the same were called until July 2025.
    z.strictObject({
      cuda_memory_reserved_avg: bytes,
      cuda_memory_max: bytes,
      cuda_memory_reserved_99th: bytes,
      ...trainInfo,
    }),
  ]),
  meta_info: z.strictObject({
    model_info: Origin,
    dataset_info: z.record(z.string(), Origin),
    package_info: z.object({
      "transformers-version": nullableText,
      "transformers-commit-hash": nullableText,
      "peft-version": nullableText,
      "peft-commit-hash": nullableText,
      "datasets-version": nullableText,
      "datasets-commit-hash": nullableText,
      "bitsandbytes-version": nullableText,
      "bitsandbytes-commit-hash": nullableText,
      "torch-version": nullableText,
      "torch-commit-hash": nullableText,
    }).catchall(nullableText),
    system_info: z.object({
      system: z.string(),
      release: z.string(),
      version: z.string(),
      machine: z.string(),
      processor: z.string(),
      // Called "gpu" until July 2025.
    }).catchall(z.string()),
    pytorch_info: z.string(),
  }),
});
/** See above. */
export type PeftResult = z.infer<typeof PeftResult>;

/** What is read of a result file, whatever else is in it. */
export const PeftReading = z.looseObject({
  run_info: z.looseObject({
    experiment_name: z.string().min(1),
    train_config: z.looseObject({ model_id: z.string().min(1), optimizer_type: z.string().optional() }),
    peft_config: z.looseObject({ peft_type: z.string(), r: z.unknown() }).nullable(),
    error_msg: z.string().optional(),
  }),
  train_info: z.looseObject({
    status: z.string(),
    train_time: z.number().min(0),
    num_trainable_params: count.optional(),
    metrics: z.array(z.record(z.string(), z.unknown())),
  }),
  meta_info: z.looseObject({
    dataset_info: z.record(z.string(), z.unknown()),
    system_info: z.record(z.string(), z.unknown()),
  }),
});
/** See above. */
export type PeftReading = z.infer<typeof PeftReading>;

/** The test's figures in the last of the metrics. */
export const PeftTest = z.looseObject({ "test accuracy": z.number().min(0).max(1) });

/** Bytes under either of their names. */
export const PeftMemory = z.union([
  z.looseObject({ accelerator_memory_max: bytes, accelerator_memory_reserved_avg: bytes }).transform((
    info,
  ) => ({
    most: info.accelerator_memory_max,
    average: info.accelerator_memory_reserved_avg,
  })),
  z.looseObject({ cuda_memory_max: bytes, cuda_memory_reserved_avg: bytes }).transform((info) => ({
    most: info.cuda_memory_max,
    average: info.cuda_memory_reserved_avg,
  })),
]);
