/** @file What the charts over training steps share: means of curves over runs. */
import type { Point } from "../../../training/run.ts";
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
