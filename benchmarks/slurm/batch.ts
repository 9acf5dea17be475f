/** @file The batch files of a sweep's jobs, and what submits them. */
import { quoteArgument } from "../../errors/quote.ts";
import { UserError } from "../../errors/user_error.ts";
import { reasonOf, writeWhole } from "../../files/write_file.ts";

/** What is asked of Slurm. */
export interface Asked {
  /** Elements of the array, each a process that makes runs. */
  readonly workers: number;
  /** GPUs of each. */
  readonly gpus: 0 | 1;
  /** Processor cores of each. */
  readonly cores: number;
  /** Minutes after which an element is ended and queued again; null for the partition's own limit. */
  readonly minutes: number | null;
  /** Null for the default one. */
  readonly partition: string | null;
}

/** Where a sweep is run, and how. Paths are absolute. */
export interface SharedSweep {
  /** Names its jobs. */
  readonly name: string;
  readonly project: string;
  readonly out: string;
  /** Words behind `./run` that make the sweep's runs, but for what each process of it is to do. */
  readonly words: readonly string[];
}

/** The batch files of a sweep. */
export interface BatchFiles {
  readonly workers: string;
  readonly report: string;
}

/** Seconds before the time limit at which an element is told: Slurm may come half a minute early, or late. */
const NOTICE = 120;
/** The least time limit in minutes. */
export const LEAST_MINUTES = 5;
/** Elements of an array that Slurm takes where nobody allows more. */
export const MOST_WORKERS = 1000;

/** Where a sweep's batch files lie. */
export function batchFilesOf(out: string): BatchFiles {
  return { workers: `${folderOf(out)}/workers.sh`, report: `${folderOf(out)}/report.sh` };
}

/** Where what belongs to jobs lies: batch files, `logs` and `elements`. */
export function folderOf(out: string): string {
  return `${out}/slurm`;
}

/** The log of an element, or of the report. */
export function logOf(out: string, job: string, element: string | null): string {
  return `${folderOf(out)}/logs/${job}${element === null ? "" : `_${element}`}.log`;
}

/** The text of the array's batch file. */
export function workersFile(sweep: SharedSweep, { workers, gpus, cores, minutes, partition }: Asked): string {
  const options = [
    `--array=1-${workers}`,
    // Without it a failing node ends an element for good.
    "--requeue",
    // An element that is queued again goes on in its log.
    "--open-mode=append",
    `--signal=B:USR1@${NOTICE}`,
    ...(gpus > 0 ? [`--gres=gpu:${gpus}`] : []),
    `--cpus-per-task=${cores}`,
    ...(minutes === null ? [] : [`--time=${minutes}`]),
    ...(partition === null ? [] : [`--partition=${partition}`]),
  ];
  const words = ["benchmarks/slurm/element.sh", sweep.out, ...sweep.words, "--worker"];
  return textOf(sweep, options, "%A_%a", `exec sh ${words.map(quoteArgument).join(" ")}`);
}

/** The text of the report's batch file. */
export function reportFile(sweep: SharedSweep, { partition }: Asked): string {
  const options = ["--cpus-per-task=1", ...(partition === null ? [] : [`--partition=${partition}`])];
  const words = [...sweep.words, "--report"];
  return textOf(sweep, options, "%j", `exec ./run ${words.map(quoteArgument).join(" ")}`);
}

function textOf({ name, project, out }: SharedSweep, options: readonly string[], log: string, line: string) {
  const all = [
    `--job-name=${name}`,
    ...options,
    `--chdir=${project}`,
    // A name's own percent signs are written twice.
    `--output=${folderOf(out).replaceAll("%", "%%")}/logs/${log}.log`,
  ];
  return [
    "#!/bin/sh",
    ...all.map((option) => `#SBATCH ${quoteOption(option)}`),
    "# Written by ./run slurm.",
    line,
    "",
  ].join("\n");
}

/** As sbatch reads its options in a batch file. */
function quoteOption(option: string): string {
  return /^[\w.,/=:%@-]+$/.test(option) ? option : `"${option.replaceAll(/["\\]/g, "\\$&")}"`;
}

/**
 * Writes the batch files of a sweep, whose output folder is there.
 *
 * @throws {WriteError} where that fails
 */
export async function writeBatchFiles(sweep: SharedSweep, asked: Asked): Promise<BatchFiles> {
  const files = batchFilesOf(sweep.out);
  // Slurm makes no folder for logs: an element without one fails unheard.
  await Deno.mkdir(`${folderOf(sweep.out)}/logs`, { recursive: true }).catch((error) => {
    throw new UserError(`Cannot write to ${folderOf(sweep.out)}: ${reasonOf(error)}`);
  });
  await writeWhole(files.workers, workersFile(sweep, asked));
  await writeWhole(files.report, reportFile(sweep, asked));
  return files;
}

/** Lines of a shell that submit the array, and the report that waits for it. */
export function submittingLines({ workers, report }: BatchFiles): readonly string[] {
  return [
    `array=$(sbatch --parsable ${quoteArgument(workers)})`,
    `sbatch --dependency=afterany:\${array%%;*} ${quoteArgument(report)}`,
  ];
}

/**
 * Submits the array, and the report that waits for it.
 *
 * @returns the ids of both jobs
 * @throws {UserError} where Slurm takes one of them not
 */
export async function submit({ workers, report }: BatchFiles): Promise<readonly [string, string]> {
  const array = await sbatch([workers]);
  try {
    return [array, await sbatch([`--dependency=afterany:${array}`, report])];
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`${error.message}; the runs are in job ${array}, which goes on`);
  }
}

async function sbatch(args: readonly string[]): Promise<string> {
  const said = await ask("sbatch", ["--parsable", ...args]);
  // "ID;CLUSTER" where there are several.
  return said.trim().split(";")[0]!;
}

/**
 * What a program of Slurm's prints.
 *
 * @throws {UserError} where it isn't there, or fails
 */
export async function ask(program: "sbatch" | "squeue", args: readonly string[]): Promise<string> {
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command(program, { args: [...args], stdin: "null" }).output();
  } catch (error) {
    const isMissing = error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable;
    if (!isMissing) throw error;
    throw new UserError(`Cannot ask Slurm: there is no ${program} on this machine`);
  }
  const [stdout, stderr] = [output.stdout, output.stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (output.success) return stdout!;
  const lines = stderr!.trim().split("\n").map((line) => line.replace(/^\w+: (error: )?/, ""));
  throw new UserError(`Cannot ask Slurm: ${program} says "${lines.join("; ")}"`);
}
