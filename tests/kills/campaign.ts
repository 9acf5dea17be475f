/**
 * @file Kills and stops three workers of one sweep again and again, starts others in their place until all runs are stored,
 * sweep after sweep, and looks after each time whether anything is lost: `./run kills ./FOLDER [KILLS] [SECONDS]`.
 *
 * Not part of the suite: it takes an hour. Stopped after SECONDS, the same command goes on from there. Ends with exit code
 * 1 at the first thing that is lost, made twice or left lying about, and leaves the folder as it is.
 */
import { assert, assertEquals } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { openBases, openStore } from "../../benchmarks/sweep/store.ts";
import { reproducible, resultsIn } from "../support/stored_results.ts";
import {
  appears,
  claimOn,
  counted,
  exists,
  heldBy,
  listed,
  partsIn,
  pause,
  readRepositoryJson,
  send,
  SILENCE,
  start,
  type Worker,
} from "./processes.ts";

const WORKERS = 3;
const STEPS = 60;
/** Steps from one validation to the next. */
const VALIDATE_EVERY = 10;
/** Milliseconds between two checkpoints of a run. */
const INTERVAL = 300;

/** When a worker is killed, or what else is done to it. */
const targets = [
  "moment",
  "half-written result",
  "half-written checkpoint",
  "validation",
  "scoring",
  "moment",
  "half-written file",
  "heart that stands still",
] as const;
type Target = typeof targets[number];

/** One kill. */
interface Kill {
  readonly sweep: number;
  readonly target: Target;
  readonly signal: "SIGKILL" | "SIGTERM" | "SIGSTOP";
  /** What the worker was at. */
  readonly at: "its start or end" | "a base" | "a run's start" | "training" | "scoring";
  /** Half-written files that it left. */
  readonly parts: number;
  /** Milliseconds of its work on the run that are in no checkpoint; null where it had not written one of it. */
  readonly lostMs: number | null;
}

/** A stored run as it was when it was first seen. */
interface Seen {
  readonly inode: number | null;
  readonly written: number;
  readonly text: string;
}

/** What is remembered between two commands, in `<folder>/campaign.json`. */
interface Campaign {
  readonly commit: string;
  readonly adapter: string;
  kills: Kill[];
  /** Workers that were started. */
  starts: number;
  /** Sweeps that were brought to their end. */
  done: number;
  /** Runs that went on from a checkpoint. */
  resumed: number;
  /** Runs that a worker and the one that took its place both made. */
  copies: number;
  /** Runs of the sweep at work, by id. */
  seen: Record<string, Seen>;
  /** How often each run of the sweep at work was made to its end, by what it is called. */
  made: Record<string, number>;
  /** Runs that a stopped worker held when others took over. */
  taken: number;
}

const [given, killsWanted = "200", seconds = "450"] = Deno.args;
if (given === undefined) {
  console.error("Cannot start: a folder is needed, as in ./run kills ./kills");
  Deno.exit(2);
}
const folder = given.startsWith("/") ? given : `${Deno.cwd()}/${given}`;
const statePath = `${folder}/campaign.json`, sweepPath = `${folder}/sweep.json`;

/** A process that fills a folder with the campaign's sweep. */
function startIn(out: string, ...more: string[]): Worker {
  return start([sweepPath, "--out", out, "--json", "--checkpoint-every", `${INTERVAL / 1000}s`, ...more]);
}

/** Eight runs of two methods on one task, of a second or two each: small enough to be killed two hundred times. */
async function writeSweep(): Promise<void> {
  const smoke = await readRepositoryJson("benchmarks/sweeps/smoke.json");
  const optimizers = [{ id: "lora" }, { id: "lora-pro" }];
  const base = { ...smoke.base, steps: STEPS, validateEvery: VALIDATE_EVERY, telemetryEvery: VALIDATE_EVERY };
  const [digits] = smoke.tasks;
  const task = { ...digits.task, validationExamples: 64, testExamples: 256 };
  const tasks = [{ ...digits, task }];
  const spec = { ...smoke, name: "kills", base, tasks, optimizers, seeds: [0, 1, 2, 3] };
  await Deno.writeTextFile(sweepPath, JSON.stringify(spec));
}

