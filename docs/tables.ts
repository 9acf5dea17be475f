/**
 * @file Writes what registries hold into the tables of the docs: `./run docs-tables`. With `--check` it changes nothing, and
 * ends with 1 where a table lacks something or says something else.
 *
 * A row begins with an id. Cells that the code knows are written anew, the others stay as somebody wrote them; rows of what
 * is no longer there go, and what is new comes last, with cells to be filled in.
 */
import { readClaims } from "../benchmarks/claims/claim.ts";
import { describeRule } from "../benchmarks/claims/verdict.ts";
import { expand, override } from "../benchmarks/sweep/sweep.ts";
import { listSweeps, readSweep } from "../benchmarks/sweep/sweep_files.ts";
import type { Library } from "../training/configuration.ts";
import { shipped } from "../training/shipped.ts";

/** What the code knows of the rows of a table: cells by column, by id, in the order of the list. */
export type Rows = ReadonlyMap<string, Readonly<Record<string, string>>>;

/** A table of a page, the first one behind a heading. */
export interface DocsTable {
  readonly page: string;
  readonly heading: string;
  rowsOf(library: Library): Rows | Promise<Rows>;
}

/** A cell that the code does not know, until somebody writes it. */
const OPEN = "—";

/** The tables that list what registries hold. */
export const tables: readonly DocsTable[] = [
  { page: "methods.md", heading: "# Methods", rowsOf: methodRows },
  { page: "models.md", heading: "# Models", rowsOf: modelRows },
  { page: "sweeps.md", heading: "## The sweeps", rowsOf: sweepRows },
  { page: "claims.md", heading: "## The claims", rowsOf: claimRows },
];

function methodRows({ optimizers }: Library): Rows {
  return new Map(
    Object.values(optimizers).map(({ id, title, source }) => [id, { method: `[${title}](${source})` }]),
  );
}

function modelRows({ models }: Library): Rows {
  return new Map(
    Object.values(models).map(({ id, family, architecture, pretrained, locate }) => [id, {
      family,
      parameters: architecture.parameters.toLocaleString("en-US"),
      "starts from": locate ? "npm: `./run use-lite`" : pretrained ? "shipped checkpoint" : "`--model DIR`",
    }]),
  );
}

async function claimRows(): Promise<Rows> {
  return new Map(
    (await readClaims()).map((claim) => {
      const { confirmed, refuted } = describeRule(claim);
      const cell = (text: string) => text.replaceAll("|", "\\|");
      return [claim.name, {
        "what it says": cell(`${claim.says} (${claim.source})`),
        "confirmed by": cell(confirmed),
        "refuted by": cell(refuted),
        "where it was said": cell(claim.setting),
        "what differs here": cell(claim.differs),
      }];
    }),
  );
}

async function sweepRows(library: Library): Promise<Rows> {
  const rows = new Map<string, Readonly<Record<string, string>>>();
  for (const { id } of await listSweeps()) {
    const spec = await readSweep(id);
    // Each method has one rate where rates are tuned ones, whichever they are.
    const isTuned = spec.rates && "chosenBy" in spec.rates;
    const { configs } = expand(isTuned ? override(spec, { learningRates: [1e-3] }, library) : spec, library);
    // Sweeps of all tasks grow with every task that is added: their table tells the runs of one.
    const perTask = new Set(Map.groupBy(configs, ({ task }) => task.id).values().map(({ length }) => length));
    const isOfAll = spec.tasks.some(({ task }) => task.id === "*") && perTask.size === 1;
    rows.set(id, { runs: isOfAll ? `${[...perTask][0]} a task` : String(configs.length) });
  }
  return rows;
}

/**
 * A page's text with the cells of its table as the code knows them; the same text where it says so already.
 *
 * @throws {Error} where there is no such heading, or no table behind it
 */
export function rewrite(text: string, heading: string, known: Rows): string {
  const from = `\n${text}`.indexOf(`\n${heading}\n`);
  const [table] = from < 0 ? [] : /^\|.*\|\n\|[-| ]+\|\n(?:\|.*\|\n)*/m.exec(text.slice(from)) ?? [];
  if (table === undefined) throw new Error(`Cannot write the table behind "${heading}": there is none`);
  const [columns, , ...rows] = table.trimEnd().split("\n").map((line) =>
    line.slice(1, -1).split("|").map((cell) => cell.trim())
  );
  const old = new Map(rows.map((row) => [row[0]!.replaceAll("`", ""), row]));
  const ids = [...old.keys().filter((id) => known.has(id)), ...known.keys().filter((id) => !old.has(id))];
  const next = ids.map((id) =>
    columns!.map((column, i) => i === 0 ? `\`${id}\`` : known.get(id)![column] ?? old.get(id)?.[i] ?? OPEN)
  );
  if (JSON.stringify(next) === JSON.stringify(rows)) return text;
  const lines = [columns!, columns!.map(() => "---"), ...next].map((row) => `| ${row.join(" | ")} |\n`);
  return text.slice(0, from) + text.slice(from).replace(table, () => lines.join(""));
}

if (import.meta.main) {
  const isCheck = Deno.args.includes("--check"), stale: string[] = [];
  for (const { page, heading, rowsOf } of tables) {
    const path = new URL(page, import.meta.url), text = await Deno.readTextFile(path);
    const next = rewrite(text, heading, await rowsOf(shipped));
    if (next === text) continue;
    stale.push(`docs/${page}`);
    if (!isCheck) await Deno.writeTextFile(path, next);
  }
  if (stale.length > 0) {
    console.log(
      isCheck
        ? `Out of date: ${stale.join(", ")} (./run docs-tables writes them)`
        : `Wrote ${stale.join(", ")}`,
    );
  } else console.log("The docs' tables are up to date");
  Deno.exit(isCheck && stale.length > 0 ? 1 : 0);
}
