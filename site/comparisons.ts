/** @file Comparisons in a browser: what the commands `bench`, `settle` and `report` do, in this origin's private files. */
import { bench, planBench, type PlannedBench } from "../benchmarks/command_line/bench.ts";
import { lookAhead } from "../benchmarks/command_line/bench.ts";
import { unpackQuestion, unpackRuns } from "../benchmarks/report/page/site_link.ts";
import { minutesToGoOn } from "../benchmarks/settle/answer.ts";
import { describeOutlook, lookAtQuestion } from "../benchmarks/settle/outlook.ts";
import { askQuestion, FIRST_SEED as FIRST_PAIR, type Question } from "../benchmarks/settle/question.ts";
import { settle } from "../benchmarks/settle/settle.ts";
import type { WorkParts } from "../benchmarks/sweep/folder.ts";
import { type Apart, type Display, nameRun } from "../benchmarks/sweep/progress.ts";
import { planReruns } from "../benchmarks/sweep/rerun.ts";
import { ratesNeeded } from "../benchmarks/sweep/sweep.ts";
import { readChosen } from "../benchmarks/sweep/sweep_files.ts";
import { openStore } from "../benchmarks/sweep/store.ts";
import { sentenceOf } from "../errors/fault.ts";
import { namesIn, prepareFolder, readText, writeWhole } from "../files/write_file.ts";
import { type Gpu, openGpu } from "../gpu/mod.ts";
import { system } from "../system/mod.ts";
import { type Library, parseWith } from "../training/configuration.ts";
import { environmentOf } from "../training/environment.ts";
import type { Progress } from "../training/loop/progress.ts";
import { openFolders, resolveRuns } from "../training/resolve/resolve.ts";
import { type RunConfig, runIds } from "../training/run.ts";
import { scoreBase } from "../training/scoring/score_base.ts";
import { shipped } from "../training/shipped.ts";
import { train } from "../training/train.ts";
import { type Begun, type Choice, Comparison, type Message, type Request } from "./messages.ts";
import { lackOf } from "./lack.ts";
import { type AskedQuestion, readQuestion, withMinutes } from "./question.ts";
import { zip } from "./zip.ts";

/** Where comparisons lie: `<name>/comparison.json` says what was asked for. */
const RESULTS = "results", ASKED = "asked";
/** Milliseconds from one checkpoint to the next: a tab may be closed at any time. */
const CHECKPOINT_EVERY = 15_000;
/** Seeds of the sweep "quick" begin here: comparisons have the first of them. */
const FIRST_SEED = 200;

/** A worker's side of what it is told and tells. */
interface Port {
  postMessage(message: Message): void;
  addEventListener(type: "message", listener: (event: MessageEvent<Request>) => void): void;
}

/** What was asked for, ready to be run. */
type Ready =
  | {
    readonly kind: "bench";
    readonly name: string;
    readonly command: string | null;
    readonly planned: PlannedBench<Library>;
  }
  | {
    readonly kind: "settle";
    readonly name: string;
    readonly command: string | null;
    readonly question: Question;
    readonly asked: AskedQuestion;
  };

/** Answers a page for as long as it is open. */
export async function listen(port: Port): Promise<void> {
  const say = (message: Message) => port.postMessage(message);
  let stop: AbortController | null = null;
  const answer = async (request: Request) => {
    switch (request.type) {
      case "look":
        return say(await outlookOf(await prepare(request.comparison)));
      case "start": {
        if (stop) return;
        stop = new AbortController();
        try {
          await run(await prepare(request.comparison), request.comparison, stop.signal, say);
        } finally {
          stop = null;
        }
        return say({ type: "begunList", begun: await begunHere() });
      }
      case "stop":
        return stop?.abort();
      case "download":
        return say({ type: "file", name: request.name, blob: await pack(request.name) });
      case "forget":
        await system.remove(`${RESULTS}/${request.name}`, { recursive: true }).catch(() => {});
        await system.remove(`${ASKED}/${request.name}.json`).catch(() => {});
        return say({ type: "begunList", begun: await begunHere() });
    }
  };
  port.addEventListener("message", ({ data }) => {
    answer(data).catch((error) =>
      say({ type: data.type === "look" ? "refused" : "failed", sentence: sentenceOf(error) })
    );
  });
  say(await describe());
}

/** What there is to choose from, and on what it would run. */
async function describe(): Promise<Message> {
  const adapter = await openGpu({ path: "gpu" }).catch(() => null);
  const info = adapter?.info ?? null;
  await adapter?.[Symbol.asyncDispose]();
  const build = await system.build(), browser = system.host.version;
  // A browser that keeps no files for the page has none to list.
  const begun = await begunHere().catch(() => null);
  return {
    type: "ready",
    adapter: info && {
      name: info.adapter,
      isSoftware: /swiftshader|llvmpipe|software/i.test(info.adapter),
      mostBufferBytes: info.limits.maxStorageBufferBindingSize ?? 0,
      hasHalf: info.features.includes("shader-f16"),
    },
    lack: lackOf({
      browser,
      isSecure: (globalThis as unknown as { readonly isSecureContext: boolean }).isSecureContext,
      hasWebGpu: navigator.gpu !== undefined,
      hasAdapter: info !== null,
      hasFiles: begun !== null,
    }),
    browser,
    commit: build?.commit ?? "unknown",
    tasks: Object.values(shipped.tasks).map(({ id, title }): Choice => ({ id, title })),
    methods: Object.values(shipped.optimizers).map(({ id, title }): Choice => ({ id, title })),
    begun: begun ?? [],
  };
}

