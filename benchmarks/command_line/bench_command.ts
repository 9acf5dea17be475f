/** @file `./run bench` and `./run bench-python`: reads what was asked for, runs the sweep, prints what came of it. */
import { asTyped, readCheckpointEvery, readKeep, readOverrides, readRole } from "./arguments.ts";
import { bench, type BenchOutcome, lookAhead, type Outlook, planBench, withEntries } from "./bench.ts";
import { type CommandName, isPath, readArguments } from "./commands.ts";
import { onOwnData, openAskedData } from "./own_data.ts";
import { describeRatesFirst, ratesBefore, ratesFirst } from "./rates_first.ts";
import { formatDuration } from "../cost/estimate.ts";
import { rankOf } from "../sweep/method.ts";
import { namesLeft, requireKnown } from "../sweep/known_names.ts";
import type { Plan } from "../sweep/plan.ts";
import { formatBytes, formatCount } from "../report/format.ts";
import { nameRun, tellApart } from "../sweep/progress.ts";
import { isStoredRun } from "../sweep/rerun.ts";
import { override } from "../sweep/sweep.ts";
import { readSweep, withFilesOf } from "../sweep/sweep_files.ts";
import type { RunResult } from "../../training/run.ts";
import { quoteArgument } from "../../errors/quote.ts";
import type { CommandDeps } from "./command_deps.ts";
import { printList } from "./list.ts";
import { settleIn } from "./settle_command.ts";
import { endWhilePlanning, listenForStop } from "./stop.ts";
import { printAnswer, tell } from "./printing.ts";

export async function benchCommand(args: string[], deps: CommandDeps, task: CommandName): Promise<number> {
  const { texts, paths, flags, positional } = readArguments(task, args), files = paths.get("with") ?? [];
  const registries = await deps.registries();
  if (flags.has("list")) {
    return await printList(await withEntries(files, registries), flags.has("json"), deps);
  }
  const asked = {
    ...readOverrides({ texts, paths }),
    ...(flags.has("train-on-test") && { trainOnTest: true as const }),
  };
  const command = asTyped(task, args), { cache } = deps;
  const isDry = flags.has("dry-run"), isJson = flags.has("json"), role = readRole(flags, texts);
  const checkpointEveryMs = readCheckpointEvery(texts.get("checkpoint-every"));
  const keepsTrained = readKeep(texts.get("keep"));
  const screen = deps.display(isJson || isDry ? "stderr" : "stdout");
  let interruption: ReturnType<typeof listenForStop> | null = null;
  using _planning = endWhilePlanning(screen.say);
  try {
    screen.stage("Planning the runs");
    const sweep = positional[0] ?? "quick",
      written = isStoredRun(sweep) ? null : await readSweep(sweep, cache);
    const own = await openAskedData(texts, asked, asked.tasks, !isPath("sweep", sweep), registries);
    const overrides = onOwnData(asked, own), joined = own?.registries ?? registries;
    const name = written?.name ?? `rerun-${sweep.slice(-21, -5)}`;
    const out = texts.get("out") ?? `results/${own ? `${own.data.id}-${name}` : name}`;
    if (written?.settle) {
      const known = await withEntries([...files, ...withFilesOf(written, sweep)], joined);
      requireKnown(namesLeft(written, overrides), known, sweep);
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
      return await settleIn(override(written, overrides, known), asking, known, screen, deps, own?.notes);
    }
    const request = { sweep, overrides, command, with: files, notes: own?.notes ?? [], cache };
    const before = own && written ? ratesFirst(written, request) : null;
    if (before && role !== "whole") throw ratesBefore(before, role);
    if (before && isDry) screen.say(describeRatesFirst(before, (await planBench(before, joined)).plan));
    const rates = `${out}/rates`;
    if (before && !isDry) {
      interruption = listenForStop(screen.say);
      screen.say(`Rates are searched on ${asked.data} first, in ${rates}`);
      const tuning = await planBench(before, joined);
      const searched = await bench(tuning, rates, {
        deps: await deps.runDeps(screen.say, tuning.registries),
        display: screen,
        signal: interruption.signal,
        checkpointEveryMs,
        say: screen.say,
      });
      if (searched.chosen === null) {
        screen.end();
        const code = printOutcome(tuning.plan, rates, searched, isJson, deps);
        return searched.interrupted ? interruption.exitCode() : Math.max(1, code);
      }
      interruption[Symbol.dispose]();
      interruption = null;
    }
    const taking = before && !isDry ? { ...overrides, rates } : overrides;
    const planned = await planBench({ ...request, overrides: taking, dryRun: isDry }, joined);
    const { plan } = planned;
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
      ? printPlanned(plan, out, task, isJson, deps)
      : printOutcome(plan, out, outcome, isJson, deps);
    return outcome.interrupted ? interruption.exitCode() : code;
  } finally {
    screen.end();
    interruption?.[Symbol.dispose]();
  }
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
  const apart = tellApart(plan.runs.map(({ config }) => config));
  for (const { id, config } of listed) {
    const stored = finished.has(id) ? " (stored)" : "";
    say(
      `${id}  ${nameRun(config, apart)}, ${config.steps} steps, ${formatBytes(peakBytes.get(id)!)}${stored}`,
    );
  }
  if (total > listed.length) say(`… and ${total - listed.length} more runs`);
  for (const note of plan.notes) say(note);
  const time = estimateMs === null
    ? "nobody knows how long yet"
    : `about ${formatDuration(estimateMs)}, an estimate from the paces of ${pacesFrom}`;
  say(`${formatCount(total, "run")}, ${total - finished.size} left to do: ${time}`);
  const most = peakBytes.values().reduce((most, bytes) => Math.max(most, bytes), 0);
  say(`Memory: at most ${formatBytes(most)} on the GPU while a run trains, by formula`);
  return 0;
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
