/**
 * @file What changed between two sweeps: their code and machines, their configs, what their runs found, bit for bit and by
 * the statistics of reports, and what they cost. Pure.
 */
import type { Registries } from "../../../training/configuration.ts";
import { compare, compareReruns } from "../../statistics/comparison.ts";
import { formatCount } from "../format.ts";
import type { Table } from "../table.ts";
import { type Cell, cellsOf, type ComparedPair, tellsApart } from "./cells.ts";
import type { AgainstVerdict, ComparedSweep } from "./compared_sweep.ts";
import { differenceOf } from "../../study/differences.ts";
import { environmentSentence, environmentTable } from "./environments.ts";
import { namer } from "./names.ts";
import { pairRuns } from "./pairing.ts";
import {
  baseSentences,
  changeSentences,
  costSentences,
  identify,
  missingSentence,
  scoreSentence,
  verdictSentence,
} from "./sentences.ts";
import { costsTable, runsTable, scoresTable } from "./tables.ts";

/** What changed, ready to print. */
export interface Against {
  readonly verdict: AgainstVerdict;
  /** How many runs are what, for programs. */
  readonly counts: {
    /** The same config here and there, both finished or diverged. */
    readonly both: number;
    /** Of these, equal bit for bit. */
    readonly equal: number;
    /** Counterparts with another config. */
    readonly otherConfig: number;
    /** Pairs of which a run failed. */
    readonly failed: number;
    readonly onlyHere: number;
    readonly onlyThere: number;
  };
  /** The verdict first. */
  readonly sentences: readonly string[];
  readonly tables: readonly Table[];
}

/** Compares two sweeps. */
export function compareSweeps(here: ComparedSweep, there: ComparedSweep, registries: Registries): Against {
  const pairing = pairRuns(here.results, there.results);
  const failed = pairing.pairs.filter((pair) =>
    [pair.here, pair.there].some(({ status }) => status === "failed")
  );
  const pairs = pairing.pairs.filter((pair) => !failed.includes(pair)).map((pair): ComparedPair => ({
    ...pair,
    difference: differenceOf(pair.here, pair.there),
  }));
  const same = pairs.filter(({ changes }) => changes.length === 0);
  const other = pairs.filter(({ changes }) => changes.length > 0);
  const cells = cellsOf(same, compareReruns), changed = cellsOf(other, compare);
  const differing = same.filter(({ difference }) => difference.what.length > 0);
  const verdict = verdictOf(same, differing, cells);
  const name = namer([...here.results, ...there.results], registries);
  return {
    verdict,
    counts: {
      both: same.length,
      equal: same.length - differing.length,
      otherConfig: other.length,
      failed: failed.length,
      onlyHere: pairing.onlyHere.length,
      onlyThere: pairing.onlyThere.length,
    },
    sentences: [
      `Against ${identify(there)}. ${verdictSentence(verdict, same, differing)}`,
      ...scoreSentence("Scores", cells, name),
      ...changeSentences(pairing, other),
      ...scoreSentence("With other configs, scores", changed, name),
      ...failed.length > 0
        ? [
          `${
            formatCount(failed.length, "run")
          } failed here or there by a fault of ours and can't be compared.`,
        ]
        : [],
      ...missingSentence(here, there),
      ...baseSentences(here.bases, there.bases),
      environmentSentence(here, there, same),
      ...costSentences(same),
      ...there.faults.map((fault) => `In the other sweep: ${fault}.`),
    ],
    tables: [
      scoresTable(cells, changed, name),
      runsTable(differing, name),
      costsTable(cells, name),
      environmentTable(here, there),
    ].filter((table) => table.rows.length > 0),
  };
}

function verdictOf(
  same: readonly ComparedPair[],
  differing: readonly ComparedPair[],
  cells: readonly Cell[],
): AgainstVerdict {
  if (same.length === 0) return "nothing in common";
  if (differing.length === 0) return "equal";
  const ended = differing.some(({ here, there }) => here.status !== there.status);
  return ended || cells.some(tellsApart) ? "different" : "undecided";
}