/** Plans what was asked for. @throws {UserError} where it can't be run */
async function prepare(asked: unknown): Promise<Ready> {
  const comparison = parseWith(Comparison, asked, "the comparison");
  if (comparison.kind === "runs") {
    const { name, question, configs } = await unpackRuns(comparison.runs);
    const ids = await runIds(configs), known = await openFolders(configs, shipped);
    const stored = configs.map((config, i) => ({ id: ids[i]!, config }));
    const about = { name, question, command: `the site, from a report of sweep "${name}"` };
    const { plan } = await planReruns(stored, about, known, null);
    const slug = `linked-${ids[0]!.slice(0, 8)}-${ids.length}`;
    return {
      kind: "bench",
      name: slug,
      command: null,
      planned: { plan, runs: await resolveRuns(configs, known), registries: known },
    };
  }
  if (comparison.kind !== "bench") {
    const { spec, name, command } = await readQuestion(comparison, shipped), from = ratesNeeded(spec);
    const question = await askQuestion(spec, shipped, from === null ? null : await readChosen(from), false);
    return { kind: "settle", name, command, question, asked: comparison };
  }
  const { tasks, methods, rank } = comparison;
  const seeds = Array.from({ length: comparison.seeds }, (_, i) => FIRST_SEED + i), { steps } = comparison;
  const command =
    `./run bench quick --tasks ${tasks.join()} --optimizers ${methods.join()} --ranks ${rank} ` +
    `--seeds ${seeds.join()}${steps === undefined ? "" : ` --steps ${steps}`}`;
  const planned = await planBench({
    sweep: "quick",
    overrides: { tasks, optimizers: methods, ranks: [rank], seeds, ...(steps !== undefined && { steps }) },
    command,
  }, shipped);
  const name = [
    ...tasks,
    ...methods,
    `r${rank}`,
    `n${seeds.length}`,
    ...steps === undefined ? [] : [`s${steps}`],
  ];
  return { kind: "bench", name: name.join("-"), command, planned };
}

/** What is ahead. */
async function outlookOf(ready: Ready): Promise<Message> {
  const { name, command } = ready, out = `${RESULTS}/${name}`;
  if (ready.kind === "settle") {
    const outlook = await lookAtQuestion(ready.question, out, shipped), { peakBytes } = outlook;
    const [question, ...takes] = describeOutlook(ready.question, outlook);
    const stored = (await openStore(out).names()).size;
    return { type: "outlook", name, command, question: question!, takes, runs: 0, stored, peakBytes };
  }
  const { finished, peakBytes } = await lookAhead(ready.planned, out), { plan } = ready.planned;
  return {
    type: "outlook",
    name,
    command,
    question: plan.question,
    takes: [],
    runs: plan.runs.length,
    stored: finished.size,
    peakBytes: Math.max(0, ...peakBytes.values()),
  };
}

/** Runs what is missing, or goes on with it, and tells. */
async function run(
  ready: Ready,
  comparison: unknown,
  signal: AbortSignal,
  say: (message: Message) => void,
): Promise<void> {
  const { name } = ready, out = `${RESULTS}/${name}`;
  await prepareFolder(ASKED);
  await writeWhole(`${ASKED}/${name}.json`, JSON.stringify(comparison));
  say({ type: "begun", name });
  const parts: WorkParts<Gpu> = {
    deps: {
      // SwiftShader, which browsers have, takes minutes to compile what suits Mesa's software adapter.
      open: () => openGpu({ path: "gpu" }),
      train: (gpu, config, hooks) => train(gpu, config, hooks),
      scoreBase: (gpu, config, hooks) => scoreBase(gpu, config, { ...shipped, ...hooks }),
      environment: environmentOf,
    },
    display: displayTo(say, ready.kind === "settle" ? roundOf : () => ""),
    signal,
    checkpointEveryMs: CHECKPOINT_EVERY,
    say: (sentence) => say({ type: "said", sentence }),
    isOwn: true,
    site: system.own("").href,
  };
  const done = await alone(async () => {
    if (ready.kind === "bench") {
      const { report } = await bench(ready.planned, out, parts);
      return { report, answer: report?.report.answer ?? [], more: null };
    }
    const { question, asked } = ready, command = ready.command ?? "the site, from a report’s question";
    const outcome = await settle(question, out, command, shipped, parts);
    const minutes = minutesToGoOn(question, outcome);
    const more = minutes === null ? null : { minutes, comparison: await withMinutes(asked, minutes) };
    return { report: outcome.report, answer: outcome.answer, more };
  });
  if (!done) {
    return say({ type: "failed", sentence: "Another tab of this site is at work: it can do one at a time" });
  }
  const { report, answer, more } = done;
  say({
    type: "done",
    name,
    answer,
    caveats: report?.report.caveats ?? [],
    page: report?.page ?? null,
    more,
  });
}

