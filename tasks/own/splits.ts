/** @file What files and rows of the user's are for, by the names that people give them. */
import type { Role } from "../data/data_set.ts";
import { hasRows } from "./rows.ts";

/** Names of splits. */
const ROLES: Readonly<Record<string, Role>> = {
  train: "train",
  training: "train",
  validation: "validation",
  valid: "validation",
  val: "validation",
  dev: "validation",
  test: "test",
  testing: "test",
};

/** What a split of that name is for; undefined for other names. */
export function roleNamed(name: string): Role | undefined {
  const known = name.trim().toLowerCase();
  return Object.hasOwn(ROLES, known) ? ROLES[known] : undefined;
}

/** The names that splits may have, for errors. */
export const SPLIT_NAMES: string = Object.keys(ROLES).join(", ");

/**
 * A folder's files with rows by what they are for: those that begin with the name of a split, in the folder itself or one
 * below it, such as "train.csv", "test-00000-of-00001.parquet" and "data/dev.jsonl". Where none is named so, all of them are
 * to train on.
 */
export function filesByRole(files: readonly string[]): Readonly<Partial<Record<Role, readonly string[]>>> {
  const rows = files.filter((file) => hasRows(file) && file.split("/").length <= 2);
  const named = rows.flatMap((file) => {
    const role = roleNamed(/^[a-z]+/i.exec(file.slice(file.lastIndexOf("/") + 1))?.[0] ?? "");
    return role ? [{ file, role }] : [];
  });
  if (named.length === 0) return rows.length > 0 ? { train: rows } : {};
  const found: Partial<Record<Role, string[]>> = {};
  for (const { file, role } of named) (found[role] ??= []).push(file);
  return found;
}
