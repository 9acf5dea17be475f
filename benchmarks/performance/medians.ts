/** @file How long variants of a piece of work take on this machine: medians of rounds over all of them. */
import type { Gpu } from "../../gpu/mod.ts";

/** Rounds over all variants; the median counts. */
const ROUNDS = 5;
/** GPU milliseconds of one measurement by timestamps, and by the clock, which has a grain of 11 ms in Deno. */
const BY_TIMESTAMPS = 4, BY_CLOCK = 60;
/** Another variant must save so much of the rule's time: less may be noise. */
const CLEARLY = 0.95;

/** Median microseconds of what records each variant's launches, by the variant's name. */
export async function mediansOf<Name extends string>(
  gpu: Gpu,
  variants: ReadonlyMap<Name, () => void>,
): Promise<Map<Name, number>> {
  const byTimestamps = gpu.info.features.includes("timestamp-query");
  const takes = async (launch: () => void, times: number): Promise<number> => {
    const work = () => {
      for (let i = 0; i < times; i++) launch();
    };
    if (byTimestamps) {
      return (await gpu.profile(work)).reduce((sum, kernel) => sum + kernel.milliseconds, 0) / times;
    }
    const start = performance.now();
    work();
    await gpu.flush();
    return (performance.now() - start) / times;
  };

  const repeats = new Map<Name, number>();
  for (const [name, launch] of variants) {
    // The first run compiles.
    await takes(launch, 1);
    const about = Math.max(await takes(launch, 3), 1e-3);
    repeats.set(name, Math.min(100, Math.ceil((byTimestamps ? BY_TIMESTAMPS : BY_CLOCK) / about)));
  }
  const found = new Map([...variants.keys()].map((name) => [name, [] as number[]]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, launch] of variants) found.get(name)!.push(await takes(launch, repeats.get(name)!));
  }
  return new Map(
    [...found].map(([name, times]) => [
      name,
      // At least a nanosecond: a coarse clock may see nothing at all.
      Math.max(1e-3, Math.round(1e6 * times.sort((a, b) => a - b)[ROUNDS >> 1]!) / 1e3),
    ]),
  );
}

/** The fastest of the measured variants, or the rule's where none is clearly faster. */
export function fastestOf<Name extends string>(medians: ReadonlyMap<Name, number>, rule: Name): Name {
  const [fastest] = [...medians].sort(([, a], [, b]) => a - b)[0]!;
  return medians.get(fastest)! < CLEARLY * medians.get(rule)! ? fastest : rule;
}
