/** @file What the charts over training steps share: means of curves over runs. */
import type { Discrepancy, Point } from "../../../training/run.ts";
import { mean } from "../../statistics.ts";
import type { Cell, Study } from "../report.ts";

/** Mean of curves at the steps that they have in common with the first. */
export function meanCurve(curves: readonly (readonly Point[])[]): Point[] {
  const [first = [], ...others] = curves;
  const rest = others.map((curve) => new Map(curve.map(({ step, value }) => [step, value])));
  return first.flatMap(({ step, value }) => {
    const same = rest.map((curve) => curve.get(step)).filter((found) => found !== undefined);
    return same.length === rest.length ? [{ step, value: mean([value, ...same]) }] : [];
  });
}

/**
 * A discrepancy of no more is rounding, and has no place on a logarithmic axis: full fine-tuning has it, and a rank as
 * large as the weight.
 */
export const EXACT = 1e-4;

/** Mean over the sites that have the number, by step. */
export function overSites(found: readonly Discrepancy[], read: (one: Discrepancy) => number | null): Point[] {
  const bySteps = Map.groupBy(found, (one) => one.step);
  return [...bySteps].flatMap(([step, ones]) => {
    const numbers = ones.map(read).filter((value) => value !== null);
    return numbers.length > 0 ? [{ step, value: mean(numbers) }] : [];
  });
}

/** The ranks in whose panels a cell is drawn: its own, or all of them where it has none. */
export function panelsOf(study: Study, cell: Cell): string[] {
  if (cell.rank !== null) return [panelName(cell.rank)];
  return panelOrder(study);
}

/** The panels of a study, in order. */
export function panelOrder(study: Study): string[] {
  return study.ranks.length > 0 ? study.ranks.map(panelName) : ["no rank"];
}

function panelName(rank: number): string {
  return `rank ${rank}`;
}
