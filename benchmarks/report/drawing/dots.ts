/** @file Dot plots for any number of methods: a line of text for each method and rank, numbers along x. */
import type { Study } from "../../study/study.ts";
import type { Sharing } from "./lay_out.ts";

/** A transform that gives rows the field "series": the method and, where it has one, its rank. */
export const SERIES = {
  calculate: "datum.method + (isValid(datum.rank) ? ', r ' + datum.rank : '')",
  as: "series",
};

/** The y channel by "series", methods in the order of reports, small ranks first. */
export function seriesChannel({ methods, ranks }: Study) {
  return {
    field: "series",
    type: "nominal",
    title: null,
    sort: methods.flatMap(({ label }) => [label, ...ranks.map((rank) => `${label}, r ${rank}`)]),
    axis: { labelLimit: 0, grid: true, domain: false, ticks: false },
  };
}

/** Pixels that panels share beside the names of rows: a character as wide as Vega takes it where it can't measure it. */
export const BESIDE_NAMES: Sharing = { whole: 1340, character: 9.6, around: 28, least: 110, most: 320 };