async function begin(): Promise<Campaign> {
  await Deno.mkdir(folder!, { recursive: true });
  await writeSweep();
  const out = `${folder}/undisturbed`, whole = startIn(out);
  assertEquals((await whole.ended).code, 0, await whole.said);
  const [first] = (await resultsIn(out)).values();
  const { commit, adapter } = first!.result.environment;
  const none = { kills: [], starts: 0, done: 0, resumed: 0, copies: 0, seen: {}, made: {}, taken: 0 };
  return { commit, adapter, ...none };
}

/** What a process was at, by what it has written. */
function lookAt(
  out: string,
  pid: number,
  planned: ReadonlySet<string>,
): Pick<Kill, "at" | "lostMs"> {
  const id = heldBy(out, pid);
  if (id === null) return { at: "its start or end", lostMs: null };
  if (!planned.has(id)) return { at: "a base", lostMs: null };
  const now = Date.now(), path = `${out}/checkpoints/${id}`;
  const kept = listed(path).filter(({ name }) => name.endsWith(".safetensors"));
  if (kept.length === 0) return { at: "a run's start", lostMs: null };
  const step = Math.max(...kept.map(({ name }) => parseInt(name)));
  const begun = modified(claimOn(out, id)?.path.replace(/\/owner$/, "") ?? "");
  const newest = Math.max(...kept.map(({ name }) => modified(`${path}/${name}`)));
  return { at: step < STEPS ? "training" : "scoring", lostMs: newest > begun ? now - newest : null };
}

function modified(path: string): number {
  try {
    return Deno.statSync(path).mtime!.getTime();
  } catch {
    return 0;
  }
}

/** Whether a half-written file is what a target waits for. */
function fits(target: Target, path: string): boolean {
  const step = Number(/\/checkpoints\/[^/]*\/(\d+)\.safetensors/.exec(path)?.[1] ?? NaN);
  switch (target) {
    case "half-written result":
      return /\/(runs|bases)\/[0-9a-f]/.test(path);
    case "half-written checkpoint":
      return step >= 0;
    // A run is kept within both, at the step that came before.
    case "validation":
      return step < STEPS && step % VALIDATE_EVERY === 0;
    case "scoring":
      return step === STEPS;
    default:
      return true;
  }
}

/** Workers that fill a folder, each in its place. */
class Crew {
  readonly #out: string;
  readonly #campaign: Campaign;
  readonly #places: (Worker | null)[] = Array.from({ length: WORKERS }, () => null);
  #filling: Promise<void> = Promise.resolve();

  constructor(out: string, campaign: Campaign) {
    this.#out = out;
    this.#campaign = campaign;
  }

  get living(): readonly Worker[] {
    return this.#places.filter((worker) => worker !== null).filter(({ end }) => end === null);
  }

  /** Puts workers where none is, as long as there are more runs than workers. */
  async fill(left: number): Promise<void> {
    this.#filling = this.#filling.then(async () => {
      for (const [i, worker] of this.#places.entries()) {
        if (worker && worker.end === null) continue;
        if (worker) await this.#note(worker);
        this.#places[i] = null;
        if (this.living.length >= left) continue;
        this.#places[i] = startIn(this.#out, "--worker");
        this.#campaign.starts++;
      }
    });
    await this.#filling;
  }

  /** Lets all of them end, by a signal where one is given. */
  async end(signal?: Deno.Signal): Promise<void> {
    for (const { process } of this.living) if (signal) send(process, signal);
    for (const [i, worker] of this.#places.entries()) {
      if (worker) await this.#note(worker);
      this.#places[i] = null;
    }
  }

  async #note(worker: Worker): Promise<void> {
    const { code, signal } = await worker.ended, said = await worker.said;
    assert([0, 137, 143].includes(code), `exit code ${code}, signal ${signal}: ${said}`);
    assert(!/Cannot|set aside|failed/.test(said), said);
    this.#campaign.resumed += [...said.matchAll(/goes on after step/g)].length;
    for (const [, run] of said.matchAll(/^\[\d\/\d\] (.*): score/gm)) {
      this.#campaign.made[run!] = (this.#campaign.made[run!] ?? 0) + 1;
    }
  }
}

