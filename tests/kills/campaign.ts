/**
 * @file Kills `./run bench` again and again and starts it again with the same command, until nothing is left to do, sweep
 * after sweep, and looks after each kill whether anything is lost: `./run kills ./FOLDER [KILLS] [SECONDS]`.
 *
 * Not part of the suite: it takes minutes. Stopped after SECONDS, the same command goes on from there. Ends with exit code
 * 1 at the first thing that is lost, made twice or left lying about, and leaves the folder as it is.
 */
import { assert, assertEquals } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { openBases, openStore } from "../../benchmarks/sweep/store.ts";
import { readPulses } from "../../benchmarks/sweep/live.ts";
import { reproducible, resultsIn } from "../support/stored_results.ts";

const repository = decodeURIComponent(new URL("../../", import.meta.url).pathname);

/** When a process is killed. */
const targets = ["moment", "half-written file of a result", "half-written file"] as const;
type Target = typeof targets[number];

/** One kill. */
interface Kill {
  readonly sweep: number;
  readonly target: Target;
  readonly signal: "SIGKILL" | "SIGINT" | "SIGTERM";
  /** What the sweep was at, by its own account. */
  readonly stage: string;
  /** Half-written files that the process left. */
  readonly parts: number;
}

/** A stored run as it was when it was first seen. */
interface Seen {
  readonly inode: number | null;
  readonly written: number;
  readonly text: string;
}

/** What is remembered between two commands, in `<folder>/campaign.json`. */
interface Campaign {
  /** Milliseconds of the sweep that nothing disturbed. */
  readonly wholeMs: number;
  readonly commit: string;
  readonly adapter: string;
  kills: Kill[];
  /** Starts, those included that nothing killed. */
  starts: number;
  /** Sweeps that were brought to their end. */
  done: number;
  /** Runs of the sweep at work, by id. */
  seen: Record<string, Seen>;
}

const [given, killsWanted = "117", seconds = "450"] = Deno.args;
if (given === undefined) {
  console.error("Cannot start: a folder is needed, as in ./run kills ./kills");
  Deno.exit(2);
}
const folder = given.startsWith("/") ? given : `${Deno.cwd()}/${given}`;
const statePath = `${folder}/campaign.json`, sweepPath = `${folder}/sweep.json`;

/** `./run bench` on the campaign's sweep; its process is the one to be killed. */
function start(out: string): Deno.ChildProcess {
  return new Deno.Command("sh", {
    args: ["-c", 'exec "$0" "$@"', `${repository}run`, "bench", sweepPath, "--out", out, "--json"],
    stdout: "null",
    stderr: "piped",
  }).spawn();
}

/** Four short runs of two methods, on one task: small enough to be killed a hundred times. */
async function writeSweep(): Promise<void> {
  const smoke = JSON.parse(await Deno.readTextFile(`${repository}benchmarks/sweeps/smoke.json`));
  const optimizers = [{ id: "lora" }, { id: "lora-pro" }];
  const spec = { ...smoke, name: "kills", tasks: smoke.tasks.slice(0, 1), optimizers, seeds: [0, 1] };
  await Deno.writeTextFile(sweepPath, JSON.stringify(spec));
}

