/** @file What `./run check` found of an adapter, on disk: `checked/<adapter and Deno>.json` at the repository's root. */
import { z } from "zod";
import { UserError } from "../errors/user_error.ts";
import { isMissing, prepareFolder, readText, writeWhole } from "../files/write_file.ts";
import type { GpuInfo } from "../gpu/gpu.ts";
import { system } from "../system/mod.ts";
import { parseWith } from "./configuration.ts";

/** Where findings lie. */
const FOLDER = system.own("checked/");

/** What was found of an adapter with one version of Deno: a file to attach to an issue. */
export const CheckedAdapter = z.strictObject({
  schema: z.literal(1),
  /** True where every check holds. */
  ok: z.boolean(),
  adapter: z.string().min(1),
  hardware: z.strictObject({ vendor: z.string(), architecture: z.string(), device: z.string() }).nullable(),
  backend: z.string(),
  features: z.array(z.string()),
  limits: z.record(z.string(), z.number()),
  deno: z.string().min(1),
  /** The harness's. */
  commit: z.string(),
  /** ISO 8601. */
  checkedAt: z.string(),
  /** What was checked, and why it does not hold; null where it does. */
  checks: z.array(z.strictObject({ name: z.string(), ok: z.boolean(), error: z.string().nullable() })),
});
/** See the schema. */
export type CheckedAdapter = z.output<typeof CheckedAdapter>;

/** Path of the file about an adapter and a version of Deno in a folder. */
export function adapterPath(
  { adapter, deno }: { readonly adapter: string; readonly deno: string },
  folder: URL,
): string {
  const slug = `${adapter}-deno-${deno}`.toLowerCase().replaceAll(/[^a-z0-9.]+/g, "-")
    .replaceAll(/^-|-$/g, "");
  return decodeURIComponent(new URL(`${slug}.json`, folder).pathname);
}

/** Whether two adapters are called the same, and have the same numbers where these are told. */
function isSame({ adapter, hardware }: GpuInfo, found: CheckedAdapter): boolean {
  const numbers = (of: CheckedAdapter["hardware"] | undefined) =>
    of ? [of.vendor, of.architecture, of.device].join() : "";
  return found.adapter === adapter && numbers(found.hardware) === numbers(hardware);
}

/**
 * What was found of this adapter with this Deno; null where it was not checked.
 *
 * @throws {UserError} where the file can't be used
 */
export async function readChecked(info: GpuInfo, folder = FOLDER): Promise<CheckedAdapter | null> {
  const path = adapterPath({ adapter: info.adapter, deno: system.host.version }, folder);
  let value: unknown;
  try {
    value = JSON.parse(await readText(path));
  } catch (error) {
    if (isMissing(error)) return null;
    throw new UserError(`Cannot read ${path}: ${(error as Error).message} (./run check writes it anew)`);
  }
  const found = parseWith(CheckedAdapter, value, path);
  return isSame(info, found) && found.deno === system.host.version ? found : null;
}

/** Stores what was found, and gives the file's path. @throws {UserError} where the folder can't be written */
export async function writeChecked(found: CheckedAdapter, folder = FOLDER): Promise<string> {
  const path = adapterPath(found, folder);
  await prepareFolder(decodeURIComponent(folder.pathname));
  await writeWhole(path, `${JSON.stringify(found, null, 1)}\n`);
  return path;
}
