/** @file `./run slurm`: writes and submits the jobs that share a sweep, and tells how they are. */
import { readJobs } from "./arguments.ts";
import { readArguments, slurmOptions, withoutOptions } from "./commands.ts";
import { readPlan } from "../sweep/plan.ts";
import { submit, submittingLines, writeBatchFiles } from "../slurm/batch.ts";
import { describeStatus, readStatus } from "../slurm/status.ts";
import { quoteArgument } from "../../errors/quote.ts";
import { UserError } from "../../errors/user_error.ts";
import type { CommandDeps } from "./command_deps.ts";

/** The plan was written before, by a process that can start no program: see launch.ts. */
export async function slurmCommand(args: string[], { print, columns }: CommandDeps): Promise<number> {
  const { texts, flags } = readArguments("slurm", args);
  const isJson = flags.has("json"), status = texts.get("status");
  if (status !== undefined) {
    const found = await readStatus(status);
    if (isJson) print(JSON.stringify(found));
    else for (const line of describeStatus(found, status, columns)) print(line);
    return 0;
  }
  const asked = readJobs(texts), out = texts.get("out");
  if (out === undefined) {
    throw new UserError("Cannot share a sweep by Slurm: --out DIR is needed, a folder that all machines see");
  }
  const plan = await readPlan(out);
  if (!plan) throw new UserError(`Cannot share a sweep by Slurm: ${out} has no plan, ./run slurm writes it`);
  const project = Deno.cwd();
  const files = await writeBatchFiles({
    name: plan.name,
    project,
    out: out.startsWith("/") ? out : `${project}/${out}`,
    words: ["bench", ...withoutOptions("slurm", args, slurmOptions)],
  }, asked);
  const jobs = flags.has("submit") ? await submit(files) : null;
  if (isJson) {
    const ids = jobs && { workers: jobs[0], report: jobs[1] };
    print(JSON.stringify({ sweep: plan.name, out, files, jobs: ids }));
  } else if (jobs) {
    print(`Submitted: job ${jobs[0]} makes the runs, and job ${jobs[1]} the report once it has ended`);
    print(`./run slurm --status ${quoteArgument(out)} tells how they are`);
  } else {
    print("These lines submit them, and so does --submit:");
    for (const line of submittingLines(files)) print(`  ${line}`);
  }
  return 0;
}
