/** @file The command that settles one of a report's comparisons. */
import { areSameFiles } from "../rates/rates.ts";
import type { Pair } from "../study/pairs.ts";
import type { Study } from "../study/study.ts";

/** A pair, and what to type to settle it. */
export interface Settling {
  readonly pair: Pair;
  readonly command: string;
}

/**
 * Settles the pair that seems to differ most from LoRA, of methods without variants and of what needs no files of the
 * user's; null where there is none.
 *
 * @param within the margin of “same”
 */
export function settling(study: Study, pairs: readonly Pair[], within?: number): Settling | null {
  const isPlain = ({ ours }: Pair) =>
    areSameFiles(ours.task.files, {}) &&
    ours.runs.every(({ config: { task, model, optimizer } }) =>
      [task, model, optimizer].every(({ module }) => module === undefined)
    ) &&
    study.methods.filter(({ optimizer }) => optimizer === ours.method.optimizer).length === 1;
  const [pair] = pairs.filter((one) => one.theirs.method.optimizer === "lora" && isPlain(one))
    .toSorted((a, b) => Math.abs(b.comparison.mean) - Math.abs(a.comparison.mean));
  if (!pair || pair.ours.rank === null) return null;
  const { task, method, rank } = pair.ours;
  const command = `./run settle ${method.optimizer} lora --task ${task.id} --rank ${rank}${
    within === undefined ? "" : ` --within ${within}`
  }`;
  return { pair, command };
}
