/**
 * @file Kills and stops the processes that settle a question again and again, starts others in their place until it is
 * answered, question after question, by one to three processes: `./run kill-questions ./FOLDER [KILLS]`.
 *
 * Not part of the suite: sixty kills take about twenty minutes on two busy cores. Ends with exit code 1 at the first thing that is lost, made
 * twice, left lying about or answered otherwise, and leaves the folder as it is.
 */
import { assert, assertEquals } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { readPlan } from "../../benchmarks/sweep/plan.ts";
import { openStore } from "../../benchmarks/sweep/store.ts";
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

/** The first question is settled by so many processes, the next by one fewer, and so on in turns. */
const MOST_PROCESSES = 3;

/** When processes are hit, and which: one of them, or all as when the machine loses its power. */
const targets = [
  { name: "a moment", hits: "one" },
  { name: "a look's plan half-written", hits: "all" },
  { name: "a result half-written", hits: "one" },
  { name: "a look, all of whose runs are in", hits: "all" },
  { name: "a checkpoint half-written", hits: "one" },
  { name: "a moment", hits: "all" },
  { name: "a look, all of whose runs are in", hits: "one" },
  { name: "a process that stands still", hits: "one" },
] as const;
type Target = typeof targets[number];

/** One kill. */
interface Kill {
  readonly target: string;
  readonly signal: "SIGKILL" | "SIGTERM" | "SIGSTOP";
  readonly phase: "before the first run" | "the search for rates" | "pairs" | "the answer";
  /** Half-written files that were found. */
  readonly parts: number;
}

const [given, killsWanted = "60"] = Deno.args;
if (given === undefined) {
  console.error("Cannot start: a folder is needed, as in ./run kill-questions ./kills");
  Deno.exit(2);
}
const folder = given.startsWith("/") ? given : `${Deno.cwd()}/${given}`;
const sweepPath = `${folder}/question.json`;

function startIn(out: string, ...more: string[]): Worker {
  return start([sweepPath, "--out", out, "--json", "--checkpoint-every", "0.3s", ...more]);
}

/** Three methods in two comparisons, with runs of a second: a search that grows its grids, and some looks. */
async function writeQuestion(): Promise<void> {
  const smoke = await readRepositoryJson("benchmarks/sweeps/smoke.json"), [digits] = smoke.tasks;
  const spec = {
    ...smoke,
    name: "kills",
    question: "Is a question settled alike however often it is killed?",
    base: { ...smoke.base, steps: 20, batchSize: 8, validateEvery: 5, telemetryEvery: 0 },
    tasks: [{
      ...digits,
      task: { id: digits.task.id, trainExamples: 256, validationExamples: 64, testExamples: 32 },
    }],
    optimizers: [
      { id: "full", learningRates: [0.004, 0.008] },
      { id: "lora", learningRates: [0.032, 0.064] },
      { id: "lora-pro", learningRates: [0.064, 0.128] },
    ],
    seeds: [900, 901],
    settle: { against: "full", within: 0.12, budget: "9h" },
  };
  await Deno.writeTextFile(sweepPath, JSON.stringify(spec));
}

/** What an answer says that does not depend on when and how fast it came. */
function answerIn(printed: string): unknown {
  const { out: _o, report: _r, minutes: _m, ...answer } = JSON.parse(printed);
  return answer;
}

/** A question's folder at its end, without times. */
async function endOf(out: string) {
  const { command: _, settled, rates, ...plan } = (await readPlan(out))!;
  const { answer, ...file } = JSON.parse(await Deno.readTextFile(`${out}/settle.json`));
  assertEquals(settled!.lines, answer);
  // The last but one line ends with the minutes.
  const words = (answer as string[]).map((line) => line.replace(/, [^,]* in all$/, ""));
  const results = new Map(
    [...await resultsIn(out)].map(([id, { result }]) => [id, reproducible(result)] as const)
      .sort(([a], [b]) => a < b ? -1 : 1),
  );
  const chosen = JSON.parse(await Deno.readTextFile(`${out}/chosen.json`));
  const untimed = (all: readonly { msPerStep: unknown }[]) => all.map(({ msPerStep: _, ...rate }) => rate);
  return {
    plan,
    pairs: settled!.pairs,
    rates: untimed(rates),
    file,
    words,
    results,
    chosen: untimed(chosen.rates),
    measurements: await Deno.readTextFile(`${out}/report/measurements.csv`),
  };
}

