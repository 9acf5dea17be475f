/** @file What a task measures beside its score: checked, and put into the record of a run. */
import type { Measure, Predictor, Split, Task, TaskData } from "../../tasks/task.ts";
import type { MeasuredOutcome } from "../run.ts";

/** The value of a set of examples; null where it has none. */
export function valueOf(
  measure: Pick<Measure, "ofPairs">,
  { values, labels }: Pick<MeasuredOutcome, "values" | "labels">,
): number | null {
  const value = measure.ofPairs && labels
    ? measure.ofPairs(values, labels)
    : values.reduce((sum, one) => sum + one, 0) / values.length;
  return Number.isFinite(value) ? value : null;
}

/** The measures that a task takes of a split. */
export function measuresOf({ measures = [] }: Pick<Task, "measures">, split: Split): readonly Measure[] {
  return measures.filter((measure) => (measure.split ?? split) === split);
}

/**
 * All measures that a task takes of a split, by name; undefined where there are none.
 *
 * @throws {TypeError} where the task breaks its contract: what it measured is not what it lists, a value is not finite,
 * or the examples are not as many as `count`
 */
export async function takeMeasures(
  task: Pick<Task, "id" | "measures">,
  data: TaskData,
  predictor: Predictor,
  split: Split,
  count: number,
): Promise<Readonly<Record<string, MeasuredOutcome>> | undefined> {
  const { id } = task;
  const measures = measuresOf(task, split);
  if (measures.length === 0) return undefined;
  const found = await data.measure?.(predictor, split) ?? {};
  const extra = Object.keys(found).filter((name) => !measures.some((measure) => measure.name === name));
  if (extra.length > 0) throw new TypeError(`Cannot record "${extra[0]}" of task "${id}": it is not listed`);
  return Object.fromEntries(measures.map((measure) => {
    const { name } = measure, one = found[name];
    if (!one) throw new TypeError(`Cannot record "${name}" of task "${id}": it was not measured`);
    const values = Array.from(one.values), labels = one.labels && Array.from(one.labels);
    if ((labels !== undefined) !== (measure.ofPairs !== undefined)) {
      throw new TypeError(
        `Cannot record "${name}" of task "${id}": labels are ${
          labels ? "there" : "missing"
        }, they belong to pairs`,
      );
    }
    for (const list of [values, ...(labels ? [labels] : [])]) {
      if (list.length !== count || !list.every(Number.isFinite)) {
        throw new TypeError(
          `Cannot record "${name}" of task "${id}": it has ${list.length} values, ${count} finite ones are needed`,
        );
      }
    }
    const noted = { values, ...(labels && { labels }) };
    return [name, { value: valueOf(measure, noted), ...noted }];
  }));
}
