/** @file How a comparison was made, read from its runs' configs: how rates were chosen, and on which data scores are. */
import type { RunConfig } from "../../training/run.ts";
import { areSameFiles } from "../rates/rates.ts";
import { formatCounts } from "./format.ts";
import type { Cell, Study } from "../study/study.ts";

/** Of rates that nobody chose. */
const STATED = "stated, not chosen on data of this report";

/** What a reader must know of how scores came about. */
export interface Protocol {
  /** What was done, in sentences. */
  readonly statements: readonly string[];
  /** What was done unlike a fair comparison, in sentences. */
  readonly caveats: readonly string[];
}

/**
 * Reads the protocol of a study's scores.
 *
 * @param configs the runs that the report is about
 * @param ratesFrom the tuning sweep that rates are from; null where they are from these runs, or stated
 */
export function describeProtocol(
  study: Study,
  configs: readonly RunConfig[],
  ratesFrom: string | null,
): Protocol {
  const { cells } = study;
  const scored = configs.filter(({ task }) => cells.some((cell) => cell.task.id === task.id));
  const onTest = scored.filter(({ scoreOn }) => scoreOn === "test").length,
    onValidation = scored.length - onTest;
  const isTuned = ({ chosen, task }: Cell) =>
    chosen !== null && chosen.evidence.length > 1 && areSameFiles(chosen, task.files);
  const tuned = cells.filter(isTuned), rates = tuned.map(({ chosen }) => chosen!.evidence);
  if (cells.length === 0) return { statements: [], caveats: [] };
  return {
    statements: [
      ...tuned.length > 0
        ? [
          `Learning rates: of each method its own, the one with the least validation loss of ${
            formatCounts(rates.map((grid) => grid.length), "rate")
          } (n = ${formatCounts(rates.flat().map(({ seeds }) => seeds.length), "seed")} a rate${
            ratesFrom === null ? "" : `, sweep "${ratesFrom}"`
          }).`,
        ]
        : [],
      ...onValidation === 0
        ? ["Scores: on test data, once a run, at its end; nothing in this report was chosen by them."]
        : [],
    ],
    caveats: [
      ...onValidation > 0 && tuned.length > 0
        ? [
          "Scores are on the validation data that the rates were chosen on: optimistic, not for comparing methods.",
        ]
        : [],
      ...onValidation > 0 && tuned.length === 0
        ? ["Scores are on validation data: comparisons that count are made on test data, once."]
        : [],
      ...onValidation > 0 && onTest > 0
        ? [`Only ${onTest} of ${scored.length} runs are scored on test data.`]
        : [],
      ...tuned.length === 0 && study.methods.length > 1
        ? [
          `Learning rates were ${
            cells.some(({ chosen }) => chosen !== null) ? "chosen on other data than this report's" : STATED
          }: a rate may suit one method better than another.`,
        ]
        : [],
      ...unequalTuning(cells.filter(isTuned)),
      ...study.tasks.flatMap((task) => {
        const own = cells.filter((cell) => cell.task === task);
        return own.some(isTuned) ? withoutChoice(task.title, own.filter((cell) => !isTuned(cell))) : [];
      }),
    ],
  };
}

/** What gave some methods of a task a better chance at a good rate than others, and on which tasks that was alike. */
function unequalTuning(tuned: readonly Cell[]): string[] {
  const differ = (counts: readonly number[]) => new Set(counts).size > 1;
  const titles = new Map<string, string[]>();
  for (const [task, own] of Map.groupBy(tuned, (cell) => cell.task)) {
    const grids = own.map(({ chosen }) => chosen!.evidence.length);
    const seeds = own.flatMap(({ chosen }) => chosen!.evidence.map((one) => one.seeds.length));
    if (!differ(grids) && !differ(seeds)) continue;
    const how = `over ${formatCounts(grids, "rate")}, with ${formatCounts(seeds, "seed")} each`;
    titles.set(how, [...titles.get(how) ?? [], task.title]);
  }
  return [...titles].map(([how, on]) => `Methods were tuned unequally on ${on.join(", ")}: ${how}.`);
}

/** Methods that had no choice of rates where others had. */
function withoutChoice(title: string, stated: readonly Cell[]): string[] {
  const labels = [...new Set(stated.map(({ method }) => method.label))];
  return labels.length > 0
    ? [`On ${title} no rate was chosen for ${labels.join(", ")}, but for others: not an equal chance.`]
    : [];
}
