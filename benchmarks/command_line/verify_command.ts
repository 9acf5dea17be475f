/** @file `./run verify`: some of a folder's runs again, held against what is stored. */
import { UserError } from "../../errors/user_error.ts";
import { formatCount } from "../report/format.ts";
import { readOutputFolder } from "../report/output_folder.ts";
import { readEvidence } from "../report/page/evidence.ts";
import { planReruns } from "../sweep/rerun.ts";
import { sampleOf, verify } from "../report/against/verify.ts";
import { openFolders, resolveRuns } from "../../training/resolve/resolve.ts";
import { system } from "../../system/mod.ts";
import type { RunResult } from "../../training/run.ts";
import { bench, withEntries } from "./bench.ts";
import { asTyped } from "./arguments.ts";
import type { CommandDeps } from "./command_deps.ts";
import { readArguments } from "./commands.ts";
import { tell } from "./printing.ts";
import { listenForStop } from "./stop.ts";
import { toColumns } from "./terminal.ts";

/** Runs that are made again where nobody says how many. */
const SAMPLE = 5;

export async function verifyCommand(args: string[], deps: CommandDeps): Promise<number> {
  const { texts, paths, flags, positional: [given] } = readArguments("verify", args);
  if (given === undefined) {
    throw new UserError("Cannot verify nothing: a folder of results is needed, as in results/quick");
  }
  const sample = readSample(texts.get("sample")), seed = readSeed(texts.get("seed"));
  const isJson = flags.has("json"), screen = deps.display(isJson ? "stderr" : "stdout");
  try {
    screen.stage("Reading what is stored");
    const { name, results, from } = await resultsIn(given, screen.say);
    const drawn = sampleOf(results, sample, seed);
    if (drawn.length === 0) throw new UserError(`Cannot verify "${from}": it has no finished run`);
    const known = await withEntries(paths.get("with") ?? [], await deps.registries());
    const out = texts.get("out") ?? `results/verify-${name}`;
    const command = asTyped("verify", args);
    const about = { name: `verify-${name}`, question: `Do runs of ${name} end as they are stored?`, command };
    const { plan, registries } = await planReruns(drawn, about, known, deps.cache);
    const configs = plan.runs.map(({ config }) => config), opened = await openFolders(configs, registries);
    const planned = { plan, runs: await resolveRuns(configs, opened), registries };
    using interruption = listenForStop(screen.say);
    const outcome = await bench(planned, out, {
      deps: await deps.runDeps(screen.say, registries),
      display: screen,
      signal: interruption.signal,
      checkpointEveryMs: Infinity,
      say: screen.say,
    });
    screen.end();
    if (outcome.interrupted) {
      deps.complain(`Stopped: the same command goes on from what is stored in ${out}`);
      return interruption.exitCode();
    }
    const found = new Map(outcome.results.map((result) => [result.id, result]));
    const again = drawn.map((run) => ({ stored: run, again: found.get(run.id)! }));
    const { confirmed, sentence, table } = verify(again, registries);
    const old = drawn.length - outcome.ran;
    if (old > 0) {
      deps.complain(
        `${old} of these runs were made by an earlier command and lie in ${out}: another folder with --out makes all anew`,
      );
    }
    if (isJson) {
      const runs = drawn.map(({ id }) => id);
      deps.print(
        JSON.stringify({ from, out, confirmed, sentence, runs, made: outcome.ran, differ: table.rows }),
      );
    } else {
      tell(deps, sentence);
      if (table.rows.length > 0) {
        deps.print(toColumns(table.columns, table.rows, deps.columns, deps.style).join("\n"));
      }
    }
    return confirmed === "no" ? 1 : 0;
  } finally {
    screen.end();
  }
}

/** What is to be checked: of a folder, of the folder around a report's page, or of a page alone. */
async function resultsIn(
  given: string,
  say: (sentence: string) => void,
): Promise<{ readonly name: string; readonly results: readonly RunResult[]; readonly from: string }> {
  const path = given.replace(/\/+$/, "");
  // The page of a report lies in its folder, beside the results.
  const around = path.replace(/(^|\/)report\/index\.html$/, (_, root) => root === "" ? "." : "");
  if (/\.html?$/i.test(path) && (around === path || !await system.isThere(`${around}/runs`))) {
    const { name, finished, results } = await readEvidence(path);
    if (results.length < finished) {
      say(
        `The page carries ${results.length} of its ${
          formatCount(finished, "run")
        } whole: runs are drawn from these`,
      );
    }
    return { name, results, from: path };
  }
  const { plan, stored, faults } = await readOutputFolder(around, "verify");
  for (const fault of faults) say(fault);
  return { name: plan?.name ?? "runs", results: stored, from: around };
}

function readSample(text: string | undefined): number {
  if (text === "all") return Infinity;
  const count = text === undefined ? SAMPLE : Number(text);
  if (Number.isSafeInteger(count) && count >= 1) return count;
  throw new UserError(`Cannot read --sample "${text}": a whole number from 1 is needed, or all`);
}

function readSeed(text: string | undefined): number {
  const seed = text === undefined ? 0 : Number(text);
  if (Number.isSafeInteger(seed) && seed >= 0 && seed < 2 ** 32) return seed;
  throw new UserError(`Cannot read --seed "${text}": a whole number from 0 to 4294967295 is needed`);
}
