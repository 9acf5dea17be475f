/** @file The command line: calls benchmarks and training, prints. */
import {
  readAsked,
  readCheckpointEvery,
  readCheckSettings,
  readExports,
  readGpu,
  readKeep,
  readMargin,
  readOverrides,
} from "./benchmarks/command_line/arguments.ts";
import {
  bench,
  type BenchOutcome,
  lookAhead,
  type Outlook,
  planBench,
  withEntries,
} from "./benchmarks/command_line/bench.ts";
import { type CommandName, commands, isCommand, readArguments } from "./benchmarks/command_line/commands.ts";
import { completionsFor } from "./benchmarks/command_line/completions.ts";
import { describeCommand, describeCommands } from "./benchmarks/command_line/help.ts";
import { createDisplay, type Screen } from "./benchmarks/command_line/display.ts";
import {
  columnsOf,
  fold,
  type Style,
  styleFor,
  toColumns,
  wrap,
} from "./benchmarks/command_line/terminal.ts";
import { formatDuration } from "./benchmarks/cost/estimate.ts";
import { isUserFault, sentenceOf } from "./errors/fault.ts";
import { unknownName } from "./errors/unknown_name.ts";
import { rankOf } from "./benchmarks/sweep/method.ts";
import type { Plan } from "./benchmarks/sweep/plan.ts";
import { formatBytes, formatCount } from "./benchmarks/report/format.ts";
import { nameRun } from "./benchmarks/sweep/progress.ts";
import type { Progress } from "./training/loop/progress.ts";
import { readPeftRuns } from "./benchmarks/report/exports/from_peft.ts";
import { exportKinds } from "./benchmarks/report/exports/write_exports.ts";
import type { Report } from "./benchmarks/report/report.ts";
import { writeReport } from "./benchmarks/report/write.ts";
import type { RunDeps } from "./benchmarks/sweep/runner.ts";
import { answerToJson } from "./benchmarks/settle/answer.ts";
import { describeOutlook, lookAtQuestion, outlookToJson } from "./benchmarks/settle/outlook.ts";
import { askQuestion, specOf } from "./benchmarks/settle/question.ts";
import { settle } from "./benchmarks/settle/settle.ts";
import type { Role } from "./benchmarks/sweep/folder.ts";
import { isStoredRun } from "./benchmarks/sweep/rerun.ts";
import { override, ratesNeeded, type SweepSpec } from "./benchmarks/sweep/sweep.ts";
import {
  listSweeps,
  readChosen,
  readChosenIn,
  readSweep,
  withFilesOf,
} from "./benchmarks/sweep/sweep_files.ts";
import type { TuneProgress } from "./benchmarks/performance/autotune.ts";
import { type Tuning, writeTuning } from "./benchmarks/performance/tuning.ts";
import { DEFAULT_PORT, serveWatcher } from "./benchmarks/watch/serve.ts";
import type { Pretrained, PretrainOptions } from "./training/pretrain.ts";
import type { CheckedPromise, CheckSettings } from "./contract/check_entries.ts";
import type { Library, Registries } from "./training/configuration.ts";
import { lookup } from "./training/lookup.ts";
import type { RunResult } from "./training/run.ts";
import { quoteArgument } from "./errors/quote.ts";
import { UserError } from "./errors/user_error.ts";

/** What the commands work with: real ones below, made-up ones in tests. */
export interface CommandDeps {
  registries(): Promise<Registries>;
  /**
   * @param say takes a sentence for people
   * @param registries `registries()` with what files brought
   */
  runDeps(say: (sentence: string) => void, registries: Registries): Promise<RunDeps<AsyncDisposable>>;
  pretrain(
    model: string,
    registries: Registries,
    options: PretrainOptions & { readonly onProgress: (progress: Progress) => void },
  ): Promise<Pretrained>;
  /** Holds what a file brings to what it has to promise. */
  check(file: string, settings: CheckSettings): AsyncIterable<CheckedPromise>;
  /** Measures matrix products and stores the choices. */
  autotune(
    onProgress: (progress: TuneProgress) => void,
  ): Promise<{ readonly path: string; readonly tuning: Tuning }>;
  /** Shows a sweep at work. */
  display(to: "stdout" | "stderr"): Screen;
  /** How what is printed is marked, and in how many columns. */
  readonly style: Style;
  readonly columns: number;
  /** Writes a line to stdout. */
  print(line: string): void;
  /** Writes a line to stderr. */
  complain(line: string): void;
}

