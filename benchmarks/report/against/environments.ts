/** @file What two sweeps noted about their code and machines. */
import { canonicalJson, type Environment } from "../../../training/run.ts";
import { formatCount } from "../format.ts";
import type { Table } from "../report.ts";
import type { ComparedSweep } from "./against.ts";
import type { ComparedPair } from "./cells.ts";
import { PREFIX } from "./tables.ts";

/** What tells environments apart, each read as one text. */
const environmentFields: readonly (readonly [name: string, read: (one: Environment) => string])[] = [
  ["Commit", ({ commit }) => commit],
  ["Deno", ({ deno }) => deno],
  ["Adapter", ({ adapter }) => adapter],
  ["Backend", ({ backend }) => backend],
  ["Features", ({ features }) => features.toSorted().join(", ")],
  [
    "Limits",
    ({ limits }) => Object.entries(limits).sort().map(([name, value]) => `${name} ${value}`).join(", "),
  ],
];

function valuesOf({ results }: ComparedSweep, read: (one: Environment) => string): string {
  return [...new Set(results.map(({ environment }) => read(environment)))].sort().join("; ");
}

/** What differs of code, machine and kernels. */
export function environmentSentence(
  here: ComparedSweep,
  there: ComparedSweep,
  same: readonly ComparedPair[],
): string {
  const parted = environmentFields.filter(([, read]) => valuesOf(here, read) !== valuesOf(there, read));
  const short = new Set(["Commit", "Deno", "Adapter", "Backend"]);
  const told = parted.map(([name, read]) =>
    short.has(name) ? `${name}: ${valuesOf(here, read)}, there ${valuesOf(there, read)}` : `${name} differ`
  );
  const kernels = kernelsThatDiffer(same);
  const all = [...told, ...kernels === null ? [] : [kernels]];
  if (all.length > 0) return `${all.join(". ")}.`;
  return `Commit, Deno, adapter, backend, features, limits${
    same.length > 0 ? " and kernels" : ""
  } are the same.`;
}

function kernelsThatDiffer(same: readonly ComparedPair[]): string | null {
  const both = same.flatMap(({ here, there }) =>
    here.status === "done" && there.status === "done"
      ? [[here.outcome.kernels, there.outcome.kernels] as const]
      : []
  );
  const parted = both.filter(([ours, theirs]) =>
    canonicalJson(ours.toSorted()) !== canonicalJson(theirs.toSorted())
  );
  if (parted.length === 0) return null;
  const beyond = (side: 0 | 1) =>
    [...new Set(parted.flatMap((pair) => pair[side].filter((name) => !pair[1 - side]!.includes(name))))]
      .sort();
  const sides = [["here", beyond(0)], ["there", beyond(1)]] as const;
  const told = sides.filter(([, names]) => names.length > 0).map(([where, names]) =>
    `only ${where} ${names.join(", ")}`
  );
  return `Other kernels ran in ${formatCount(parted.length, "run")}: ${told.join("; ")}`;
}

/** The same field by field. */
export function environmentTable(here: ComparedSweep, there: ComparedSweep): Table {
  return {
    title: `${PREFIX}: code and machine`,
    note: "What the runs of each sweep noted about where they were made.",
    columns: ["What", "Here", "There", "Verdict"],
    rows: environmentFields.map(([name, read]) => {
      const ours = valuesOf(here, read), theirs = valuesOf(there, read);
      // Lists as long as these are worth reading only where they differ.
      const list = name === "Features" || name === "Limits";
      const shown = list && ours === theirs ? ["—", "—"] : [ours || "—", theirs || "—"];
      return [name, ...shown, ours === theirs ? "the same" : "differs"];
    }),
  };
}
