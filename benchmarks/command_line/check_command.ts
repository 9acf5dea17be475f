/** @file `./run check`: an adapter, or what a file brings. */
import { readCheckSettings } from "./arguments.ts";
import { readArguments } from "./commands.ts";
import type { CheckedPromise } from "../../contract/check_entries.ts";
import type { AdapterCheck } from "../../contract/adapter/kernel_tests.ts";
import { UserError } from "../../errors/user_error.ts";
import type { Path } from "../../gpu/gpu.ts";
import type { CommandDeps } from "./command_deps.ts";

export async function checkCommand(args: string[], deps: CommandDeps): Promise<number> {
  const { texts, flags, positional: [file] } = readArguments("check", args);
  const settings = readCheckSettings(texts), json = flags.has("json");
  if (file === undefined) {
    const [setting] = Object.keys(settings);
    if (setting !== undefined) {
      throw new UserError(
        "Cannot check an adapter at a rank or a learning rate: a file with methods is needed",
      );
    }
    return await checkAdapter(json, readPath(texts.get("path")), deps);
  }
  if (texts.has("path")) {
    throw new UserError("Cannot check a file with --path: it is for this machine's adapter");
  }
  const promises: CheckedPromise[] = [];
  for await (const one of deps.check(file, settings)) {
    promises.push(one);
    if (json) continue;
    const { kind, id, promise, fault } = one;
    deps.print(`${markOf(fault)}  ${kind} ${id}: ${promise}`);
    if (fault !== null) deps.print(indented(fault));
  }
  const held = promises.filter(({ fault }) => fault === null).length;
  if (json) deps.print(JSON.stringify({ file, held, of: promises.length, promises }));
  else deps.print(`${held} of ${promises.length} promises hold`);
  return held === promises.length ? 0 : 1;
}

function readPath(text: string | undefined): Path | undefined {
  if (text === undefined || text === "gpu" || text === "software") return text;
  throw new UserError(`Cannot read --path "${text}": gpu or software is needed`);
}

async function checkAdapter(json: boolean, kind: Path | undefined, deps: CommandDeps): Promise<number> {
  /** Of tests that hold, so many in each folder: they are too many for a line each. */
  const folders = new Map<string, number>();
  const tell = ({ name, error }: AdapterCheck) => {
    if (json) return;
    const folder = error === null ? folderOf(name) : null;
    if (folder !== null) return void folders.set(folder, (folders.get(folder) ?? 0) + 1);
    for (const [known, count] of folders) {
      deps.print(`${markOf(null)}  ${known}: ${count} ${count === 1 ? "test" : "tests"}`);
    }
    folders.clear();
    deps.print(`${markOf(error)}  ${name}`);
    if (error !== null) deps.print(indented(error));
  };
  const { path, found } = await deps.checkAdapter(tell, kind);
  const { ok, adapter, checks } = found, held = checks.filter((one) => one.ok).length;
  const name = kind === undefined
    ? adapter
    : `${adapter} with kernels for ${kind === "gpu" ? "a GPU" : "software"}`;
  if (json) {
    deps.print(JSON.stringify({ ok, adapter, path, checks }));
  } else {
    deps.print(
      ok
        ? `${name} passes: all ${checks.length} checks hold`
        : `${name} FAILS: ${held} of ${checks.length} checks hold, so results made with it are not to be trusted`,
    );
    if (path !== null) {
      deps.complain(`What was found is in ${path}${ok ? "" : ": please attach it to an issue"}`);
    }
  }
  return ok ? 0 : 1;
}

/** The folder of a test's name, such as "kernels/norm"; null for what is no test. */
function folderOf(name: string): string | null {
  const file = /^([a-z_]+(?:\/[a-z_]+)*): /.exec(name)?.[1];
  return file === undefined ? null : file.includes("/") ? file.slice(0, file.lastIndexOf("/")) : null;
}

function markOf(fault: string | null): string {
  return fault === null ? "holds" : "FAILS";
}

function indented(fault: string): string {
  return `       ${fault.replaceAll("\n", "\n       ")}`;
}