/**
 * Does one thing to one worker.
 *
 * @returns null where the sweep was done before
 */
async function disturb(
  campaign: Campaign,
  crew: Crew,
  out: string,
  planned: ReadonlySet<string>,
): Promise<Kill | null> {
  const turn = campaign.kills.length, random = createRandom(0).fork(`kill ${turn} of sweep ${campaign.done}`);
  const [share, luck] = random.uniform(2, 0, 1) as unknown as [number, number];
  const target = targets[turn % targets.length]!;
  using watcher = Deno.watchFs(out, { recursive: true });
  const leftOf = async () => planned.size - (await openStore(out).names()).size;
  await crew.fill(await leftOf());
  let isWaiting = true;
  const isDone = async () => {
    for (let left; isWaiting && (left = await leftOf()) > 0;) {
      await crew.fill(left);
      await pause(200);
    }
    return null;
  };
  const victim = target === "moment" || target === "heart that stands still"
    ? pause(500 + 6000 * share).then(() => 0)
    : appears(
      watcher,
      out,
      (path) => fits(target, path),
      1 + Math.floor(share * (target === "half-written file" ? 30 : 4)),
    );
  const pid = await Promise.race([victim, isDone()]);
  isWaiting = false;
  if (pid === null) return null;
  const isAimed = target.startsWith("half-written");
  // Into the middle of it.
  if (target === "validation" || target === "scoring") await pause(100 * share);
  const { living } = crew;
  const worker = living.find(({ process }) => process.pid === pid) ??
    living[Math.floor(luck * living.length)];
  if (!worker) return await disturb(campaign, crew, out, planned);
  if (target === "heart that stands still") return await standStill(campaign, worker, crew, out, planned);
  const signal = isAimed || luck < 0.5 ? "SIGKILL" : "SIGTERM";
  const found = lookAt(out, worker.process.pid, planned);
  send(worker.process, signal);
  await worker.ended;
  return { sweep: campaign.done, target, signal, ...found, parts: partsIn(out).length };
}

/** Stops a worker's heart until another has taken its run, and lets it go on beside that one. */
async function standStill(
  campaign: Campaign,
  { process }: Worker,
  crew: Crew,
  out: string,
  planned: ReadonlySet<string>,
): Promise<Kill> {
  const signal = "SIGSTOP";
  send(process, signal);
  const found = lookAt(out, process.pid, planned), id = heldBy(out, process.pid);
  const claim = id === null ? null : claimOn(out, id);
  if (id !== null && claim !== null) {
    const then = new Date(Date.now() - SILENCE);
    await Deno.utime(claim.path, then, then).catch(() => {});
    // Those who look for work take what nobody has before they take what seems left.
    while (claimOn(out, id)?.pid === process.pid) {
      await crew.fill(WORKERS);
      await pause(200);
    }
    if (planned.has(id)) campaign.taken++;
  }
  send(process, "SIGCONT");
  return { sweep: campaign.done, target: "heart that stands still", signal, ...found, parts: 0 };
}

/** Every file of a result is whole, and every run that was ever stored is the same file still. */
async function check(campaign: Campaign, out: string): Promise<void> {
  for (const store of [openStore(out), openBases(out)]) {
    const { faults, setAside } = await store.read();
    assertEquals([faults, setAside], [[], []]);
  }
  const found = await exists(`${out}/runs`) ? await resultsIn(out) : new Map<string, never>();
  for (const [id, { path, text, result }] of found) {
    assertEquals(result.status, "done");
    const { ino, mtime } = await Deno.stat(path);
    const now = { inode: ino, written: mtime!.getTime(), text };
    assertEquals(now, campaign.seen[id] ??= now, `run ${id} was made again`);
  }
  assertEquals(Object.keys(campaign.seen).filter((id) => !found.has(id)), [], "runs are lost");
}