const real: CommandDeps = {
  // Loaded when needed: listing and reporting should not wait for the GPU's part of the program.
  async registries() {
    return (await import("./training/shipped.ts")).shipped;
  },
  async runDeps(say, library: Library) {
    return await (await import("./benchmarks/mod.ts")).openWorkshop(say, library);
  },
  async pretrain(model, { models }: Library, options) {
    const [{ openGpu }, { pretrain }] = await Promise.all([
      import("./gpu/mod.ts"),
      import("./training/pretrain.ts"),
    ]);
    await using gpu = await openGpu();
    return await pretrain(gpu, model, { ...options, models });
  },
  async *check(file, settings) {
    const [{ openGpu }, { checkEntries }, { loadModules }, { withShipped }] = await Promise.all([
      import("./gpu/mod.ts"),
      import("./contract/check_entries.ts"),
      import("./training/resolve/modules.ts"),
      import("./training/shipped.ts"),
    ]);
    const own = await loadModules([file]), library = withShipped(own);
    await using gpu = await openGpu();
    yield* checkEntries(gpu, own, library, settings);
  },
  async autotune(onProgress) {
    const [{ openGpu }, { productsOf, autotune }, { shipped }] = await Promise.all([
      import("./gpu/mod.ts"),
      import("./benchmarks/performance/autotune.ts"),
      import("./training/shipped.ts"),
    ]);
    await using gpu = await openGpu();
    const tuning = await autotune(gpu, productsOf(Object.values(shipped.models)), onProgress);
    return { tuning, path: await writeTuning(tuning) };
  },
  display: (to) => createDisplay(to, (sentence) => console.error(wrap(sentence, columnsOf("stderr")))),
  style: styleFor("stdout"),
  columns: columnsOf("stdout"),
  print: (line) => console.log(line),
  complain: (line) => console.error(wrap(line, columnsOf("stderr"))),
};

/**
 * Runs a command. Errors become one sentence on stderr.
 *
 * @param args as in `Deno.args`
 * @returns the exit code
 */
export async function main(args: string[], deps: CommandDeps = real): Promise<number> {
  try {
    return await dispatch(args, deps);
  } catch (error) {
    deps.complain(sentenceOf(error));
    return isUserFault(error) ? 2 : 1;
  }
}

async function dispatch(args: string[], deps: CommandDeps): Promise<number> {
  const [command, ...rest] = args;
  const isHelp = command === undefined || command === "--help" || command === "-h" || command === "help";
  const named = isHelp ? rest.find((argument) => !argument.startsWith("-")) : command;
  if (named === undefined) {
    deps.print(describeCommands(deps.style));
    return 0;
  }
  if (!isCommand(named)) throw unknownName(`command "${named}"`, named, Object.keys(commands));
  if (isHelp || rest.includes("--help") || rest.includes("-h")) {
    deps.print(describeCommand(named, deps.style));
    return 0;
  }
  const run = {
    bench: benchCommand,
    settle: settleCommand,
    "bench-python": benchCommand,
    report: reportCommand,
    watch: watchCommand,
    pretrain: pretrainCommand,
    check: checkCommand,
    autotune: autotuneCommand,
    completions: completionsCommand,
  };
  return await run[named](rest, deps, named);
}

