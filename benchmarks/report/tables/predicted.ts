/** @file What a published claim predicts, and what each prediction came to. */
import type { JudgedPrediction } from "../../study/verdict_file.ts";
import { formatDifference, formatInterval } from "../format.ts";
import type { Table } from "../table.ts";

/** A prediction over all its tasks, or in each of its places; null where nobody stored them. */
export function predictedTable(predictions: readonly JudgedPrediction[] = []): Table | null {
  if (predictions.length === 0) return null;
  const found = predictions.flatMap((one) => one.found.map((place) => ({ one, place })));
  const missing = predictions.filter((one) => one.found.length === 0);
  const isPooled = found.some(({ place }) => place.tasks.length > 0);
  const [margin, ...margins] = new Set(found.map(({ one }) => one.margin));
  const lead = ["Here", "Prediction", "Difference", "Interval", "Verdict", "Where"];
  return {
    title: "What the claim predicts",
    note: [
      "Each prediction by the rule of docs/claims.md.",
      ...isPooled
        ? [
          "Over tasks a task's mean difference is one observation, a small dot. Predictions that are pooled so share the " +
          "level of 5%: in 95% of such claims all their intervals hold the true difference.",
        ]
        : [],
      ...found.some(({ one }) => one.measured !== "score")
        ? [
          "Differences of losses and of times are of their logarithms, about a share of them, and above 0 where the first " +
          "has less.",
        ]
        : [],
    ].join(" "),
    columns: [...lead, ...isPooled ? ["Task by task"] : []],
    lead,
    // One axis has one margin, and a bar in each row.
    ...margin !== undefined && margins.length === 0 && missing.length === 0
      ? { bars: { rows: found.map(({ place }) => barOf(place)), margin } }
      : {},
    rows: [
      ...found.map(({ one, place }) => [
        place.outcome,
        one.asked,
        formatDifference(place.difference),
        formatInterval(place.interval, formatDifference),
        place.verdict,
        place.where,
        ...isPooled ? [tasksOf(place)] : [],
      ]),
      ...missing.map(({ asked, outcome }) => [
        outcome,
        asked,
        ...["—", "—", "—", "runs are missing"],
        ...isPooled ? ["—"] : [],
      ]),
    ],
  };
}

function barOf({ difference, interval, verdict, tasks }: JudgedPrediction["found"][number]) {
  return { mean: difference, interval, verdict, dots: tasks.map((one) => one.difference) };
}

/** "digits −0.118, arithmetic +0.014". */
function tasksOf({ tasks }: JudgedPrediction["found"][number]): string {
  return tasks.map(({ task, difference }) => `${task} ${formatDifference(difference)}`).join(", ") || "—";
}
