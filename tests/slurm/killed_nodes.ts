/**
 * @file Kills the slurmd of a real Slurm of one node with signal 9 while elements of an array share a sweep, again and again:
 * `deno run --allow-all tests/slurm/killed_nodes.ts FOLDER [KILLS]`. Not part of the suite: it takes minutes.
 *
 * Every second time slurmd is back before Slurm misses it, and its elements go on. The other times Slurm takes the node for
 * lost and queues the elements again, while their old processes run on until a new slurmd ends them. Results have to equal
 * those of a sweep that nothing disturbed, bit for bit, with nothing left lying about.
 */
import { assert, assertEquals } from "@std/assert";
import { reproducible, resultsIn } from "../support/stored_results.ts";
import { openSlurm, type Slurm } from "./one_node.ts";

/** Seconds after which Slurm takes a silent node for lost. */
const SILENCE = 5;

const [folder, kills = "6"] = Deno.args;
if (!folder) throw new Error("Cannot kill: a folder that is not there yet is needed, and how many kills");
await Deno.mkdir(folder);
const home = await Deno.realPath(folder);

const sweep = ["smoke", "--tasks", "digits", "--optimizers", "lora,lora-pro", "--seeds", "0,1"];
const asked = [...sweep, "--steps", "240", "--checkpoint-every", "0.3s"];

async function namesOf(path: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

const found = async (out: string) =>
  new Map([...await resultsIn(out)].map(([id, { result }]) => [id, reproducible(result)]));

/** How often an element was started, and went on from a checkpoint. */
async function told(out: string) {
  const logs = await Promise.all(
    (await namesOf(`${out}/slurm/logs`)).map((name) => Deno.readTextFile(`${out}/slurm/logs/${name}`)),
  );
  const count = (what: RegExp) => logs.reduce((sum, log) => sum + [...log.matchAll(what)].length, 0);
  return { again: count(/^.*start [1-9]\d* on /gm), wentOn: count(/goes on after step/g) };
}

async function disturbed(slurm: Slurm, out: string, isMissed: boolean): Promise<void> {
  await slurm.run(
    "./run",
    "slurm",
    ...asked,
    "--out",
    out,
    "--workers",
    "2",
    "--gpus",
    "0",
    "--time",
    "30m",
    "--submit",
  );
  await slurm.until(async () => (await namesOf(`${out}/checkpoints`)).length === 2);
  await slurm.killNode();
  if (isMissed) {
    const isLost = async () => /down/i.test(await slurm.run("sinfo", "--noheader", "--format=%T"));
    while (!await isLost()) await new Promise((resolve) => setTimeout(resolve, 200));
    // The old processes go on meanwhile.
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  slurm.startNode();
  await slurm.idle();
}

await using slurm = await openSlurm(`${home}/slurm`, SILENCE);
await slurm.run("./run", "bench", ...asked, "--out", `${home}/undisturbed`);
const wanted = await found(`${home}/undisturbed`);
assertEquals(wanted.size, 4);
const sums = { kills: 0, missed: 0, again: 0, wentOn: 0 };
for (let i = 0; i < Number(kills); i++) {
  const out = `${home}/${i}`, isMissed = i % 2 === 0;
  await disturbed(slurm, out, isMissed);
  assertEquals(await found(out), wanted, out);
  const names = (await namesOf(out)).toSorted();
  assertEquals(names, ["bases", "live", "report", "runs", "slurm", "sweep.json"], out);
  for (const part of ["bases", "live", "runs"]) {
    const all = await namesOf(`${out}/${part}`);
    // The last word of the process that wrote the report stands there with its lock.
    const left = all.filter((name) =>
      !name.endsWith(".json") && !all.includes(name.replace(/lock$/, "json"))
    );
    assertEquals(left, [], `${out}/${part}`);
  }
  const { again, wentOn } = await told(out);
  assert(!isMissed || again > 0, `${out}: no element was queued again`);
  sums.kills++;
  sums.missed += Number(isMissed);
  sums.again += again;
  sums.wentOn += wentOn;
  console.log(JSON.stringify(sums));
}
