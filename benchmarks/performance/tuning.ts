/** @file Choices of matrix products by measurement on disk: `tuning/<adapter and Deno>.json` at the repository's root. */
import { z } from "zod";
import { system } from "../../system/mod.ts";
import { adapterPath } from "../../training/checked_adapter.ts";
import { parseWith } from "../../training/configuration.ts";
import { UserError } from "../../errors/user_error.ts";
import { isMissing, prepareFolder, readText, writeWhole } from "../../files/write_file.ts";

/** Where tunings lie. */
const FOLDER = system.own("tuning/");

/** What was measured for a class of shapes, or for a kernel. */
const Choice = z.strictObject({
  /** The fastest variant, or the rule's where none is clearly faster. */
  variant: z.string(),
  /** What the rule takes without a tuning. */
  rule: z.string(),
  /** Median time of a product by variant, in microseconds. */
  microseconds: z.record(z.string(), z.number().positive()),
});

/** What `./run autotune` found on one adapter with one version of Deno. */
export const Tuning = z.strictObject({
  schema: z.literal(1),
  adapter: z.string().min(1),
  deno: z.string().min(1),
  /** By shape class, as kernels/matmul/choice.ts names it. */
  products: z.record(z.string(), Choice),
  /** By kernel, whether it adds up over lanes by "subgroups" or "lanes": where the adapter has subgroups. */
  subgroups: z.record(z.string(), Choice.extend({ variant: z.enum(["lanes", "subgroups"]) })).optional(),
});
/** See the schema. */
export type Tuning = z.output<typeof Tuning>;

/** Path of a tuning's file; `folder` is another than the repository's in tests. */
export function tuningPath({ adapter, deno }: Pick<Tuning, "adapter" | "deno">, folder = FOLDER): string {
  return adapterPath({ adapter, deno }, folder);
}

/**
 * The tuning of this adapter and Deno, or null where there is none.
 *
 * @param known the names that a product's variant may have, and those of kernels that may take subgroups
 * @throws {UserError} where the file is no tuning, or a choice names another variant or kernel
 */
export async function readTuning(
  of: Pick<Tuning, "adapter" | "deno">,
  known: { readonly products: readonly string[]; readonly subgroups: readonly string[] },
  folder = FOLDER,
): Promise<Tuning | null> {
  const path = tuningPath(of, folder);
  let value: unknown;
  try {
    value = JSON.parse(await readText(path));
  } catch (error) {
    if (isMissing(error)) return null;
    throw new UserError(`Cannot read ${path}: ${(error as Error).message} (./run autotune writes it anew)`);
  }
  const tuning = parseWith(Tuning, value, path);
  // Two adapters may differ in signs that a file's name leaves out.
  if (tuning.adapter !== of.adapter || tuning.deno !== of.deno) return null;
  const refuse = (what: string, names: readonly string[]) => {
    throw new UserError(
      `Cannot use ${path}: ${what}, known are ${names.join(", ")} (./run autotune writes it anew)`,
    );
  };
  for (const [shape, { variant }] of Object.entries(tuning.products)) {
    if (!known.products.includes(variant)) {
      refuse(`products "${shape}" name variant "${variant}"`, known.products);
    }
  }
  for (const kernel of Object.keys(tuning.subgroups ?? {})) {
    if (!known.subgroups.includes(kernel)) refuse(`subgroups name kernel "${kernel}"`, known.subgroups);
  }
  return tuning;
}

/** Stores a tuning and returns its path. @throws {UserError} where the folder can't be written */
export async function writeTuning(tuning: Tuning, folder = FOLDER): Promise<string> {
  const path = tuningPath(tuning, folder);
  await prepareFolder(decodeURIComponent(folder.pathname));
  await writeWhole(path, `${JSON.stringify(tuning, null, 1)}\n`);
  return path;
}
