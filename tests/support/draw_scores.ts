/** @file Made-up scores of methods on examples that are hard for all of them alike. */
import type { Random } from "../../numerics/random.ts";

/**
 * Scores of 0 and 1 of a method that has a share `ability` of examples right: `[seed][example]`. Examples are hard for all
 * methods alike, seeds are good or bad by a normal deviation, and each has its luck with each example.
 */
export function drawRight(
  random: Random,
  seeds: number,
  hardness: Float32Array,
  { ability, deviation }: { readonly ability: number; readonly deviation: number },
): number[][] {
  const skill = random.fork("skill").normal(seeds, deviation);
  return Array.from(skill, (own, s) => {
    const luck = random.fork(`luck ${s}`).uniform(hardness.length, -0.25, 0.25);
    return Array.from(hardness, (hard, e) => hard + luck[e]! < ability + own ? 1 : 0);
  });
}
