/** @file Dot plots for any number of methods: a line of text for each method and rank, numbers along x. */
import type { MethodLabel, Study } from "../../study/study.ts";
import { methodsByResult } from "./scales.ts";
import type { Sharing } from "./lay_out.ts";

/** A transform that gives rows the field "series": the method and, where it has one, its rank. */
export const SERIES = {
  calculate: "datum.method + (isValid(datum.rank) ? ', r ' + datum.rank : '')",
  as: "series",
};

/** What `SERIES` makes of a method's label and its rank. */
export function seriesOf({ label }: MethodLabel, rank: number | null): string {
  return rank === null ? label : `${label}, r ${rank}`;
}

/** The y channel by "series", methods as `methodsByResult` has them, small ranks first. */
export function seriesChannel(study: Study) {
  return {
    field: "series",
    type: "nominal",
    title: null,
    sort: methodsByResult(study).flatMap((method) =>
      [null, ...study.ranks].map((rank) => seriesOf(method, rank))
    ),
    axis: { labelLimit: 0, grid: true, domain: false, ticks: false },
  };
}

/** Pixels that panels share beside the names of rows: a character as wide as Vega takes it where it can't measure it. */
export const BESIDE_NAMES: Sharing = { whole: 1340, character: 9.6, around: 28, least: 110, most: 320 };

/** The same for panels under "against Full fine-tuning", which are no narrower than that. */
export const BESIDE_NAMES_HELD: Sharing = { ...BESIDE_NAMES, least: 200 };