/** Processes that settle a question: the first also answers it, the others make runs alone. */
class Crew {
  readonly #out: string;
  readonly #places: (Worker | null)[];
  readonly #noted = new Set<Worker>();
  #filling: Promise<string | null> = Promise.resolve(null);
  /** How often each run was made to its end, by what it is called. */
  readonly made = new Map<string, number>();
  starts = 0;
  /** Runs that went on from a checkpoint. */
  resumed = 0;

  constructor(out: string, processes: number) {
    this.#out = out;
    this.#places = Array.from({ length: processes }, () => null);
  }

  get living(): readonly Worker[] {
    return this.#places.filter((worker) => worker !== null).filter(({ end }) => end === null);
  }

  /** Puts processes where one was hit. Returns what the first printed, once it has answered. */
  fill(): Promise<string | null> {
    return this.#filling = this.#filling.then(() => this.#fill());
  }

  async #fill(): Promise<string | null> {
    for (const [i, worker] of this.#places.entries()) {
      if (worker?.end === null) continue;
      if (worker) {
        await this.#note(worker);
        // Its question is answered.
        if (worker.end!.code === 0) {
          if (i === 0) return await worker.printed;
          continue;
        }
      }
      this.#places[i] = startIn(this.#out, ...i === 0 ? [] : ["--worker"]);
      this.starts++;
    }
    return null;
  }

  /** Waits until all have ended by themselves. */
  async end(): Promise<void> {
    for (const [i, worker] of this.#places.entries()) {
      if (worker) await this.#note(worker);
      this.#places[i] = null;
    }
  }

  async #note(worker: Worker): Promise<void> {
    const { code, signal } = await worker.ended, said = await worker.said;
    assert([0, 137, 143].includes(code), `exit code ${code}, signal ${signal}: ${said}`);
    // Of a run that another took over, and ended meanwhile.
    const known =
      /^Cannot write to the output folder "[^"]*\/checkpoints\/[0-9a-f]+": .*; the run goes on, .*$/gm;
    assert(!/Cannot|set aside|failed/.test(said.replaceAll(known, "")), said);
    if (this.#noted.has(worker)) return;
    this.#noted.add(worker);
    this.resumed += [...said.matchAll(/goes on after step/g)].length;
    for (const [, run] of said.matchAll(/^\[\d+\/\d+\] (.*): score/gm)) {
      this.made.set(run!, (this.made.get(run!) ?? 0) + 1);
    }
  }
}

/** What must not change from kill to kill, as it was when it was first seen. */
class Kept {
  readonly #seen = new Map<string, unknown>();

