/** @file How the jobs of a folder are: what Slurm says of them, what they left, and what of the sweep is stored. */
import { namesIn, readText } from "../../files/write_file.ts";
import { UserError } from "../../errors/user_error.ts";
import { readPulses } from "../sweep/live.ts";
import { readPlan } from "../sweep/plan.ts";
import { nameRun } from "../sweep/progress.ts";
import { openStore } from "../sweep/store.ts";
import { ask, batchFilesOf, folderOf, logOf } from "./batch.ts";

/** An element of an array, or the report. */
export interface Job {
  /** Slurm's name, e.g. "12_3". */
  readonly id: string;
  /** True for the job that writes the report. */
  readonly isReport: boolean;
  /** Slurm's word in small letters, or "ended"; "gone" where it is in no queue and did not say how it ended. */
  readonly state: string;
  /** What it is at, why it waits, or how it ended; empty where nothing is known. */
  readonly says: string;
  /** The path of its log. */
  readonly log: string;
}

/** How the jobs of a folder are. */
export interface Status {
  /** The sweep's name. */
  readonly sweep: string;
  /** Runs that are stored, and all; a question's are those of its stage. */
  readonly stored: number;
  readonly total: number;
  /** Those in Slurm's queue before those that ended, of which the newest job's are named. */
  readonly jobs: readonly Job[];
}

/** A row of squeue. */
export interface Row {
  readonly job: string;
  /** "N/A" for a job that is no array. */
  readonly element: string;
  readonly state: string;
  readonly time: string;
  readonly reason: string;
  readonly node: string;
  readonly command: string;
}

const FIELDS = ["%F", "%K", "%T", "%M", "%r", "%N", "%o"];

/**
 * Looks at a folder and into Slurm's queue, changing nothing.
 *
 * @throws {UserError} where the folder has no plan or no jobs, and where Slurm does not answer
 */
export async function readStatus(out: string): Promise<Status> {
  const plan = await readPlan(out);
  if (!plan) {
    throw new UserError(`Cannot tell the status of ${out}: it has no plan, ./run slurm --out makes one`);
  }
  if (!(await namesIn(folderOf(out))).includes("workers.sh")) {
    throw new UserError(`Cannot tell the status of ${out}: ./run slurm has submitted nothing there`);
  }
  const rows = rowsOf(await ask("squeue", ["--noheader", "--array", `--format=${FIELDS.join("|")}`]));
  const stored = await openStore(out).names();
  return {
    sweep: plan.name,
    stored: plan.runs.filter(({ id }) => stored.has(id)).length,
    total: plan.runs.length,
    jobs: jobsOf(
      out,
      rows,
      await readNotes(out),
      await atWork(out, new Map(plan.runs.map((run) => [run.id, run]))),
    ),
  };
}

/** How the jobs are, for people: a line for the sweep and one for each job, no longer than the terminal is wide. */
export function describeStatus(
  { sweep, stored, total, jobs }: Status,
  out: string,
  columns: number,
): string[] {
  const cut = (line: string) => line.length <= columns ? line : `${line.slice(0, columns - 1)}…`;
  const names = jobs.map(({ id, isReport }) => isReport ? `${id} report` : id);
  const [width, states] = [
    Math.max(...names.map(({ length }) => length)),
    Math.max(...jobs.map((one) => one.state.length)),
  ];
  return [
    `${sweep}: ${stored} of ${total} runs are stored`,
    ...jobs.map(({ state, says }, i) =>
      cut(`  ${names[i]!.padEnd(width)}  ${state.padEnd(states)}  ${says}`.trimEnd())
    ),
    ...(jobs.length === 0
      ? ["  no job is in the queue, and none has begun"]
      : [`Logs: ${folderOf(out)}/logs`]),
  ];
}

/** The rows that squeue prints. */
export function rowsOf(text: string): Row[] {
  return text.split("\n").filter((line) => line !== "").map((line) => {
    const [job = "", element = "", state = "", time = "", reason = "", node = "", ...command] = line.split(
      "|",
    );
    return { job, element, state: state.toLowerCase(), time, reason, node, command: command.join("|") };
  });
}

/** What an element noted. */
export interface Note {
  /** Host and number of its process, as the names of workers begin. */
  readonly worker: string;
  /** How it ended; null where it did not say. */
  readonly end: string | null;
}

/** Joins what is known of each job. `work` says by the beginnings of workers' names what they are at. */
export function jobsOf(
  out: string,
  rows: readonly Row[],
  notes: ReadonlyMap<string, Note>,
  work: ReadonlyMap<string, string>,
): Job[] {
  const { workers, report } = batchFilesOf(out);
  const queued = rows.filter(({ command }) => command === workers || command === report).map((row): Job => {
    const isReport = row.command === report, id = isReport ? row.job : `${row.job}_${row.element}`;
    const does = work.get(notes.get(id)?.worker ?? "");
    const says = row.state === "running"
      ? `on ${row.node} for ${row.time}${does === undefined ? "" : `, at ${does}`}`
      : row.reason === "None"
      ? ""
      : row.reason;
    return { id, isReport, state: row.state, says, log: logOf(out, row.job, isReport ? null : row.element) };
  });
  const ids = new Set(queued.map(({ id }) => id));
  const newest = String(Math.max(...Array.from(notes.keys(), (id) => parseInt(id)), 0));
  const ended = [...notes].filter(([id]) => !ids.has(id) && id.startsWith(`${newest}_`)).map((
    [id, { end }],
  ): Job => ({
    id,
    isReport: false,
    state: end === null ? "gone" : "ended",
    says: end ?? "it said nothing at its end: killed, or its node failed",
    log: logOf(out, newest, id.slice(newest.length + 1)),
  }));
  return [...queued, ...ended].sort((a, b) =>
    Number(a.isReport) - Number(b.isReport) || numbersOf(a) - numbersOf(b)
  );
}

function numbersOf({ id }: Job): number {
  const [job = 0, element = 0] = id.split("_").map(Number);
  return job * 1e4 + element;
}

async function readNotes(out: string): Promise<ReadonlyMap<string, Note>> {
  const folder = `${folderOf(out)}/elements`, names = await namesIn(folder);
  const notes = new Map<string, Note>();
  for (const name of names.filter((name) => name.endsWith(".start"))) {
    const id = name.slice(0, -".start".length);
    const [, , worker = "-"] = (await readText(`${folder}/${name}`)).trim().split(" ");
    const end = names.includes(`${id}.end`) ? (await readText(`${folder}/${id}.end`)).trim() : null;
    notes.set(id, { worker, end });
  }
  return notes;
}

/** What living processes are at, by host and number. */
async function atWork(
  out: string,
  runs: ReadonlyMap<string, { readonly config: Parameters<typeof nameRun>[0] }>,
): Promise<ReadonlyMap<string, string>> {
  const work = new Map<string, string>();
  for (const { live, isAlive } of await readPulses(out)) {
    if (!live || !isAlive) continue;
    const pid = /-(\d+)-[0-9a-f]+$/.exec(live.worker)?.[1], run = live.run && runs.get(live.run.id);
    work.set(`${live.host}-${pid}`, run ? `${nameRun(run.config)}, step ${live.run!.step}` : live.stage);
  }
  return work;
}
