/** @file Which points no other beats both in score and in cost, found inside a chart, so that it is of what is shown. */

/**
 * Transforms that give each row the field "front": true where no other row of its group has a cost as low and a score as
 * high, one of them better. Equal rows are on the front together.
 */
export function paretoFront(cost: string, score: string, groupby: readonly string[]): readonly object[] {
  return [
    {
      // Rows of equal cost are peers, which the frame takes in whole: the best score for at most this cost.
      window: [{ op: "max", field: score, as: "bestForLess" }],
      sort: [{ field: cost, order: "ascending" }],
      frame: [null, 0],
      groupby: [...groupby],
    },
    { joinaggregate: [{ op: "min", field: cost, as: "cheapest" }], groupby: [...groupby, score] },
    { calculate: `datum.${score} === datum.bestForLess && datum.${cost} === datum.cheapest`, as: "front" },
  ];
}
