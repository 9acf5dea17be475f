/** @file The command line: finds the command, and gives it what it works with. */
import { commands, isCommand } from "./benchmarks/command_line/commands.ts";
import { describeCommand, describeCommands } from "./benchmarks/command_line/help.ts";
import { createDisplay } from "./benchmarks/command_line/display.ts";
import { columnsOf, styleFor, wrap } from "./benchmarks/command_line/terminal.ts";
import { isUserFault, sentenceOf } from "./errors/fault.ts";
import { cacheIn } from "./files/fetched.ts";
import { unknownName } from "./errors/unknown_name.ts";
import { writeTuning } from "./benchmarks/performance/tuning.ts";
import type { Library } from "./training/configuration.ts";
import type { CommandDeps } from "./benchmarks/command_line/command_deps.ts";
import { benchCommand } from "./benchmarks/command_line/bench_command.ts";
import { claimsCommand } from "./benchmarks/command_line/claims/claims_command.ts";
import { settleCommand } from "./benchmarks/command_line/settle_command.ts";
import { reportCommand } from "./benchmarks/command_line/report_command.ts";
import { exportCommand } from "./benchmarks/command_line/export_command.ts";
import { verifyCommand } from "./benchmarks/command_line/verify_command.ts";
import { lookCommand } from "./benchmarks/command_line/look_command.ts";
import { watchCommand } from "./benchmarks/command_line/watch_command.ts";
import { pretrainCommand } from "./benchmarks/command_line/pretrain_command.ts";
import { checkCommand } from "./benchmarks/command_line/check_command.ts";
import { autotuneCommand } from "./benchmarks/command_line/autotune_command.ts";
import { memoryCommand } from "./benchmarks/command_line/memory_command.ts";
import { fetchCommand } from "./benchmarks/command_line/fetch_command.ts";
import { dataCommand } from "./benchmarks/command_line/data_command.ts";
import { slurmCommand } from "./benchmarks/command_line/slurm_command.ts";
import { siteCommand } from "./site/site_command.ts";
import { completionsCommand } from "./benchmarks/command_line/completions.ts";

const real: CommandDeps = {
  // Loaded when needed: listing and reporting should not wait for the GPU's part of the program.
  async registries() {
    return (await import("./training/shipped.ts")).shipped;
  },
  async runDeps(say, library: Library) {
    return await (await import("./benchmarks/mod.ts")).openRunDeps(say, library);
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
  async checkAdapter(onCheck, path) {
    const [{ openGpu }, { checkWhole }, { shipped }] = await Promise.all([
      import("./gpu/mod.ts"),
      import("./contract/adapter/check_whole.ts"),
      import("./training/shipped.ts"),
    ]);
    await using gpu = await openGpu(path && { path });
    return await checkWhole(gpu, shipped, onCheck, path === undefined);
  },
  async export(run, library: Library, request) {
    return await (await import("./training/export/export_run.ts")).exportRun(run, library, request);
  },
  async look(folder, model, compared, library: Library) {
    return await (await import("./training/export/open_look.ts")).openLook(folder, model, compared, library);
  },
  async fetch(request, watching) {
    return await (await import("./hub/fetch.ts")).fetchRepository(request, watching);
  },
  async token() {
    return await (await import("./hub/token.ts")).findToken((name) => Deno.env.get(name));
  },
  cache: null,
  variable: (name) => Deno.env.get(name),
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

/** What `./run` says before the command: where the Hub's cache is, which a command without an environment can't know. */
const CACHE = "--hub-cache=";

/**
 * Runs a command. Errors become one sentence on stderr.
 *
 * @param args as in `Deno.args`
 * @returns the exit code
 */
export async function main(args: string[], deps: CommandDeps = real): Promise<number> {
  try {
    const [first = "", ...rest] = args;
    if (!first.startsWith(CACHE)) return await dispatch(args, deps);
    return await dispatch(rest, { ...deps, cache: cacheIn(() => first.slice(CACHE.length)) });
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
    claims: claimsCommand,
    "bench-python": benchCommand,
    data: dataCommand,
    memory: memoryCommand,
    fetch: fetchCommand,
    slurm: slurmCommand,
    report: reportCommand,
    verify: verifyCommand,
    export: exportCommand,
    look: lookCommand,
    watch: watchCommand,
    pretrain: pretrainCommand,
    check: checkCommand,
    autotune: autotuneCommand,
    site: siteCommand,
    completions: completionsCommand,
  };
  return await run[named](rest, deps, named);
}

if (import.meta.main) {
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    console.error(sentenceOf(event.reason));
    Deno.exit(1);
  });
  Deno.exit(await main(Deno.args));
}
