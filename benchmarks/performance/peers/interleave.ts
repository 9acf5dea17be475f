/** @file Times things that share a machine: one after the other, round by round, so that a slow minute hits all. */
import process from "node:process";
import { median } from "../../statistics/statistics.ts";

/** Work that can be repeated. */
export interface Contestant {
  /** What a round should give it, in milliseconds: decides how many units of work it does there. */
  readonly share: number;
  /** Does `units` units of work and waits once, for the last. */
  run(units: number): Promise<unknown>;
}

/** Milliseconds per unit of a contestant. */
export interface Timing {
  /** Median over rounds. */
  readonly ms: number;
  /** Processor time of this process, all threads: a software adapter's work is in it. Median over rounds. */
  readonly cpuMs: number;
  /** Least and most of all rounds. */
  readonly spread: readonly [least: number, most: number];
  /** Units of a round. */
  readonly units: number;
}

/** Milliseconds, from any start. */
export interface Clock {
  now(): number;
  cpu(): number;
}

const realClock: Clock = {
  now: () => performance.now(),
  cpu() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
};

/** How timing is done. */
export interface InterleaveOptions {
  readonly rounds: number;
  readonly onRound?: (round: number) => void;
  readonly clock?: Clock;
}

/** Runs A B C, A B C, …, after as many runs of each, not counted, as it takes to see what fits in its share. */
export async function interleave(
  contestants: readonly Contestant[],
  { rounds, onRound, clock = realClock }: InterleaveOptions,
): Promise<Timing[]> {
  const time = async (contestant: Contestant, units: number) => {
    const begun = clock.now(), cpuBegun = clock.cpu();
    await contestant.run(units);
    return { ms: (clock.now() - begun) / units, cpuMs: (clock.cpu() - cpuBegun) / units };
  };
  const units: number[] = [];
  for (const contestant of contestants) {
    // What the first run compiles is no measure.
    await contestant.run(1);
    let count = 1;
    for (let tried = 0; tried < count;) {
      tried = count;
      const fitting = Math.floor(contestant.share / (await time(contestant, tried)).ms);
      // One wait weighs much in a short run: a longer one knows better.
      if (fitting >= 2 * tried) count = Math.min(fitting, 10 * tried);
    }
    units.push(count);
  }
  const times: { ms: number; cpuMs: number }[][] = contestants.map(() => []);
  for (let round = 1; round <= rounds; round++) {
    onRound?.(round);
    for (const [i, contestant] of contestants.entries()) times[i]!.push(await time(contestant, units[i]!));
  }
  return times.map((each, i) => {
    const ms = each.map((time) => time.ms);
    return {
      ms: median(ms),
      cpuMs: median(each.map((time) => time.cpuMs)),
      spread: [Math.min(...ms), Math.max(...ms)],
      units: units[i]!,
    };
  });
}