async function benchCommand(args: string[], deps: CommandDeps, name: CommandName): Promise<number> {
  const { texts, paths, flags, positional } = readArguments(name, args), files = paths.get("with") ?? [];
  const registries = await deps.registries();
  if (flags.has("list")) {
    return await printList(await withEntries(files, registries), flags.has("json"), deps);
  }
  const overrides = {
    ...readOverrides(texts),
    ...(flags.has("train-on-test") && { trainOnTest: true as const }),
  };
  const command = [`./run ${name}`, ...args.map(quoteArgument)].join(" ");
  const isDry = flags.has("dry-run"), isJson = flags.has("json"), role = roleOf(flags, texts);
  const checkpointEveryMs = readCheckpointEvery(texts.get("checkpoint-every"));
  const keepsTrained = readKeep(texts.get("keep"));
  const screen = deps.display(isJson || isDry ? "stderr" : "stdout");
  let interruption: ReturnType<typeof listenForStop> | null = null;
  try {
    screen.stage("Planning the runs");
    const sweep = positional[0] ?? "quick", written = isStoredRun(sweep) ? null : await readSweep(sweep);
    if (written?.settle) {
      const known = await withEntries([...files, ...withFilesOf(written, sweep)], registries);
      const out = texts.get("out") ?? `results/${written.name}`;
      const asking = {
        command,
        out,
        isDry,
        isJson,
        role,
        checkpointEveryMs,
        keepsTrained,
        rates: texts.get("rates"),
      };
      return await settleIn(override(written, overrides, known), asking, known, screen, deps);
    }
    const planned = await planBench({
      sweep: positional[0] ?? "quick",
      overrides,
      command,
      dryRun: isDry,
      with: files,
    }, registries);
    const { plan } = planned;
    const out = texts.get("out") ?? `results/${plan.name}`;
    if (isDry) {
      screen.stage("Reading data and counting what runs take");
      const outlook = await lookAhead(planned, out);
      screen.end();
      return printOutlook(plan, out, outlook, isJson, deps);
    }
    for (const note of plan.notes) screen.say(note);
    interruption = listenForStop(screen.say);
    const outcome = await bench(planned, out, {
      role,
      deps: await deps.runDeps(screen.say, planned.registries),
      display: screen,
      signal: interruption.signal,
      checkpointEveryMs,
      keepsTrained,
      say: screen.say,
    });
    screen.end();
    const code = role === "plan"
      ? printPlanned(plan, out, name, isJson, deps)
      : printOutcome(plan, out, outcome, isJson, deps);
    return outcome.interrupted ? interruption.exitCode() : code;
  } finally {
    screen.end();
    interruption?.[Symbol.dispose]();
  }
}

async function settleCommand(args: string[], deps: CommandDeps): Promise<number> {
  const { texts, paths, flags, positional } = readArguments("settle", args);
  const asked = readAsked(texts, positional);
  const overrides = {
    ...readOverrides(texts),
    ...(flags.has("train-on-test") && { trainOnTest: true as const }),
  };
  const isDry = flags.has("dry-run"), isJson = flags.has("json");
  const checkpointEveryMs = readCheckpointEvery(texts.get("checkpoint-every"));
  const keepsTrained = readKeep(texts.get("keep"));
  const screen = deps.display(isJson || isDry ? "stderr" : "stdout");
  try {
    screen.stage("Planning the runs");
    const registries = await withEntries(paths.get("with") ?? [], await deps.registries());
    const spec = override(specOf(asked, registries), overrides, registries);
    return await settleIn(
      spec,
      {
        command: ["./run settle", ...args.map(quoteArgument)].join(" "),
        out: texts.get("out") ?? `results/${spec.name}`,
        rates: texts.get("rates"),
        isDry,
        isJson,
        checkpointEveryMs,
        keepsTrained,
      },
      registries,
      screen,
      deps,
    );
  } finally {
    screen.end();
  }
}

/** What a question is settled with, beside its sweep. */
interface Settling {
  readonly command: string;
  readonly out: string;
  /** The folder that rates are taken from. */
  readonly rates: string | undefined;
  readonly isDry: boolean;
  readonly isJson: boolean;
  readonly role?: Role;
  readonly checkpointEveryMs: number;
  readonly keepsTrained: boolean;
}

