/** @file What two sweeps noted about their code and machines. */
import { canonicalJson } from "../../../files/canonical_json.ts";
import type { Environment } from "../../../training/run.ts";
import type { Table } from "../table.ts";
import type { ComparedSweep } from "./compared_sweep.ts";
import { type ComparedPair, donePairs } from "./cells.ts";
import { PREFIX } from "./tables.ts";

/** What tells environments apart: items, all that its runs noted. Of lists only what the other lacks is worth telling. */
interface Field {
  readonly name: string;
  readonly isList?: true;
  read(environment: Environment): readonly string[];
}

const fields: readonly Field[] = [
  { name: "Commit", read: ({ commit }) => [commit] },
  { name: "Deno", read: ({ deno }) => [deno] },
  { name: "Adapter", read: ({ adapter }) => [adapter] },
  { name: "Backend", read: ({ backend }) => [backend] },
  { name: "Features", isList: true, read: ({ features }) => features },
  {
    name: "Limits",
    isList: true,
    read: ({ limits }) => Object.entries(limits).map(([name, value]) => `${name} ${value}`),
  },
];

/** What differs of code, machine and kernels. */
export function environmentSentence(
  here: ComparedSweep,
  there: ComparedSweep,
  same: readonly ComparedPair[],
): string {
  const kernels = kernelsOf(same);
  const parted = [
    ...fields.map((field) => ({ ...field, ...itemsOf(field, here, there) })),
    ...kernels ? [{ name: "Kernels", isList: true, ...kernels }] : [],
  ].filter(({ ours, theirs }) => canonicalJson(ours) !== canonicalJson(theirs));
  if (parted.length === 0) {
    return `Commit, Deno, adapter, backend, features${
      kernels ? ", limits and kernels" : " and limits"
    } are the same.`;
  }
  return `${
    parted.map(({ name, isList, ours, theirs }) =>
      isList
        ? `${name}: ${[...onlyIn("here", ours, theirs), ...onlyIn("there", theirs, ours)].join("; ")}`
        : `${name}: ${ours.join(", ")}, there ${theirs.join(", ")}`
    ).join(". ")
  }.`;
}

function onlyIn(where: string, own: readonly string[], other: readonly string[]): string[] {
  const items = beyond(own, other);
  return items.length > 0 ? [`only ${where} ${items.join(", ")}`] : [];
}

function beyond(own: readonly string[], other: readonly string[]): string[] {
  return own.filter((item) => !other.includes(item));
}

function itemsOf({ read }: Field, here: ComparedSweep, there: ComparedSweep) {
  const all = ({ results }: ComparedSweep) =>
    [...new Set(results.flatMap(({ environment }) => read(environment)))].sort();
  return { ours: all(here), theirs: all(there) };
}

/** Kernels of runs of one config; null where no pair of them has finished. */
function kernelsOf(same: readonly ComparedPair[]) {
  const both = donePairs(same);
  const all = (side: 0 | 1) => [...new Set(both.flatMap((pair) => pair[side].outcome.kernels))].sort();
  return both.length === 0 ? null : { ours: all(0), theirs: all(1) };
}

/** The same field by field. */
export function environmentTable(here: ComparedSweep, there: ComparedSweep): Table {
  return {
    title: `${PREFIX}: code and machine`,
    note:
      "What the runs of each sweep noted about where they were made; of features and limits what the other sweep's lack.",
    columns: ["What", "Here", "There", "Verdict"],
    rows: fields.map((field) => {
      const { ours, theirs } = itemsOf(field, here, there);
      const show = (own: readonly string[], other: readonly string[]) =>
        (field.isList ? beyond(own, other) : own).join(", ") || "—";
      const same = canonicalJson(ours) === canonicalJson(theirs);
      return [field.name, show(ours, theirs), show(theirs, ours), same ? "the same" : "differs"];
    }),
  };
}
