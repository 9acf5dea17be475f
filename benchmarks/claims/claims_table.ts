/** @file The table of claims: what each came to, for docs/results.md. */
import { partsOf, type StoredVerdict } from "../study/verdict_file.ts";
import type { Claim } from "./claim.ts";

/** Lines that the table stands between. */
const BEGIN = "<!-- ./run claims --table writes what follows -->", END = "<!-- up to here -->";

/** The rows in Markdown: a claim without a verdict says so. */
export function tableOf(claims: readonly (readonly [Claim, StoredVerdict | null])[]): string {
  const rows = claims.map(([claim, found]) => {
    const told = found
      ? [
        // What differs from the paper's setting stands in docs/claims.md.
        `**${found.outcome}** ${partsOf(found).words}`,
        `${(found.minutes / 60).toFixed(2)}`,
        `${found.commits.map((commit) => commit.slice(0, 7)).join(", ")}, ${found.days.join(" to ")}`,
      ]
      : ["not run yet", "—", "—"];
    return [`\`${claim.name}\``, `${claim.says} (${claim.source})`, ...told];
  });
  const lines = [["Claim", "What it says", "Here", "Hours", "Commit and date"], [
    "---",
    "---",
    "---",
    "---",
    "---",
  ], ...rows];
  return lines.map((cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`).join(
    "\n",
  );
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