  same(name: string, now: unknown): void {
    if (!this.#seen.has(name)) this.#seen.set(name, now);
    assertEquals(now, this.#seen.get(name), `${name} has changed`);
  }

  get names(): readonly string[] {
    return [...this.#seen.keys()];
  }
}

/** Every file is whole, every stored run is the same file still, and the question is what it was. */
async function check(kept: Kept, out: string): Promise<Kill["phase"]> {
  const { faults, setAside } = await openStore(out).read();
  assertEquals([faults, setAside], [[], []]);
  const found = await exists(`${out}/runs`) ? await resultsIn(out) : new Map<string, never>();
  for (const [id, { path, text, result }] of found) {
    assertEquals(result.status, "done");
    const { ino, mtime } = await Deno.stat(path);
    kept.same(`run ${id}`, { inode: ino, written: mtime!.getTime(), text });
  }
  const lost = kept.names.filter((name) => name.startsWith("run ") && !found.has(name.slice(4)));
  assertEquals(lost, [], "runs are lost");
  const { agreed, choices, answer } = JSON.parse(await Deno.readTextFile(`${out}/settle.json`));
  kept.same("the question", agreed);
  if (choices !== null || kept.names.includes("the rates")) kept.same("the rates", choices);
  if (answer !== null || kept.names.includes("the answer")) kept.same("the answer", answer);
  const plan = await readPlan(out);
  if (plan?.settled || kept.names.includes("the answered plan")) {
    const { command: _, ...rest } = plan!;
    kept.same("the answered plan", rest);
  }
  return answer !== null
    ? "the answer"
    : choices !== null
    ? "pairs"
    : found.size > 0
    ? "the search for rates"
    : "before the first run";
}

/** Resolves once all runs of the plan are stored that is at work, and a little later. */
async function lookIsDue(watcher: Deno.FsWatcher, out: string, laterMs: number): Promise<number> {
  for await (const { paths } of watcher) {
    if (!paths.some((path) => /\/runs\/[0-9a-f]{16}\.json$/.test(path))) continue;
    const plan = await readPlan(out), stored = await openStore(out).names();
    if (!plan?.runs.every(({ id }) => stored.has(id))) continue;
    await pause(laterMs);
    return 0;
  }
  return await new Promise(() => {});
}

/** Resolves once so many runs are stored: a machine that is slow gets somewhere between two kills. */
async function moreStored(out: string, count: number, isWaiting: () => boolean): Promise<void> {
  while (isWaiting() && (await openStore(out).names()).size < count) await pause(100);
}

/** Waits for a target. Returns the process that it names; 0 where it names none. */
function reached(
  { name }: Target,
  watcher: Deno.FsWatcher,
  out: string,
  share: number,
): Promise<number> {
  const part = (kind: RegExp, count: number) =>
    appears(watcher, out, (path) => kind.test(path.slice(out.length)), 1 + Math.floor(share * count));
  switch (name) {
    case "a look's plan half-written":
      return part(/^\/(sweep|settle|chosen)\.json/, 2);
    case "a result half-written":
      return part(/^\/runs\/[0-9a-f]{16}/, 4);
    case "a checkpoint half-written":
      return part(/^\/checkpoints\//, 6);
    case "a look, all of whose runs are in":
      return lookIsDue(watcher, out, 400 * share);
    default:
      return pause(3000 * share).then(() => 0);
  }
}

/** Stops a process until others have taken its run and gone on, and lets it go on where it was. */
async function standStill(crew: Crew, { process }: Worker, out: string): Promise<boolean> {
  send(process, "SIGSTOP");
  const id = heldBy(out, process.pid), claim = id === null ? null : claimOn(out, id);
  const planned = async () => (await readPlan(out))?.runs.length;
  const before = await planned();
  if (claim !== null) {
    const then = new Date(Date.now() - SILENCE);
    await Deno.utime(claim.path, then, then).catch(() => {});
  }
  // Into the next look, where others can get there.
  for (let waits = 0; waits < 60 && crew.living.length > 1 && await planned() === before; waits++) {
    await pause(250);
  }
  const isTaken = id !== null && claimOn(out, id)?.pid !== process.pid;
  send(process, "SIGCONT");
  return isTaken;
}

/** Settles the question once, hit again and again. */
async function settleHit(
  kills: Kill[],
  turn: number,
  isOver: () => boolean,
): Promise<{ readonly starts: number; readonly resumed: number; readonly copies: number }> {
  const out = `${folder}/killed-${turn}`, kept = new Kept();
  const crew = new Crew(out, MOST_PROCESSES - turn % MOST_PROCESSES);
  const plan = startIn(out, "--plan");
  assertEquals((await plan.ended).code, 0, await plan.said);
  let printed: string | null = null, taken = 0;
  while (printed === null) {
    printed = await crew.fill();
    if (printed !== null) break;
    const target = targets[kills.length % targets.length]!;
    const random = createRandom(0).fork(`kill ${kills.length} of question ${turn}`);
    const [share, luck, which, made] = random.uniform(4, 0, 1) as unknown as [number, number, number, number];
    const storedBefore = (await openStore(out).names()).size;
    using watcher = Deno.watchFs(out, { recursive: true });
    let isWaiting = true;
    const answered = async () => {
      while (isWaiting) {
        printed = await crew.fill();
        if (printed !== null) return null;
        await pause(200);
      }
      return null;
    };
    const pid = await Promise.race([
      isOver()
        ? new Promise<never>(() => {})
        : moreStored(out, storedBefore + Math.floor(3 * made), () => isWaiting).then(() =>
          reached(target, watcher, out, share)
        ),
      answered(),
    ]);
    isWaiting = false;
    if (pid === null) break;
    const { living } = crew;
    const one = living.find(({ process }) => process.pid === pid) ??
      living[Math.floor(which * living.length)];
    if (!one) continue;
    if (target.name === "a process that stands still") {
      if (await standStill(crew, one, out)) taken++;
      const phase = await check(kept, out);
      kills.push({ target: target.name, signal: "SIGSTOP", phase, parts: 0 });
      continue;
    }
    const hit = target.hits === "all" ? living : [one];
    const signal = target.name.endsWith("half-written") || luck < 0.5 ? "SIGKILL" : "SIGTERM";
    for (const { process } of hit) send(process, signal);
    await Promise.all(hit.map(({ ended }) => ended));
    const parts = partsIn(out).length, phase = await check(kept, out);
    for (const _ of hit) kills.push({ target: target.name, signal, phase, parts });
  }
  await crew.end();
  assertEquals(answerIn(printed!), undisturbed.answer);
  assertEquals(await endOf(out), undisturbed.end);
  await check(kept, out);
  // Whoever comes after the answer changes nothing of it, to its end or killed before.
  for (const more of [["--worker"], []]) {
    const late = startIn(out, ...more);
    crew.starts++;
    if (more.length === 0) {
      using watcher = Deno.watchFs(out, { recursive: true });
      const isPlan = (path: string) => /^\/sweep\.json/.test(path.slice(out.length));
      await Promise.race([appears(watcher, out, isPlan, 1), late.ended]);
      send(late.process, "SIGKILL");
      kills.push({
        target: "a plan half-written after the answer",
        signal: "SIGKILL",
        phase: "the answer",
        parts: partsIn(out).length,
      });
    }
    await late.ended;
    await check(kept, out);
  }
  const last = startIn(out);
  assertEquals((await last.ended).code, 0, await last.said);
  assertEquals(answerIn(await last.printed), undisturbed.answer);
  await check(kept, out);
  assertEquals(await endOf(out), undisturbed.end);
  assertEquals(partsIn(out), []);
  const names = listed(out).map(({ name }) => name).sort();
  assertEquals(names, ["chosen.json", "live", "report", "runs", "settle.json", "sweep.json"], "left");
  // The last words of the process that came last.
  assertEquals(listed(`${out}/live`).length, 2);
  const copies = [...crew.made.values()].reduce((sum, count) => sum + Math.max(0, count - 1), 0);
  assert(copies <= taken, `${copies} runs were made twice, and ${taken} were taken over`);
  return { starts: crew.starts, resumed: crew.resumed, copies };
}

await Deno.mkdir(folder, { recursive: true });
await writeQuestion();
const undisturbed = await (async () => {
  const out = `${folder}/undisturbed`, whole = startIn(out);
  assertEquals((await whole.ended).code, 0, await whole.said);
  return { answer: answerIn(await whole.printed), end: await endOf(out) };
})();
const [first] = (await resultsIn(`${folder}/undisturbed`)).values();
const { commit, adapter } = first!.result.environment;
const kills: Kill[] = [];
/** A process that stood still is not killed. */
const killed = () => kills.filter(({ signal }) => signal !== "SIGSTOP").length;
let questions = 0, starts = 0, resumed = 0, copies = 0;
while (killed() < Number(killsWanted)) {
  // Each number of processes gets its part of the kills; then a question goes on to its end.
  const most = Math.min(Number(killsWanted), killed() + Math.ceil(Number(killsWanted) / MOST_PROCESSES));
  const done = await settleHit(kills, questions++, () => killed() >= most);
  [starts, resumed, copies] = [starts + done.starts, resumed + done.resumed, copies + done.copies];
  console.log(`${killed()} kills in ${questions} questions`);
}
console.log(
  `${killed()} kills in ${starts} starts of 1 to ${MOST_PROCESSES} processes that settled ${questions} questions, all ` +
    `answered alike and nothing lost: ${counted(kills, ({ signal }) => signal)}; at ${
      counted(kills, ({ phase }) => phase)
    }; aimed at ${counted(kills, ({ target }) => target)}; ${
      kills.filter(({ parts }) => parts > 0).length
    } found half-written files; ${resumed} runs went on from a checkpoint, ${copies} were made by two at once. ` +
    `Commit ${commit}, ${adapter}.`,
);
