/** @file A sweep that jobs of Slurm share, on a real Slurm of one node that this test starts and ends. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { inFolder } from "../support/in_folder.ts";
import { resultsIn } from "../support/stored_results.ts";
import { openSlurm, SLURM_LACKS } from "./one_node.ts";
import { PROGRAMS, testNeeding } from "../support/test_needing.ts";

const test = testNeeding(PROGRAMS, SLURM_LACKS);

/** Runs that have a checkpoint. */
function keptIn(out: string): string[] {
  try {
    return [...Deno.readDirSync(`${out}/checkpoints`)].map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

test("slurm shares a sweep among an array's elements: one whose time is up goes on, a cancelled one does not", async () => {
  await inFolder(async (folder) => {
    await using slurm = await openSlurm(`${folder}/slurm`);
    const out = `${folder}/a "100%" sweep`;
    const sweep = ["smoke", "--tasks", "digits", "--optimizers", "lora,lora-pro", "--steps", "120"];
    const asked = [...sweep, "--out", out, "--checkpoint-every", "0.2s", "--workers", "2", "--gpus", "0"];
    const printed = await slurm.run("./run", "slurm", ...asked, "--time", "10m");
    assertMatch(
      printed,
      /^ {2}array=\$\(sbatch --parsable '.*workers\.sh'\)\n {2}sbatch --dependency=afterany:/m,
    );
    const jobs = JSON.parse(await slurm.run("./run", "slurm", ...asked, "--submit", "--json")).jobs;
    const [first, second] = [`${jobs.workers}_1`, `${jobs.workers}_2`];
    const status = async (): Promise<Map<string, { readonly state: string; readonly says: string }>> => {
      const { jobs } = JSON.parse(await slurm.run("./run", "slurm", "--status", out, "--json"));
      return new Map(jobs.map((job: { readonly id: string }) => [job.id, job]));
    };

    await slurm.until(() => keptIn(out).length === 2);
    // What comes two minutes before the time limit.
    await slurm.run("scancel", "--batch", "--signal=USR1", first);
    await slurm.run("scancel", second);
    await slurm.until(async () => (await status()).get(second)?.state === "ended");
    const waiting = await status();
    assertEquals(waiting.get(second)?.says, "stopped by TERM: its run is kept");
    assertEquals(waiting.get(jobs.report), {
      ...waiting.get(jobs.report)!,
      state: "pending",
      says: "Dependency",
    });

    await slurm.idle();
    assert((await Deno.stat(`${out}/report/index.html`)).isFile);
    const ended = await status();
    assertEquals([ended.get(first)?.says, ended.get(second)?.state], [
      "done: nothing is left for it",
      "ended",
    ]);
    const log = (id: string) => Deno.readTextFile(`${out}/slurm/logs/${id}.log`);
    const said = await log(first);
    assertStringIncludes(said, "its run is kept, and it is queued again");
    assertMatch(said, /start 1 on [\s\S]*goes on after step \d+ of 120/);
    assert(!(await log(second)).includes("start 1 on"), "scancel did not stay scancel");
    const results = [...(await resultsIn(out)).values()];
    assertEquals(results.map(({ result }) => result.status), ["done", "done"]);
    const names = [...Deno.readDirSync(out)].map(({ name }) => name).sort();
    assertEquals(names, ["bases", "live", "report", "runs", "slurm", "sweep.json"]);
  });
});
