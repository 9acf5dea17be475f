/** @file `./run fetch`: brings a model or a data set from the Hub into the cache that Python's libraries share. */
import { UserError } from "../../errors/user_error.ts";
import { cacheFolder, type HubKind, nameOfPlace, parseHubName } from "../../files/hub_place.ts";
import type { Fetched } from "../../hub/fetch.ts";
import { formatCount } from "../report/format.ts";
import type { CommandDeps } from "./command_deps.ts";
import { readArguments } from "./commands.ts";
import { tell } from "./printing.ts";

const HUB = "https://huggingface.co";

export async function fetchCommand(args: string[], deps: CommandDeps): Promise<number> {
  const { texts, flags, positional: [model] } = readArguments("fetch", args), data = texts.get("data");
  const only = texts.get("only")?.split(",").map((pattern) => pattern.trim()).filter((one) => one !== "") ??
    [];
  const asked = [
    ...model === undefined ? [] : [read("model", model)],
    ...data === undefined ? [] : [read("data set", data)],
  ];
  if (asked.length === 0) {
    throw new UserError(
      "Cannot fetch nothing: a name is needed, as in ./run fetch org/model or --data org/set",
    );
  }
  if (only.length > 0 && asked.length > 1) {
    throw new UserError("Cannot take --only for a model and a data set at once: two commands are needed");
  }
  const cache = cacheFolder(deps.variable);
  if (cache === null) {
    throw new UserError("Cannot find the Hub's cache: neither HOME nor HF_HOME is set");
  }
  // As Python's library reads it.
  const isOffline = /^(1|on|yes|true)$/i.test(deps.variable("HF_HUB_OFFLINE") ?? "");
  const token = isOffline ? null : await deps.token();
  const endpoint = (deps.variable("HF_ENDPOINT") || HUB).replace(/\/+$/, "");
  const isJson = flags.has("json"), screen = deps.display(isJson ? "stderr" : "stdout");
  const all: object[] = [];
  try {
    for (const { kind, repository, revision } of asked) {
      const name = revision === null ? repository : `${repository}@${revision}`;
      if (!isOffline) screen.stage(`Asking ${endpoint} for ${name}`);
      const fetched = await deps.fetch(
        {
          kind,
          repository,
          revision,
          only,
          cache,
          hub: { endpoint, token },
          ...(isOffline && { isOffline }),
        },
        {
          say: screen.say,
          onProgress: ({ path, bytes, total }) => screen.moving(describeProgress(path, bytes, total)),
        },
      );
      screen.end();
      all.push({ kind, name, ...fetched });
      if (fetched.offline !== null) deps.complain(`${fetched.offline}; what the cache has stands`);
      if (isJson) continue;
      tell(deps, describeFetched(kind, repository, fetched));
      // Not broken into lines, so that they can be copied.
      deps.print(`Folder: ${fetched.folder}`);
      deps.print(`Use:    ./run bench quick --${optionOf(kind, fetched)} ${name}`);
    }
  } finally {
    screen.end();
  }
  if (isJson) deps.print(JSON.stringify(all));
  return 0;
}

function read(
  kind: HubKind,
  text: string,
): { readonly kind: HubKind; readonly repository: string; readonly revision: string | null } {
  const name = parseHubName(text);
  if (name && name.inside === "") return { kind, repository: name.repository, revision: name.revision };
  const advice = name && kind === "data set"
    ? `; ./run fetch --data ${name.repository} --only '${name.inside}/*' takes a part of it`
    : "";
  throw new UserError(
    `Cannot fetch "${text}": a name as the Hub has it is needed, org/name or org/name@revision${advice}`,
  );
}

/** "━━━━────────────  24 %  1.2 of 5.0 GB  model-00001-of-00003.safetensors". */
export function describeProgress(path: string, bytes: number, total: number): string {
  const share = total === 0 ? 1 : Math.min(1, Math.max(0, bytes / total)), filled = Math.floor(12 * share);
  const percent = `${Math.floor(100 * share)} %`.padStart(5);
  const bar = "━".repeat(filled) + "─".repeat(12 - filled), of = inUnits(total);
  return `${bar} ${percent}  ${of.write(bytes)} of ${of.write(total)} ${of.unit}  ${path.split("/").at(-1)}`;
}

function describeFetched(
  kind: HubKind,
  repository: string,
  { commit, files, bytes, received, offline }: Fetched,
): string {
  const place = nameOfPlace({ kind, repository, inside: "", commit });
  const of = inUnits(bytes),
    size = `${of.write(bytes)} ${of.unit}`,
    count = formatCount(files.length, "file");
  if (offline !== null) return `In the cache: ${place}`;
  return received === 0 ? `Already here: ${place}, ${count}, ${size}` : `Fetched ${place}: ${count}, ${size}`;
}

/** The option that takes what was fetched. */
function optionOf(kind: HubKind, { files }: Fetched): string {
  if (kind === "data set") return "data";
  return files.includes("adapter_config.json") ? "adapter" : "model";
}

/** How bytes are written beside a number of so many: "MB" is a million of them, as the Hub's pages have it. */
function inUnits(most: number): { readonly unit: string; write(bytes: number): string } {
  const power = Math.min(4, Math.max(0, Math.floor(Math.log10(Math.max(1, most)) / 3)));
  const unit = ["bytes", "kB", "MB", "GB", "TB"][power]!;
  return { unit, write: (bytes) => power === 0 ? String(bytes) : (bytes / 1000 ** power).toFixed(1) };
}
