/**
 * A reference harness for comparing fine-tuning methods on WebGPU: full fine-tuning, LoRA, LoRA-GA, LoRA-Pro and
 * whatever implements the one interface, {@linkcode OptimizerModule}.
 *
 * A map of what is here:
 *
 * - **A run**: {@linkcode openGpu} opens a GPU, {@linkcode train} runs a {@linkcode RunConfig} on it to its
 *   {@linkcode RunResult}, {@linkcode scoreBase} scores a checkpoint before fine-tuning.
 * - **Sweeps and reports**: {@linkcode planSweep}, {@linkcode runSweep}, {@linkcode readSweepFolder},
 *   {@linkcode buildSweepReport}, {@linkcode writeSweepReport}; {@linkcode settle} runs what deciding a question needs.
 * - **Methods**: {@linkcode OptimizerModule} is the interface, {@linkcode attachLowRank} what the LoRA family shares;
 *   those that ship are exported by their names, such as {@linkcode loraPro}.
 * - **Tasks**: {@linkcode Task} is the interface; {@linkcode characterForm}, {@linkcode poolBatches} and
 *   {@linkcode exactMatch} are parts to make one of.
 * - **Models**: {@linkcode ModelEntry}, made by {@linkcode decoder}, {@linkcode encoderDecoder} or {@linkcode vision};
 *   {@linkcode readModelFolder} reads one of Hugging Face's layout.
 * - **Your own beside ours**: {@linkcode OwnEntries} for `train` and sweeps, {@linkcode loadModules} for files.
 * - **Data**: {@linkcode loadData} and {@linkcode findData} read real data, {@linkcode dataSets} lists what is recognised;
 *   {@linkcode parseTokenizerJson} and {@linkcode trainByteLevelBpe} make tokenizers.
 * - **Below**: {@linkcode Gpu} and its tensors, {@linkcode kernels} without gradients, {@linkcode Tape} with them.
 * - **Errors**: {@linkcode UserError} is what the caller can mend; so are {@linkcode DataError} and
 *   {@linkcode CheckpointError}.
 *
 * ```ts ignore
 * import { openGpu, train } from "@equivalent-gradient/harness";
 *
 * await using gpu = await openGpu();
 * const result = await train(gpu, {
 *   schema: 1,
 *   task: { id: "digits", trainExamples: 2000, validationExamples: 256, testExamples: 500 },
 *   model: { id: "vit-tiny" },
 *   targetModules: ["*"],
 *   optimizer: { id: "lora-pro", options: { rank: 8 } },
 *   steps: 100,
 *   batchSize: 32,
 *   accumulate: 1,
 *   schedule: { kind: "cosine", learningRate: 4e-3, warmup: 8, floor: 0 },
 *   clip: 1,
 *   validateEvery: 20,
 *   telemetryEvery: 20,
 *   scoreOn: "validation",
 *   seed: 0,
 * });
 * ```
 *
 * @module
 */
