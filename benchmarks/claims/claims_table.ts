/** @file The table of claims: what each came to, for docs/results.md. */
import { type Outcome, partsOf, type StoredVerdict } from "../study/verdict_file.ts";
import type { Claim } from "./claim.ts";

/** Lines that the table stands between. */
const BEGIN = "<!-- ./run claims --table writes what follows -->", END = "<!-- up to here -->";

/** What every claim came to in a sentence, and the table, in Markdown: papers with most claims first. */
export function tableOf(claims: readonly (readonly [Claim, StoredVerdict | null])[]): string {
  const claimsOf = (source: string) => claims.filter(([{ source: own }]) => paperOf(own) === source).length;
  const rows = claims.toSorted(([{ source: one }], [{ source: other }]) =>
    claimsOf(paperOf(other)) - claimsOf(paperOf(one))
  ).map(([{ name, says, source }, found]) => {
    const told = found
      ? [
        `**${found.outcome}**`,
        // What differs from the paper's setting stands in docs/claims.md.
        partsOf(found).words,
        `${(found.minutes / 60).toFixed(2)} h, ${
          found.commits.map((commit) => commit.slice(0, 7)).join(", ")
        }, ${found.days.join(" to ")}`,
      ]
      : ["not run yet", "—", "—"];
    return [`${says} (${source}) \`${name}\``, ...told];
  });
  const lines = [["Claimed", "Here", "Numbers", "Run"], ["---", "---", "---", "---"], ...rows];
  const table = lines.map((cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`);
  return `${countOf(claims.map(([, found]) => found))}\n\n${table.join("\n")}`;
}

/** A source without its section or table. */
function paperOf(source: string): string {
  return /^(.*?arXiv [0-9.]+)/.exec(source)?.[1] ?? source;
}

function countOf(verdicts: readonly (StoredVerdict | null)[]): string {
  const of = (outcome: Outcome) => verdicts.filter((verdict) => verdict?.outcome === outcome).length;
  const missing = verdicts.filter((verdict) => verdict === null).length;
  return `Of ${verdicts.length} claims ${of("confirmed")} are confirmed here, ${
    of("refuted")
  } are refuted and ${of("undecided")} undecided${missing > 0 ? `; ${missing} were not run yet` : ""}.`;
}

/**
 * A page with the table in its place.
 *
 * @throws {Error} where the page has no place for it
 */
export function withTable(page: string, table: string): string {
  const [before, ...rest] = page.split(BEGIN), after = rest[0]?.split(END)[1];
  if (rest.length !== 1 || after === undefined) {
    throw new Error(`Cannot write the table of claims: it has no place`);
  }
  return `${before}${BEGIN}\n\n${table}\n\n${END}${after}`;
}