/** A sweep at its end is what the one is that nothing disturbed, and nothing else is there. */
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
    charts: listed(`${of}/report/charts`).map(({ name }) => name).sort(),
  });
  assertEquals(await report(out), await report(`${folder}/undisturbed`));
  assertEquals(partsIn(out), []);
  const names = listed(out).map(({ name }) => name).sort();
  assertEquals(names, ["bases", "live", "report", "runs", "sweep.json"], "something was left");
  // The last words of the process that wrote the report.
  assertEquals(listed(`${out}/live`).length, 2);
}

/** All runs are stored: the report, and what must hold at the end of a sweep. */
async function finish(campaign: Campaign, crew: Crew, out: string): Promise<void> {
  await crew.end();
  const whole = startIn(out);
  assertEquals((await whole.ended).code, 0, await whole.said);
  await check(campaign, out);
  await compare(out);
  const twice = Object.values(campaign.made).reduce((sum, count) => sum + Math.max(0, count - 1), 0);
  assert(twice <= campaign.taken, `${twice} runs were made twice, and ${campaign.taken} were taken over`);
  campaign.copies += twice;
  campaign.done++;
  Object.assign(campaign, { seen: {}, made: {}, taken: 0 });
}

const deadline = performance.now() + 1000 * Number(seconds);
const campaign: Campaign = await exists(statePath)
  ? JSON.parse(await Deno.readTextFile(statePath))
  : await begin();
const save = () => Deno.writeTextFile(statePath, JSON.stringify(campaign, null, 1));
await save();
/** A heart that stood still is no kill. */
const killed = () => campaign.kills.filter(({ signal }) => signal !== "SIGSTOP").length;
const isOver = () => performance.now() > deadline || killed() >= Number(killsWanted);
while (!isOver()) {
  const out = `${folder}/killed-${campaign.done}`;
  if (!await exists(`${out}/sweep.json`)) {
    const plan = startIn(out, "--plan");
    assertEquals((await plan.ended).code, 0, await plan.said);
  }
  const { runs } = JSON.parse(await Deno.readTextFile(`${out}/sweep.json`));
  const planned: ReadonlySet<string> = new Set(runs.map(({ id }: { readonly id: string }) => id));
  const crew = new Crew(out, campaign);
  for (;;) {
    // The last sweep is brought to its end; a campaign out of time stops in the middle of one.
    const kill = performance.now() > deadline ? undefined : await disturb(campaign, crew, out, planned);
    if (kill === undefined) break;
    await check(campaign, out);
    if (kill === null) {
      await finish(campaign, crew, out);
      break;
    }
    campaign.kills.push(kill);
    await save();
  }
  await crew.end("SIGTERM");
  await save();
}

const ages = campaign.kills.flatMap(({ signal, lostMs }) => signal === "SIGKILL" ? lostMs ?? [] : [])
  .sort((a, b) => a - b);
console.log(
  `${killed()} kills in ${campaign.starts} starts of ${WORKERS} workers in ${campaign.done} whole sweeps, ` +
    `nothing lost: ${counted(campaign.kills, ({ signal }) => signal)}; at ${
      counted(campaign.kills, ({ at }) => at)
    }; aimed at ${counted(campaign.kills, ({ target }) => target)}; ` +
    `${campaign.kills.filter(({ parts }) => parts > 0).length} left half-written files; ` +
    `${campaign.resumed} runs went on from a checkpoint, ${campaign.copies} were made by two at once; ` +
    `work of ${
      ages[ages.length >> 1]
    } ms was in no checkpoint of a killed worker's (median of ${ages.length} that had ` +
    `written one of their run), of ${
      ages.at(-1)
    } ms at most, with ${INTERVAL} ms between two. Commit ${campaign.commit}, ${campaign.adapter}.`,
);