async function settleIn(
  spec: SweepSpec,
  { command, out, rates, isDry, isJson, role = "whole", checkpointEveryMs, keepsTrained }: Settling,
  registries: Registries,
  screen: Screen,
  deps: CommandDeps,
): Promise<number> {
  const from = ratesNeeded(spec);
  const chosen = rates !== undefined
    ? await readChosenIn(rates)
    : from === null
    ? null
    : await readChosen(from);
  const question = await askQuestion(spec, registries, chosen, rates !== undefined);
  if (isDry) {
    screen.stage("Reading data and counting what runs take");
    const outlook = await lookAtQuestion(question, out, registries);
    screen.end();
    if (isJson) deps.print(JSON.stringify(outlookToJson(question, out, outlook)));
    else for (const line of describeOutlook(question, outlook)) deps.print(line);
    return 0;
  }
  for (const note of question.notes) screen.say(note);
  if (role === "plan") {
    deps.print("A question is planned look by look: start the same command as often as you like");
    return 0;
  }
  using interruption = listenForStop(screen.say);
  const outcome = await settle(question, out, command, registries, {
    role,
    deps: await deps.runDeps(screen.say, registries),
    display: screen,
    signal: interruption.signal,
    checkpointEveryMs,
    keepsTrained,
    say: screen.say,
  });
  screen.end();
  if (isJson) deps.print(JSON.stringify(answerToJson(question, out, outcome)));
  if (outcome.interrupted) {
    deps.complain(`Stopped: the same command goes on from what is stored in ${out}`);
    return interruption.exitCode();
  }
  if (!isJson) {
    for (const line of outcome.answer) deps.print(line);
    if (outcome.report) deps.complain(`Report: ${outcome.report.page}`);
  }
  const [failed] = outcome.failed;
  if (failed?.status !== "failed") return 0;
  deps.complain(`${nameRun(failed.config)} failed: ${failed.error}`);
  return 1;
}

/** What this process is to do of the sweep. @throws {UserError} where it is asked for two things */
function roleOf(flags: ReadonlySet<string>, texts: ReadonlyMap<string, string>): Role {
  if (texts.has("jobs")) {
    throw new UserError("Cannot start --jobs from here: ./run does, each a process of its own");
  }
  const asked = (["plan", "worker"] as const).filter((role) => flags.has(role));
  if (asked.length > 1) throw new UserError("Cannot take --plan and --worker at once: the plan comes first");
  return asked[0] ?? "whole";
}

function printPlanned(
  plan: Plan,
  out: string,
  name: CommandName,
  json: boolean,
  { print }: CommandDeps,
): number {
  const total = plan.runs.length;
  if (json) print(JSON.stringify({ sweep: plan.name, out, counts: { total } }));
  else {print(
      `Planned ${
        formatCount(total, "run")
      } in ${out}: ./run ${name} with the same options and --worker makes them`,
    );}
  return 0;
}

/** Signals that stop a sweep once its run is kept, and their numbers. USR1 is what batch systems send before time is up. */
const STOPPING = { SIGINT: 2, SIGTERM: 15, SIGUSR1: 10 } as const;

/** Milliseconds in which a signal counts once: from a terminal it comes to each process and through the one above too. */
const ECHO = 1000;

/** Aborts at the first of these signals; the second ends the process at once. */
function listenForStop(say: (sentence: string) => void): Disposable & {
  readonly signal: AbortSignal;
  /** As shells number it. */
  exitCode(): number;
} {
  const controller = new AbortController();
  let by: keyof typeof STOPPING = "SIGINT", firstAt = 0;
  const exitCode = () => 128 + STOPPING[by];
  const names = (Object.keys(STOPPING) as (keyof typeof STOPPING)[])
    .filter((name) => Deno.build.os !== "windows" || name === "SIGINT");
  const listeners = names.map((name) => {
    const stop = () => {
      if (controller.signal.aborted) {
        if (performance.now() - firstAt > ECHO) Deno.exit(exitCode());
        return;
      }
      [by, firstAt] = [name, performance.now()];
      say("Stopping once the run at work is kept; the same again ends it at once");
      controller.abort();
    };
    Deno.addSignalListener(name, stop);
    return [name, stop] as const;
  });
  return {
    signal: controller.signal,
    exitCode,
    [Symbol.dispose]: () => listeners.forEach(([name, stop]) => Deno.removeSignalListener(name, stop)),
  };
}

