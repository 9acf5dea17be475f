/** @file Which texts are written or read together. */

/** Most texts that are continued or followed together. */
const TEXTS = 64;

/** Most tokens of texts together, each as long as the longest may get: of Llama-2-7B their keys and values are 8 GiB. */
const TOKENS = 8192;

/** One after the other in groups of at most `TEXTS` and, each counted as the longest of its group, `TOKENS`; one at least. */
export function* inGroups<T>(all: readonly T[], tokensOf: (one: T) => number): Generator<readonly T[]> {
  let first = 0, longest = 0;
  for (const [i, one] of all.entries()) {
    const most = Math.max(longest, tokensOf(one)), count = i - first;
    if (count === TEXTS || (count > 0 && most * (count + 1) > TOKENS)) {
      yield all.slice(first, i);
      first = i;
      longest = tokensOf(one);
    } else longest = most;
  }
  if (first < all.length) yield all.slice(first);
}