export * from "./gpu/mod.ts";
export * from "./autodiff/mod.ts";
export type { Activation, RowGather } from "./kernels/mod.ts";
/** Kernels without gradients: tensors in, tensors out. */
export * as kernels from "./kernels/mod.ts";
export * from "./models/base_weights.ts";
export {
  type AdapterHead,
  checkpointEntry,
  decoder,
  encoderDecoder,
  type EntryOf,
  type ModelEntry,
  type ModelSize,
  type PretrainingRecipe,
  vision,
} from "./models/entry.ts";
export * from "./models/model.ts";
export * from "./models/architecture.ts";
export * from "./models/decoder.ts";
export * from "./models/gpt2.ts";
export * from "./models/text_classifier.ts";
export * from "./models/use_lite.ts";
export * from "./models/image_classifier.ts";
export * from "./models/encoder_stack.ts";
export * from "./models/encoder_decoder.ts";
export * from "./models/vision.ts";
export * from "./models/weights.ts";
export * from "./models/parameter_kind.ts";
export * from "./models/weight_kind.ts";
export * from "./models/checkpoints/checkpoint.ts";
export * from "./models/checkpoints/read_safetensors.ts";
export * from "./models/checkpoints/write_safetensors.ts";
export * from "./models/checkpoints/checkpoint_folder.ts";
export * from "./models/clip_encoder.ts";
export * from "./models/clip_text.ts";
export * from "./models/checkpoints/hugging_face.ts";
export * from "./models/checkpoints/model_folder.ts";
export * from "./models/checkpoints/open_clip.ts";
export * from "./models/sizes.ts";
export * from "./models/tape_tensors.ts";
export * from "./models/zero_shot.ts";
export * from "./numerics/random.ts";
export * from "./optimizers/optimizer.ts";
export * from "./optimizers/mod.ts";
export type { AdaloraOptions } from "./optimizers/adalora/adalora.ts";
export * from "./optimizers/adamw.ts";
export type { AltloraOptions } from "./optimizers/altlora.ts";
export type { DoraOptions } from "./optimizers/dora/dora.ts";
export type { FullOptions } from "./optimizers/full.ts";
export type { BaseOptions } from "./optimizers/base_optimizers/base_rule.ts";
export type { LoraOptions } from "./optimizers/lora.ts";
export type { LoraFaOptions } from "./optimizers/lora_fa.ts";
export type { GradientStartOptions, LoraGaOptions } from "./optimizers/lora_ga.ts";
export type { LoraGaProOptions } from "./optimizers/lora_ga_pro.ts";
export type { LoraOneOptions } from "./optimizers/lora_one.ts";
export type { LoraPlusOptions } from "./optimizers/lora_plus.ts";
export type { LoraProOptions } from "./optimizers/lora_pro/lora_pro.ts";
export type { LoraMuonOptions } from "./optimizers/lora_muon/lora_muon.ts";
export type { LoraRiteOptions } from "./optimizers/lora_rite/lora_rite.ts";
export type { LoraSbOptions } from "./optimizers/lora_xs/lora_sb.ts";
export type { LoraXsOptions } from "./optimizers/lora_xs/lora_xs.ts";
export type { GaloreOptions } from "./optimizers/galore/galore.ts";
export type { HiraOptions } from "./optimizers/hira/hira.ts";
export type { Ia3Options } from "./optimizers/floors/ia3.ts";
export type { RandloraOptions } from "./optimizers/floors/randlora.ts";
export type { VeraOptions } from "./optimizers/floors/vera.ts";
export type { LoftOptions } from "./optimizers/loft/loft.ts";
export * from "./optimizers/low_rank.ts";
export * from "./optimizers/module_weight.ts";
export type { MissOptions } from "./optimizers/miss/miss.ts";
export type { OftOptions } from "./optimizers/oft/oft.ts";
export type { PissaOptions, WeightSvdOptions } from "./optimizers/pissa.ts";
export type { ReloraOptions } from "./optimizers/relora/relora.ts";
export type { RsloraOptions } from "./optimizers/rslora.ts";
export type { ScaledAdamwOptions } from "./optimizers/scaled_adamw.ts";
export type { CordaOptions, InputStartOptions, KnowledgeStartOptions } from "./optimizers/starts/starts.ts";
export type { ShiraOptions } from "./optimizers/shira/shira.ts";
export * from "./tasks/task.ts";
export * from "./tasks/mod.ts";
export { passAtK } from "./tasks/code/pass_at_k.ts";
export * from "./tasks/math/final_answer.ts";
export { characterTokenizer, type PairPart, type Tokenizer } from "./tasks/text/tokenizer.ts";
export {
  type ByteLevelBpe,
  createByteLevelBpe,
  type Merge,
  parseTokenizerJson,
  type TokenizerJson,
  tokenizerJson,
} from "./tasks/text/byte_level_bpe.ts";
export { trainByteLevelBpe } from "./tasks/text/train_byte_level_bpe.ts";
export * from "./tasks/text/hugging_face_tokenizer.ts";
export * from "./tasks/text/prompt_templates.ts";
export { answerBatch, promptTokens, type TextExample } from "./tasks/text/text_batch.ts";
export type { ChatTokens } from "./tasks/text/chat_tokens.ts";
export * from "./tasks/data/contents.ts";
export { DataError, TooFewExamples } from "./tasks/data/data_error.ts";
export type { DataSet, Folder, Part, Role } from "./tasks/data/data_set.ts";
export {
  dataSetsOf,
  type Duplicates,
  findData,
  fingerprintData,
  type FoundData,
  loadData,
  type RealData,
  type Taking,
} from "./tasks/data/load.ts";
/** The data sets that are recognised. */
export * as dataSets from "./tasks/data/mod.ts";
export { describeRecord, type ReadRecord } from "./tasks/data/read_record.ts";
export { describeSkip, isSkip, type Skip, type SkipReason } from "./tasks/skip.ts";
export type { ColumnRole, DataKind, DataLayout, DataScore } from "./tasks/own/layout.ts";
export { poolBatches } from "./tasks/batches.ts";
export * from "./tasks/examples.ts";
export { exactMatch } from "./tasks/text/exact_match.ts";
export { characterForm, type TextForm } from "./tasks/text/text_form.ts";
export * from "./training/run.ts";
export {
  buildSweepReport,
  type OwnDataRequest,
  type PlannedSweep,
  planSweep,
  readSweepFolder,
  runSweep,
  settle,
  type SettledQuestion,
  type SettleRequest,
  type StoredSweep,
  type SweepChanges,
  type SweepChart,
  type SweepOptions,
  type SweepProgress,
  type SweepReport,
  type SweepRequest,
  type SweepResults,
  type Verdict,
  writeSweepReport,
} from "./benchmarks/mod.ts";
export { scoreBase } from "./training/scoring/score_base.ts";
export * from "./errors/user_error.ts";
export type { Progress, TrainHooks } from "./training/loop/progress.ts";
export type { Trained, TrainedTensor } from "./training/loop/trained.ts";
export { encodeTrained } from "./training/loop/trained_file.ts";
export { type CheckpointPlace, removeCheckpoints } from "./training/checkpoint/checkpoints.ts";
export { Interrupted } from "./training/checkpoint/interrupted.ts";
export type { KeepingHooks } from "./training/checkpoint/keeper.ts";
export type { OwnEntries } from "./training/registry.ts";
export { type LoadedEntries, loadModules } from "./training/resolve/modules.ts";
export { train, type TrainOptions } from "./training/train.ts";