async function reportCommand(args: string[], deps: CommandDeps): Promise<number> {
  const { texts, paths, flags } = readArguments("report", args);
  const out = texts.get("out");
  if (out === undefined) {
    throw new UserError("Cannot report: --out DIR is needed, the folder that bench wrote to");
  }
  const gpu = readGpu(texts), margin = readMargin(texts), exports = readExports(texts.get("export"));
  const peft = paths.get("with-peft"), against = texts.get("against");
  const wishes = {
    ...gpu && { gpu },
    ...margin !== undefined && { margin },
    ...peft && { peft: await readPeftRuns(peft) },
    ...against !== undefined && { against },
    exports,
  };
  const screen = deps.display("stderr");
  screen.stage("Making the report");
  const { report, page, faults } = await withEntries(paths.get("with") ?? [], await deps.registries())
    .then((registries) => writeReport(out, registries, wishes))
    .finally(() => screen.end());
  for (const fault of faults) deps.complain(fault);
  if (flags.has("json")) {
    deps.print(
      JSON.stringify({
        out,
        report: page,
        answer: report.answer,
        caveats: report.caveats,
        ...report.against && { against: { verdict: report.against.verdict, ...report.against.counts } },
      }),
    );
  } else {
    // What changed against another sweep is what was asked.
    for (const sentence of report.against?.sentences ?? []) tell(deps, sentence);
    printAnswer(
      { ...report, answer: report.answer.slice(report.against?.sentences.length ?? 0) },
      deps,
    );
    deps.print(`Report:  ${page}`);
  }
  return 0;
}

async function watchCommand(args: string[], deps: CommandDeps): Promise<number> {
  const { texts, positional } = readArguments("watch", args);
  const text = texts.get("port") ?? String(DEFAULT_PORT), port = Number(text);
  if (!/^\d+$/.test(text) || port > 65535) {
    throw new UserError(`Cannot read --port "${text}": a whole number from 0 to 65535 is needed`);
  }
  const folder = (positional[0] ?? "results").replace(/(?<=.)\/+$/, "");
  const interruption = new AbortController();
  const stop = () => interruption.abort();
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) Deno.addSignalListener(signal, stop);
  try {
    await serveWatcher(folder, await deps.registries(), {
      port,
      signal: interruption.signal,
      complain: deps.complain,
      onListen: (address) => deps.print(`Watching ${folder} at ${address} (Ctrl-C ends it, sweeps go on)`),
    });
  } finally {
    for (const signal of signals) Deno.removeSignalListener(signal, stop);
  }
  deps.print("Ended watching: sweeps go on");
  return 0;
}

async function pretrainCommand(args: string[], deps: CommandDeps): Promise<number> {
  const { texts, paths, flags, positional } = readArguments("pretrain", args);
  const registries = await withEntries(paths.get("with") ?? [], await deps.registries());
  const { models, own } = registries;
  const [model] = positional;
  const known = Object.values(models).map((entry) => entry.id).join(", ");
  if (model === undefined) {
    throw new UserError(`Cannot pretrain: the name of a model is needed, known are ${known}`);
  }
  const entry = lookup("model", models, model);
  const out = texts.get("out"), { steps, data, examples } = readOverrides(texts);
  const changed = ["steps", "data", "examples"].find((name) => texts.has(name));
  if (out === undefined && changed !== undefined) {
    throw new UserError(
      `Cannot pretrain ${model} with --${changed}: --out PATH is needed, what the project ships is made by its recipe`,
    );
  }
  if (out === undefined && own?.has(entry)) {
    throw new UserError(`Cannot pretrain ${model}: it is a model of yours, --out PATH is needed`);
  }
  const needing = flags.has("train-on-test") ? "train-on-test" : examples ? "examples" : null;
  if (data === undefined && needing !== null) {
    throw new UserError(
      `Cannot pretrain ${model} with --${needing}: they are of real images, --data DIR is needed`,
    );
  }
  let last = 0;
  const made = await deps.pretrain(model, registries, {
    ...(out === undefined ? {} : { out }),
    ...(steps !== undefined && { steps }),
    ...(data !== undefined &&
      { images: { data, ...examples, ...(flags.has("train-on-test") && { trainOnTest: true }) } }),
    onProgress({ step, steps, loss }) {
      if (performance.now() - last < 5000 && step < steps) return;
      last = performance.now();
      deps.complain(
        `${model}: step ${step} of ${steps}${loss === null ? "" : `, loss ${loss.toPrecision(3)}`}`,
      );
    },
  });
  deps.print(
    `Pretrained ${model}: ${made.path}, score ${made.score.toFixed(3)}, SHA-256 ${made.hash}`,
  );
  return 0;
}

