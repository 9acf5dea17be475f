/** @file Data of the user's on a command line: which options mean them, and the task that they become. */
import { unknownName } from "../../errors/unknown_name.ts";
import { UserError } from "../../errors/user_error.ts";
import { COLUMN_ROLES, SCORES } from "../../tasks/own/layout.ts";
import type { Registries } from "../../training/configuration.ts";
import type { OwnTask } from "../../training/resolve/own_data.ts";
import type { RunConfig } from "../../training/run.ts";
import { modelAt, type SweepOverrides } from "../sweep/sweep.ts";

type Layout = NonNullable<RunConfig["task"]["layout"]>;

/** What options say of data of the user's. */
export interface AskedLayout {
  readonly columns?: Layout["columns"];
  readonly prompt?: string;
  readonly score?: NonNullable<Layout["score"]>;
  readonly maxTokens?: number;
}

/** Options that are of data of the user's alone. */
const OPTIONS = ["columns", "template", "score", "max-tokens"] as const;

/** What options say of how data are read. @throws {UserError} where a value can't be read */
export function readAskedLayout(texts: ReadonlyMap<string, string>): AskedLayout {
  const columns = texts.get("columns"), prompt = texts.get("template"), score = texts.get("score");
  const maxTokens = texts.get("max-tokens"), known = SCORES.find((one) => one === score);
  if (score !== undefined && !known) throw unknownName(`score "${score}"`, score, SCORES);
  if (maxTokens !== undefined && !/^(?!1$)[1-9]\d{0,6}$/.test(maxTokens)) {
    throw new UserError(`Cannot read --max-tokens "${maxTokens}": a whole number from 2 is needed`);
  }
  return {
    ...(columns !== undefined && { columns: readColumns(columns) }),
    // A shell has no short way to write a line end.
    ...(prompt !== undefined && { prompt: prompt.replaceAll("\\n", "\n") }),
    ...(known && { score: known }),
    ...(maxTokens !== undefined && { maxTokens: Number(maxTokens) }),
  };
}

function readColumns(text: string): Layout["columns"] {
  return Object.fromEntries(
    text.split(",").map((item) => {
      const at = item.indexOf("="), [role, column] = [item.slice(0, at).trim(), item.slice(at + 1).trim()];
      if (at < 1 || column === "") {
        throw new UserError(
          `Cannot read --columns "${text}": a role and a column are needed, as in prompt=question,answer=reply`,
        );
      }
      if (!COLUMN_ROLES.some((one) => one === role)) {
        throw unknownName(`role of a column "${role}"`, role, COLUMN_ROLES);
      }
      return [role, column];
    }),
  );
}

/** A path that ends as files with rows do. */
const ROWS = /\.(jsonl|json|csv|tsv)(\.gz)?$|\.parquet$/i;

/**
 * The task of the data that options name, where they are the user's own: with options that say how they are read, with a
 * `dataset.json`, or where no task is named to take them a file with rows, or a folder of such files in which tasks know no
 * data set. Null for data sets that tasks know.
 *
 * @param canBeOwn false where a sweep's own file names the tasks that take data
 * @throws {UserError} where options of data of the user's come without any, or with tasks
 * @throws {DataError} where the data can't be read or understood
 */
export async function openAskedData<R extends Registries>(
  texts: ReadonlyMap<string, string>,
  { data, model }: Pick<SweepOverrides, "data" | "model">,
  tasks: readonly string[] | undefined,
  canBeOwn: boolean,
  registries: R,
): Promise<OwnTask<R> | null> {
  const option = OPTIONS.find((name) => texts.has(name));
  if (option !== undefined && data === undefined) {
    throw new UserError(`Cannot take --${option}: it is of data of your own, --data FILE is needed`);
  }
  if (option !== undefined && tasks !== undefined) {
    throw new UserError(
      `Cannot take --${option} with --task${
        texts.has("tasks") ? "s" : ""
      }: data of your own is a task of its own`,
    );
  }
  if (data === undefined || tasks !== undefined) return null;
  const isOwn = option !== undefined || await hasDatasetFile(data) ||
    canBeOwn && (ROWS.test(data) || await hasOwnRows(data));
  if (!isOwn) return null;
  // Loaded when needed: most sweeps are of tasks that ship.
  const { openOwnTask } = await import("../../training/resolve/own_data.ts");
  return await openOwnTask(
    data,
    readAskedLayout(texts),
    model === undefined ? undefined : modelAt(model, registries.models),
    registries,
  );
}

/** The changes of a sweep that is to run on data of the user's alone. */
export function onOwnData(asked: SweepOverrides, own: OwnTask<Registries> | null): SweepOverrides {
  return own ? { ...asked, tasks: [own.data.id], layout: own.data.layout } : asked;
}

async function hasOwnRows(path: string): Promise<boolean> {
  const names = await Array.fromAsync(Deno.readDir(path), ({ name }) => name).catch((): string[] => []);
  if (!names.some((name) => ROWS.test(name))) return false;
  const { holdsKnownData } = await import("../../training/resolve/own_data.ts");
  return !await holdsKnownData(path);
}

async function hasDatasetFile(path: string): Promise<boolean> {
  const folder = ROWS.test(path) ? path.slice(0, path.lastIndexOf("/") + 1) || "./" : `${path}/`;
  const info = await Deno.stat(`${folder}dataset.json`).catch(() => null);
  return info !== null;
}
