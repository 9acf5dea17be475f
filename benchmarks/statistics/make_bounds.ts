/**
 * @file Makes the bounds of sequential.ts by simulation: `deno run benchmarks/statistics/make_bounds.ts [PATHS]` prints
 * bounds.ts, which the project ships as 4,000,000 paths gave it. Takes some minutes.
 */
import { studentQuantile } from "../../numerics/distributions.ts";
import { createRandom } from "../../numerics/random.ts";
import { LOOKS } from "./looks.ts";

/** What 10 % is divided by for the levels that bounds are made for. */
export const PARTS = [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40] as const;

/** Paths that are drawn together. */
const CHUNK = 10_000;

/**
 * Student's statistic |mean| √n / s of standard normal numbers at each look: `[look][path]`, where the numbers of a later
 * look go on from those of the one before.
 */
export function drawStatistics(paths: number, seed: number): Float64Array[] {
  const random = createRandom(seed).fork("sequential bounds"), most = LOOKS.at(-1)!;
  const found = LOOKS.map(() => new Float64Array(paths));
  for (let first = 0; first < paths; first += CHUNK) {
    const count = Math.min(CHUNK, paths - first);
    const normal = random.fork(`paths from ${first}`).normal(count * most, 1);
    for (let path = 0; path < count; path++) {
      let sum = 0, squares = 0, look = 0;
      for (let n = 1; n <= most; n++) {
        const value = normal[path * most + n - 1]!;
        sum += value;
        squares += value * value;
        if (n !== LOOKS[look]) continue;
        found[look++]![first + path] = Math.abs(sum) /
          Math.sqrt(n * (squares - sum * sum / n) / (n - 1));
      }
    }
  }
  return found;
}

/**
 * The bound of each look such that of all paths a share `level` / looks passes it there for the first time. The first is
 * Student's quantile; the others are told from the paths that have passed none before.
 */
export function boundsFrom(statistics: readonly Float64Array[], level: number): number[] {
  const paths = statistics[0]!.length, share = level / LOOKS.length;
  let left = Uint32Array.from({ length: paths }, (_, path) => path);
  return statistics.map((values, look) => {
    const sorted = Float64Array.from(left, (path) => values[path]!).sort();
    const bound = look === 0
      ? studentQuantile(1 - share / 2, LOOKS[0]! - 1)
      : sorted[sorted.length - Math.round(share * paths)]!;
    left = left.filter((path) => values[path]! <= bound);
    return bound;
  });
}

if (import.meta.main) {
  const statistics = drawStatistics(Number(Deno.args[0] ?? 4_000_000), 1);
  const rows = PARTS.map((parts) =>
    `  [${parts}, [${boundsFrom(statistics, 0.1 / parts).map((bound) => bound.toFixed(3)).join(", ")}]],`
  );
  console.log(`/** @file The bounds of sequential.ts, made by make_bounds.ts: not to be written by hand. */

/** Bounds by look, by what a level of 10 % over all looks is divided by. */
export const BOUNDS: ReadonlyMap<number, readonly number[]> = new Map([
${rows.join("\n")}
]);`);
}