async function checkCommand(args: string[], deps: CommandDeps): Promise<number> {
  const { texts, flags, positional: [file] } = readArguments("check", args);
  if (file === undefined) {
    throw new UserError("Cannot check: a TypeScript file is needed, as in ./my_method.ts");
  }
  const settings = readCheckSettings(texts), json = flags.has("json");
  const promises: CheckedPromise[] = [];
  for await (const one of deps.check(file, settings)) {
    promises.push(one);
    if (json) continue;
    const { kind, id, promise, fault } = one;
    deps.print(`${fault === null ? "holds" : "FAILS"}  ${kind} ${id}: ${promise}`);
    if (fault !== null) deps.print(`       ${fault.replaceAll("\n", "\n       ")}`);
  }
  const held = promises.filter(({ fault }) => fault === null).length;
  if (json) deps.print(JSON.stringify({ file, held, of: promises.length, promises }));
  else deps.print(`${held} of ${promises.length} promises hold`);
  return held === promises.length ? 0 : 1;
}

async function autotuneCommand(args: string[], deps: CommandDeps): Promise<number> {
  const { flags } = readArguments("autotune", args);
  let last = performance.now();
  const { path, tuning } = await deps.autotune(({ done, total, shape }) => {
    if (performance.now() - last < 5000 && done < total) return;
    last = performance.now();
    deps.complain(`Measured ${done} of ${total} kinds of products, last ${shape}`);
  });
  const products = Object.entries(tuning.products);
  if (flags.has("json")) {
    deps.print(JSON.stringify({ path, ...tuning }));
    return 0;
  }
  const changed = products.filter(([, { variant, rule }]) => variant !== rule);
  for (const [shape, { variant, rule, microseconds }] of changed) {
    deps.print(
      `${shape}: ${variant} ${microseconds[variant]} us instead of ${rule} ${microseconds[rule]} us`,
    );
  }
  deps.print(
    `Tuned ${tuning.adapter} with Deno ${tuning.deno}: ${changed.length} of ${products.length} choices differ from the rule, stored in ${path}`,
  );
  return 0;
}

async function completionsCommand(args: string[], deps: CommandDeps): Promise<number> {
  const { positional: [shell] } = readArguments("completions", args);
  const { tasks, optimizers, models } = await deps.registries();
  const ids = (entries: Readonly<Record<string, { readonly id: string }>>) =>
    Object.values(entries).map(({ id }) => id);
  const known = {
    task: ids(tasks),
    optimizer: ids(optimizers),
    model: ids(models),
    sweep: (await listSweeps()).map(({ id }) => id),
    export: exportKinds,
  };
  const program = decodeURIComponent(new URL("./run", import.meta.url).pathname);
  deps.print(completionsFor(shell, known, program).trimEnd());
  return 0;
}

async function printList(registries: Registries, json: boolean, deps: CommandDeps): Promise<number> {
  const { tasks, models, optimizers } = registries;
  const known = {
    tasks: Object.values(tasks).map(({ id, family, title }) => ({ id, family, title })),
    optimizers: Object.values(optimizers).map(({ id, title }) => ({ id, title })),
    models: Object.values(models).map(({ id, family, title }) => ({ id, family, title })),
    sweeps: await listSweeps(),
  };
  if (json) {
    deps.print(JSON.stringify(known));
    return 0;
  }
  for (const [kind, entries] of Object.entries(known)) {
    tell(deps, `${kind}:`);
    const width = Math.max(...entries.map(({ id }) => id.length));
    for (const entry of entries) {
      tell(deps, `  ${entry.id.padEnd(width)}  ${"title" in entry ? entry.title : entry.question}`);
    }
  }
  return 0;
}

/** Most runs that a dry run lists: of more, people read none, and a program would get hundreds of megabytes. */
const MOST_LISTED = { people: 100, json: 10_000 };

