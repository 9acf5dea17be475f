/** @file Means over runs with their intervals, formed inside a chart, so that they are those of the runs that are shown. */
import { studentQuantile } from "../../../numerics/distributions.ts";

/** Of Student's distribution at 97.5%, from one degree of freedom on. */
const QUANTILES = Array.from({ length: 30 }, (_, i) => Number(studentQuantile(0.975, i + 1).toPrecision(5)));

/** An expression for Student's quantile at 97.5% of so many degrees of freedom. Beyond the table Fisher's expansion, within 0.2%. */
export function quantile(freedom: string): string {
  return `(${freedom} <= ${QUANTILES.length} ? [${QUANTILES}][${freedom} - 1] : 1.96 + 2.372 / ${freedom})`;
}

/** What runs have in common whose mean is worth telling. */
export const GROUP = ["task", "method", "rank", "rate", "best"] as const;

/**
 * Transforms that tell each row of a run about its group: for each of `fields` the mean `<field>Mean` and its 95%
 * interval for new seeds, Student's t, `<field>Low` and `<field>High`; `n`, the number of runs, and `runs`, their ids.
 * With one run both ends of the interval are the mean. Runs without a number are no part of that field's mean. Of each
 * group one row passes `ONE_A_GROUP`, for marks of means.
 */
export function meansOverRuns(fields: readonly string[], by: readonly string[] = GROUP): readonly object[] {
  const groupby = [...by];
  return [
    {
      joinaggregate: [
        { op: "count", as: "n" },
        { op: "values", field: "run", as: "members" },
        ...fields.flatMap((field) => [
          { op: "mean", field, as: `${field}Mean` },
          { op: "stdev", field, as: `${field}Deviation` },
          { op: "valid", field, as: `${field}Count` },
        ]),
      ],
      groupby,
    },
    // Vega appends what comes back into view: by seed the same row speaks for a group again.
    { window: [{ op: "row_number", as: "member" }], sort: [{ field: "seed", order: "ascending" }], groupby },
    { calculate: "datum.member === 1 ? pluck(datum.members, 'run') : null", as: "runs" },
    ...fields.flatMap((field) => {
      const count = `datum.${field}Count`;
      const half = `(${count} > 1 ? ${
        quantile(`(${count} - 1)`)
      } * datum.${field}Deviation / sqrt(${count}) : 0)`;
      return [
        { calculate: `datum.${field}Mean - ${half}`, as: `${field}Low` },
        { calculate: `datum.${field}Mean + ${half}`, as: `${field}High` },
      ];
    }),
  ];
}

/** Keeps one row of each group of `meansOverRuns`. */
export const ONE_A_GROUP = { filter: "datum.member === 1" };

/** A number in a tooltip. */
export interface TooltipNumber {
  readonly heading: string;
  readonly field: string;
  /** "" for what is no number. */
  readonly format?: "";
}

/** A tooltip that leads to a single run. */
export function runTooltip(numbers: readonly TooltipNumber[]): { readonly expr: string } {
  return tooltip([
    ...numbers.map(({ heading, field, format }) => [heading, number(`datum.${field}`, format)] as const),
    ["Seed", "datum.seed"],
    ["Run", "datum.run"],
  ]);
}

/** A tooltip of means over runs, with their intervals and the runs that they are over; `beside` are no means. */
export function meansTooltip(
  numbers: readonly TooltipNumber[],
  beside: readonly TooltipNumber[] = [],
): { readonly expr: string } {
  return tooltip([
    ...beside.map(({ heading, field, format }) => [heading, number(`datum.${field}`, format)] as const),
    ...numbers.flatMap(({ heading, field, format }) => {
      const [low, high] = ["Low", "High"].map((end) => number(`datum.${field}${end}`, format));
      return [
        [`${heading}, mean`, number(`datum.${field}Mean`, format)] as const,
        [`${heading}, 95%`, `datum.${field}Count > 1 ? ${low} + ' to ' + ${high} : '—'`] as const,
      ];
    }),
    ["Runs", "datum.n + ': ' + join(datum.runs, ' ')"],
  ]);
}

function number(value: string, format?: ""): string {
  if (format === "") return value;
  // "42M", where four digits and no more would be written "4.2e+7".
  return `(isValid(${value}) ? format(${value}, abs(${value}) < 1e4 ? '.4~g' : '.4~s') : '—')`;
}

function tooltip(lines: readonly (readonly [heading: string, value: string])[]): { readonly expr: string } {
  const all = [
    ["Task", "datum.task"],
    ["Method", "datum.method"],
    ["Rank", "isValid(datum.rank) ? datum.rank : '—'"],
    ["Learning rate", "format(datum.rate, '~g')"],
    ...lines,
  ];
  return { expr: `{${all.map(([heading, value]) => `${JSON.stringify(heading)}: ${value}`).join(", ")}}` };
}