async function begin(): Promise<Campaign> {
  await Deno.mkdir(folder!, { recursive: true });
  await writeSweep();
  const out = `${folder}/undisturbed`, startedAt = performance.now();
  const { code, stderr } = await start(out).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  const wholeMs = performance.now() - startedAt;
  const [first] = (await resultsIn(out)).values();
  const { commit, adapter } = first!.result.environment;
  return { wholeMs, commit, adapter, kills: [], starts: 0, done: 0, seen: {} };
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

/** Paths of all half-written files below a folder. */
function partsIn(path: string): string[] {
  return [...Deno.readDirSync(path)].flatMap(({ name, isDirectory }) =>
    isDirectory ? partsIn(`${path}/${name}`) : name.endsWith(".part") ? [`${path}/${name}`] : []
  );
}

/** Resolves once the wanted half-written file appears; never where none does. */
async function partAppears(watcher: Deno.FsWatcher, isWanted: (path: string) => boolean, count: number) {
  for await (const { kind, paths } of watcher) {
    if (
      kind === "create" && paths.some((path) => path.endsWith(".part") && isWanted(path)) && --count === 0
    ) return;
  }
  await new Promise(() => {});
}

/**
 * Starts the sweep once and kills it, or lets it end where it is faster.
 *
 * @returns the kill; null where the sweep was done
 */
async function disturb(campaign: Campaign, out: string): Promise<Kill | null> {
  const random = createRandom(0).fork(`start ${campaign.starts}`);
  const [share, luck] = random.uniform(2, 0, 1) as unknown as [number, number];
  const target = targets[campaign.starts++ % targets.length]!;
  const signal = target !== "moment" || luck < 0.34 ? "SIGKILL" : luck < 0.67 ? "SIGINT" : "SIGTERM";
  await Deno.mkdir(out, { recursive: true });
  using watcher = Deno.watchFs(out, { recursive: true });
  const process = start(out);
  const moment = target === "moment"
    ? new Promise((resolve) => setTimeout(resolve, share * campaign.wholeMs))
    : target === "half-written file"
    ? partAppears(watcher, () => true, 1 + Math.floor(share * 30))
    : partAppears(watcher, (path) => /\/(runs|bases)\/[0-9a-f]/.test(path), 1 + Math.floor(share * 3));
  const ended = process.output();
  const isKilled = await Promise.race([moment.then(() => true), ended.then(() => false)]);
  if (isKilled) {
    try {
      process.kill(signal);
    } catch {
      // It ended by itself in this very moment.
    }
  }
  const { code, signal: by, stderr } = await ended;
  const said = new TextDecoder().decode(stderr);
  assert(!/Cannot|set aside|failed/.test(said), `start ${campaign.starts}: ${said}`);
  if (by === null && code === 0) return null;
  assert(by === signal || code === 130 || code === 143, `exit code ${code}, signal ${by}: ${said}`);
  const stage = !await exists(`${out}/sweep.json`)
    ? "start"
    : (await readPulses(out))[0]?.live?.stage ?? "start";
  return { sweep: campaign.done, target, signal, stage, parts: partsIn(out).length };
}

/** Every file of a result is whole, and every run that was ever stored is the same file still. */
async function check(campaign: Campaign, out: string): Promise<void> {
  for (const store of [openStore(out), openBases(out)]) {
    const { faults, setAside } = await store.read();
    assertEquals([faults, setAside], [[], []]);
  }
  if (!await exists(`${out}/runs`)) return assertEquals(campaign.seen, {});
  const found = await resultsIn(out);
  for (const [id, { path, text, result }] of found) {
    assertEquals(result.status, "done");
    const { ino, mtime } = await Deno.stat(path);
    const now = { inode: ino, written: mtime!.getTime(), text };
    assertEquals(now, campaign.seen[id] ??= now, `run ${id} was made again`);
  }
  assertEquals(Object.keys(campaign.seen).filter((id) => !found.has(id)), [], "runs are lost");
}

/** A sweep at its end is what the one is that nothing disturbed. */
async function compare(out: string): Promise<void> {
  const [there, here] = [await resultsIn(`${folder}/undisturbed`), await resultsIn(out)];
  assertEquals([...here.keys()].sort(), [...there.keys()].sort());
  for (const [id, { result }] of there) {
    assertEquals(reproducible(here.get(id)!.result), reproducible(result));
  }
  const bases = async (of: string) =>
    [...(await openBases(of).read()).results].map((
      [id, result],
    ) => [id, result.status === "done" && result.score]);
  assertEquals(await bases(out), await bases(`${folder}/undisturbed`));
  const report = async (of: string) => ({
    measurements: await Deno.readTextFile(`${of}/report/measurements.csv`),
    runs: (await Deno.readTextFile(`${of}/report/results.csv`)).split("\n").map((line) => line.split(",")[0]),
    charts: [...Deno.readDirSync(`${of}/report/charts`)].map(({ name }) => name).sort(),
  });
  assertEquals(await report(out), await report(`${folder}/undisturbed`));
  assertEquals(partsIn(out), []);
}

const deadline = performance.now() + 1000 * Number(seconds);
const campaign: Campaign = await exists(statePath)
  ? JSON.parse(await Deno.readTextFile(statePath))
  : await begin();
const save = () => Deno.writeTextFile(statePath, JSON.stringify(campaign, null, 1));
await save();
let isWhole = false;
// The last sweep is brought to its end.
while (performance.now() < deadline && !(isWhole && campaign.kills.length >= Number(killsWanted))) {
  const out = `${folder}/killed-${campaign.done}`;
  const kill = await disturb(campaign, out);
  await check(campaign, out);
  isWhole = kill === null;
  if (kill) {
    campaign.kills.push(kill);
  } else {
    await compare(out);
    campaign.done++;
    campaign.seen = {};
  }
  await save();
}

const counted = (by: (kill: Kill) => string | number) =>
  Object.entries(Object.groupBy(campaign.kills, by)).map(([name, kills]) => `${kills!.length} ${name}`).join(
    ", ",
  );
console.log(
  `${campaign.kills.length} kills in ${campaign.starts} starts of ${campaign.done} whole sweeps, nothing lost: ` +
    `${counted(({ signal }) => signal)}; at ${counted(({ stage }) => stage)}; aimed at ${
      counted(({ target }) => target)
    }; ` +
    `${campaign.kills.filter(({ parts }) => parts > 0).length} left half-written files. ` +
    `Commit ${campaign.commit}, ${campaign.adapter}.`,
);