function printOutlook(
  plan: Plan,
  out: string,
  { finished, estimateMs, pacesFrom, peakBytes }: Outlook,
  json: boolean,
  deps: CommandDeps,
): number {
  const total = plan.runs.length, listed = plan.runs.slice(0, json ? MOST_LISTED.json : MOST_LISTED.people);
  if (json) {
    const runs = listed.map(({ id, config }) => ({
      id,
      finished: finished.has(id),
      peakBytes: peakBytes.get(id)!,
      config,
    }));
    const counts = { total, finished: finished.size, left: total - finished.size };
    const { name: sweep, question, notes } = plan;
    const unlisted = total - listed.length;
    deps.print(
      JSON.stringify({ sweep, question, out, counts, estimateMs, pacesFrom, notes, runs, unlisted }),
    );
    return 0;
  }
  const say = (line: string) => tell(deps, line);
  say(plan.question);
  for (const { id, config } of listed) {
    const stored = finished.has(id) ? " (stored)" : "";
    say(`${id}  ${nameRun(config)}, ${config.steps} steps, ${formatBytes(peakBytes.get(id)!)}${stored}`);
  }
  if (total > listed.length) say(`… and ${total - listed.length} more runs`);
  for (const note of plan.notes) say(note);
  const time = estimateMs === null
    ? "nobody knows how long yet"
    : `about ${formatDuration(estimateMs)}, an estimate from the paces of ${pacesFrom}`;
  say(`${total} runs, ${total - finished.size} left to do: ${time}`);
  const most = peakBytes.values().reduce((most, bytes) => Math.max(most, bytes), 0);
  say(`Memory: at most ${formatBytes(most)} on the GPU while a run trains, by formula`);
  return 0;
}

/** Prints a line for people, in the terminal's columns. */
function tell({ print, columns }: CommandDeps, line: string): void {
  print(wrap(line, columns));
}

/** The verdict, and the few rows that stand for the whole report. */
function printAnswer({ answer, summary }: Report, { print, style, columns }: CommandDeps): void {
  const [verdict] = answer;
  if (verdict !== undefined) print(`\n${fold(verdict, columns).map(style.bold).join("\n")}\n`);
  if (summary === null) return;
  print(`${toColumns(summary.columns, summary.rows, columns, style).join("\n")}\n`);
  if (summary.note !== "") print(`${style.dim(summary.note)}\n`);
}

function printOutcome(
  plan: Plan,
  out: string,
  outcome: BenchOutcome,
  json: boolean,
  deps: CommandDeps,
): number {
  const { print, complain } = deps;
  const { results, interrupted, report, chosen } = outcome;
  const count = (status: RunResult["status"]) => results.filter((result) => result.status === status).length;
  const counts = {
    total: plan.runs.length,
    done: count("done"),
    diverged: count("diverged"),
    failed: count("failed"),
  };
  const left = counts.total - counts.done - counts.diverged;
  if (json) {
    const runs = results.map((result) => ({
      id: result.id,
      status: result.status,
      task: result.config.task.id,
      optimizer: result.config.optimizer.id,
      rank: rankOf(result.config.optimizer),
      learningRate: result.config.schedule.learningRate,
      seed: result.config.seed,
      score: result.status === "done" ? result.outcome.score : null,
    }));
    print(
      JSON.stringify({
        sweep: plan.name,
        out,
        report: report?.page ?? null,
        answer: report?.report.answer ?? null,
        chosen: chosen?.path ?? null,
        interrupted,
        counts: { ...counts, left },
        runs,
      }),
    );
  }
  if (interrupted) {
    complain(
      `Stopped: ${
        counts.total - left
      } of ${counts.total} runs are stored in ${out}, the same command goes on from there`,
    );
    return 130;
  }
  if (!report && !json) {
    print(
      `Worked in ${out}: made ${
        formatCount(outcome.ran, "run")
      }; ${outcome.others} are or were with other processes. ` +
        `The same command without --worker waits for all and writes the report`,
    );
    return 0;
  }
  if (!json) {
    if (chosen !== null) {
      const use = chosen.isOurs
        ? `to ship them: cp ${chosen.path} benchmarks/sweeps/${plan.name}.chosen.json`
        : `for sweeps on the same files: --rates ${quoteArgument(out)}`;
      tell(deps, `Chosen rates: ${chosen.path} (${use})`);
    }
    printAnswer(report!.report, deps);
    tell(
      deps,
      `Results: ${out}/runs (${counts.done} done, ${counts.diverged} diverged, ${counts.failed} failed)`,
    );
    print(`Report:  ${report!.page}`);
  }
  const failed = results.find((result) => result.status === "failed");
  if (!failed) return 0;
  complain(
    `${counts.failed} of ${counts.total} runs failed, the same command tries them again. The first: ` +
      `${nameRun(failed.config)}: ${failed.error}`,
  );
  return 1;
}

if (import.meta.main) {
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    console.error(sentenceOf(event.reason));
    Deno.exit(1);
  });
  Deno.exit(await main(Deno.args));
}
