/** @file `./run settle`, and sweeps that are questions: reads what was asked for, settles it, prints the answer. */
import { asTyped, readAsked, readCheckpointEvery, readKeep, readOverrides, readRole } from "./arguments.ts";
import { withEntries } from "./bench.ts";
import { onOwnData, openAskedData } from "./own_data.ts";
import { readArguments } from "./commands.ts";
import type { Screen } from "./display.ts";
import { nameRun } from "../sweep/progress.ts";
import { answerToJson } from "../settle/answer.ts";
import { describeOutlook, lookAtQuestion, outlookToJson } from "../settle/outlook.ts";
import { askQuestion, specOf } from "../settle/question.ts";
import { settle } from "../settle/settle.ts";
import type { Role } from "../sweep/folder.ts";
import { requireKnown } from "../sweep/known_names.ts";
import { override, ratesNeeded, type SweepSpec } from "../sweep/sweep.ts";
import { readChosen, readChosenIn } from "../sweep/sweep_files.ts";
import type { Registries } from "../../training/configuration.ts";
import type { CommandDeps } from "./command_deps.ts";
import { endWhilePlanning, listenForStop } from "./stop.ts";

export async function settleCommand(args: string[], deps: CommandDeps): Promise<number> {
  const { texts, paths, flags, positional } = readArguments("settle", args);
  const changes = {
    ...readOverrides({ texts, paths }),
    ...(flags.has("train-on-test") && { trainOnTest: true as const }),
  };
  const isDry = flags.has("dry-run"), isJson = flags.has("json");
  const checkpointEveryMs = readCheckpointEvery(texts.get("checkpoint-every"));
  const keepsTrained = readKeep(texts.get("keep"));
  const screen = deps.display(isJson || isDry ? "stderr" : "stdout");
  using _planning = endWhilePlanning(screen.say);
  try {
    screen.stage("Planning the runs");
    const joined = await withEntries(paths.get("with") ?? [], await deps.registries());
    const tasks = texts.get("task")?.split(",").map((task) => task.trim());
    // Before what is missing is asked for.
    requireKnown({ tasks: tasks ?? [], optimizers: positional }, joined);
    const own = await openAskedData(texts, changes, tasks, true, joined);
    const registries = own?.registries ?? joined, asked = readAsked(texts, positional, own?.data.id);
    const spec = override(specOf(asked, registries), onOwnData(changes, own), registries);
    return await settleIn(
      spec,
      {
        command: asTyped("settle", args),
        out: texts.get("out") ?? `results/${spec.name}`,
        rates: texts.get("rates"),
        isDry,
        isJson,
        role: readRole(flags, texts),
        checkpointEveryMs,
        keepsTrained,
      },
      registries,
      screen,
      deps,
      own?.notes,
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

export async function settleIn(
  spec: SweepSpec,
  { command, out, rates, isDry, isJson, role = "whole", checkpointEveryMs, keepsTrained }: Settling,
  registries: Registries,
  screen: Screen,
  deps: CommandDeps,
  notes: readonly string[] = [],
): Promise<number> {
  const from = ratesNeeded(spec);
  const chosen = rates !== undefined
    ? await readChosenIn(rates)
    : from === null
    ? null
    : await readChosen(from);
  const found = await askQuestion(spec, registries, chosen, rates !== undefined);
  const question = { ...found, notes: [...notes, ...found.notes] };
  if (isDry) {
    screen.stage("Reading data and counting what runs take");
    const outlook = await lookAtQuestion(question, out, registries);
    screen.end();
    for (const note of question.notes) screen.say(note);
    if (isJson) deps.print(JSON.stringify(outlookToJson(question, out, outlook)));
    else for (const line of describeOutlook(question, outlook)) deps.print(line);
    return 0;
  }
  for (const note of question.notes) screen.say(note);
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
  if (role === "plan") {
    if (isJson) deps.print(JSON.stringify({ sweep: spec.name, out }));
    else {deps.print(
        `Planned ${spec.name} in ${out}: the same command with --worker makes its runs, look by look`,
      );}
    return 0;
  }
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