/** Does what one tab may do at a time; null where another one is at it. */
async function alone<T>(work: () => Promise<T>): Promise<T | null> {
  const { locks } = navigator as unknown as {
    readonly locks: {
      request<R>(name: string, options: object, take: (lock: unknown) => Promise<R>): Promise<R>;
    };
  };
  return await locks.request(
    "equivalent-gradient",
    { ifAvailable: true },
    async (lock) => lock === null ? null : await work(),
  );
}

/** What a run of a question is for: rates, or a pair. */
function roundOf({ scoreOn, seed }: RunConfig): string {
  return scoreOn === "validation" ? "Choosing rates: " : `Pair ${seed - FIRST_PAIR + 1}: `;
}

/** Tells the page what a sweep shows, each run with what it is for. */
function displayTo(say: (message: Message) => void, purposeOf: (config: RunConfig) => string): Display {
  let done = 0, total = 0, apart: Apart = () => "", told = { train: 0, validation: 0, discrepancies: 0 };
  const count = () => say({ type: "count", done, total });
  return {
    stage: (what) => say({ type: "stage", what }),
    begin(sweep) {
      ({ done, total, apart = apart } = sweep);
      count();
    },
    count(now) {
      done = now;
      count();
    },
    start({ id, config }) {
      told = { train: 0, validation: 0, discrepancies: 0 };
      const { seed, steps, optimizer } = config;
      const name = `${purposeOf(config)}${nameRun(config, apart)}`;
      say({ type: "run", id, name, method: optimizer.id, seed, steps });
    },
    update(progress, toGo) {
      const { phase, step, trainLoss, validationLoss, discrepancies } = progress;
      say({
        type: "progress",
        phase,
        step,
        toGo,
        trainLoss: trainLoss.slice(told.train).map(({ step, value }) => [step, value]),
        validationLoss: validationLoss.slice(told.validation).map(({ step, value }) => [step, value]),
        discrepancy: meansOf(discrepancies.slice(told.discrepancies)),
      });
      told = {
        train: trainLoss.length,
        validation: validationLoss.length,
        discrepancies: discrepancies.length,
      };
    },
    finish(result, ms) {
      done++;
      const score = result.status === "done" ? result.outcome.score : null;
      say({ type: "finished", id: result.id, name: nameRun(result.config, apart), score, ms });
      count();
    },
    end: () => {},
  };
}

/** Means over the target modules of each step. */
function meansOf(measured: Progress["discrepancies"]): [number, number, number | null][] {
  return [...Map.groupBy(measured, ({ step }) => step)].map(([step, all]) => {
    const bounds = all.flatMap(({ lowerBound }) => lowerBound === null ? [] : [lowerBound]);
    return [
      step,
      mean(all.map(({ gradientError }) => gradientError)),
      bounds.length > 0 ? mean(bounds) : null,
    ];
  });
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** What was begun here and is not forgotten. */
async function begunHere(): Promise<Begun[]> {
  const names = (await namesIn(ASKED)).filter((name) => name.endsWith(".json"));
  const all = await Promise.all(names.map(async (file): Promise<Begun | null> => {
    const name = file.slice(0, -".json".length), out = `${RESULTS}/${name}`;
    try {
      const comparison = parseWith(Comparison, JSON.parse(await readText(`${ASKED}/${file}`)), file);
      const isDone = await system.isThere(`${out}/report/index.html`);
      const title = await titleOf(comparison) ?? name;
      return { name, comparison, title, stored: (await openStore(out).names()).size, isDone };
    } catch {
      // A version of the site that asked otherwise left it.
      return null;
    }
  }));
  return all.filter((one) => one !== null);
}

/** What a link asks, in words; null where the folder's name says it. */
async function titleOf(comparison: Comparison): Promise<string | null> {
  if (comparison.kind === "question") return (await unpackQuestion(comparison.question)).question;
  return comparison.kind === "runs" ? (await unpackRuns(comparison.runs)).question : null;
}

/** A comparison's folder as one file, which `./run report` takes once it is unpacked. */
async function pack(name: string): Promise<Blob> {
  const files: { path: string; bytes: Uint8Array }[] = [];
  const enter = async (folder: string) => {
    for (const inner of await namesIn(folder)) {
      const path = `${folder}/${inner}`;
      if ((await system.stat(path)).isDirectory) await enter(path);
      else files.push({ path: path.slice(RESULTS.length + 1), bytes: await system.readFile(path) });
    }
  };
  await enter(`${RESULTS}/${name}`);
  return new Blob(zip(files), { type: "application/zip" });
}
