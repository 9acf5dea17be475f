/** @file Reads result files of Hugging Face PEFT's method comparison, its own and those that `toPeft` writes. */
import { parseWith } from "../../../training/configuration.ts";
import { UserError } from "../../../errors/user_error.ts";
import { readText, reasonOf } from "../../../files/write_file.ts";
import { PeftMemory, PeftReading, PeftTest } from "./peft_format.ts";
import { methodOfPeft } from "./peft_methods.ts";

/** A run of somebody else's, as far as it can be held against ours. */
export interface PeftRun {
  /** The file's name, without the folder. */
  readonly file: string;
  /** PEFT's name of it, e.g. "lora/llama-3.2-3B-rank32". */
  readonly experiment: string;
  /** e.g. "LORA", or "full-finetuning". */
  readonly type: string;
  /** The id of the same method here, perhaps one that this version does not know; null where there is none. */
  readonly method: string | null;
  /** The rank r; null where its config has no such number. */
  readonly rank: number | null;
  /** The data sets in use, e.g. "MetaMathQA and GSM8K". */
  readonly data: string;
  /** e.g. "meta-llama/Llama-3.2-3B". */
  readonly model: string;
  /** What it ran on. */
  readonly accelerator: string;
  /** Accuracy on test data, 0 to 1. */
  readonly score: number;
  /** Most bytes that its allocator had reserved at once, less those before the run. */
  readonly memoryMax: number;
  /** Mean over steps of the reserved bytes. */
  readonly memoryAverage: number;
  /** Mean over its steps, in milliseconds; null where it does not tell. */
  readonly stepMs: number | null;
  /** Seconds of the training, the test at its end included, without validation. */
  readonly trainSeconds: number;
  /** Numbers that it trained; null in older files, which do not tell. */
  readonly trainableParameters: number | null;
}

/** What was read, and sentences about files that can't be used. */
export interface PeftRuns {
  readonly runs: readonly PeftRun[];
  readonly faults: readonly string[];
}

/** How reports call the data sets that PEFT's files name in their own way. */
const dataTitles: Readonly<Record<string, string>> = { metamath: "MetaMathQA", gsm8k: "GSM8K" };

/**
 * Reads files, and of folders every `.json` file directly in them, each once, by name. A file that can't be used is named
 * among the faults and left out.
 *
 * @throws {UserError} where a path is not there, can't be read, or is a folder without such a file
 */
export async function readPeftRuns(paths: readonly string[]): Promise<PeftRuns> {
  const files = new Set<string>();
  for (const path of paths) for (const file of await filesAt(path)) files.add(file);
  const runs: PeftRun[] = [], faults: string[] = [];
  for (const path of files) {
    const file = path.slice(path.lastIndexOf("/") + 1);
    try {
      runs.push(readPeft(await textOf(path, file), file));
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      faults.push(error.message);
    }
  }
  return { runs, faults };
}

/**
 * One file's run.
 *
 * @throws {UserError} naming the file where it is no such result, or not one of a run that succeeded
 */
export function readPeft(text: string, file: string): PeftRun {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UserError(`Cannot read ${file}: it is not whole JSON (which has no NaN, as Python may write)`);
  }
  const { run_info, train_info, meta_info } = parseWith(PeftReading, value, file);
  if (train_info.status !== "success") {
    const why = run_info.error_msg ? `, "${run_info.error_msg}"` : "";
    throw new UserError(
      `Cannot use ${file}: its status is "${train_info.status}"${why}, "success" is needed`,
    );
  }
  const last = parseWith(PeftTest, train_info.metrics.at(-1), `the last of train_info.metrics of ${file}`);
  const memory = parseWith(PeftMemory, train_info, `train_info of ${file}`);
  const { peft_config: config, train_config: { model_id: model } } = run_info;
  const { accelerator, gpu } = meta_info.system_info;
  return {
    file,
    experiment: run_info.experiment_name,
    type: config?.peft_type ?? "full-finetuning",
    method: methodOfPeft(run_info),
    rank: typeof config?.r === "number" ? config.r : null,
    data: Object.keys(meta_info.dataset_info).map((name) => dataTitles[name] ?? name).join(" and "),
    model,
    accelerator: String(accelerator ?? gpu ?? "unknown"),
    score: last["test accuracy"],
    memoryMax: memory.most,
    memoryAverage: memory.average,
    stepMs: stepMsOf(train_info.metrics),
    trainSeconds: train_info.train_time,
    trainableParameters: train_info.num_trainable_params ?? null,
  };
}

/** Evaluations say how long the steps since the last one took: their sum over the last one's step. */
function stepMsOf(metrics: PeftReading["train_info"]["metrics"]): number | null {
  let seconds = 0, steps = 0;
  for (const { step, "train time": time } of metrics) {
    if (typeof step !== "number" || typeof time !== "number") continue;
    seconds += time;
    steps = Math.max(steps, step);
  }
  return steps > 0 && seconds > 0 ? 1000 * seconds / steps : null;
}

async function filesAt(path: string): Promise<string[]> {
  try {
    const real = await Deno.realPath(path);
    if (!(await Deno.stat(real)).isDirectory) return [real];
    const names: string[] = [];
    for await (const { name, isDirectory } of Deno.readDir(real)) {
      if (!isDirectory && name.endsWith(".json")) names.push(name);
    }
    if (names.length === 0) {
      throw new UserError(`Cannot read results from "${path}": there is no .json file in it`);
    }
    return names.sort().map((name) => `${real}/${name}`);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`Cannot read results from "${path}": ${reasonOf(error)}`);
  }
}

async function textOf(path: string, file: string): Promise<string> {
  try {
    return await readText(path);
  } catch (error) {
    throw new UserError(`Cannot read ${file}: ${reasonOf(error)}`);
  }
}
