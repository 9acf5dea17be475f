/** @file Many comparisons of a question, by their verdicts: as lines that tell of all, and as few words. */
import { formatDifference, formatInterval } from "../report/format.ts";
import type { Settled } from "../statistics/sequential.ts";
import type { Cell, Comparison, Question } from "./question.ts";
import type { Judged, Standing } from "./standing.ts";

/** The comparisons that came to one verdict; at least one. */
export interface Group {
  /** "Better than LoRA", "worse", "Undecided". */
  readonly words: string;
  /** Whether names go on where the words end: "LoRA-Pro is better than". */
  readonly leads: boolean;
  readonly items: readonly Item[];
}

/** A comparison by the method that is not in all of them. */
interface Item {
  /** "DoRA", with its place where there are several. */
  readonly name: string;
  /** "+0.036 (0.003 to 0.069)". */
  readonly told: string;
  readonly difference: number;
}

/** Comparisons by verdict. */
export interface Groups {
  /** The method that is in all comparisons. */
  readonly subject: string;
  readonly better: Group | null;
  readonly worse: Group | null;
  /** What is decided, the better ones first. */
  readonly decided: readonly Group[];
  readonly undecided: Group | null;
  /** Where two methods meet in several places: the other one, and by verdict in how many. Null elsewhere. */
  readonly places:
    | { readonly against: string; readonly counts: readonly (readonly [string, number])[] }
    | null;
}

/** Most methods that a few words name; of more they say how many there are. */
const MOST_NAMED = 3;

/** @param where a comparison's place, as it stands behind a name; empty where there is one */
export function groupsOf(
  judged: readonly Judged[],
  { margin }: Pick<Question, "margin">,
  where: (cell: Cell) => string,
): Groups {
  const { comparison: first } = judged[0]!;
  const isOne = judged.every(({ comparison }) => comparison.of.name === first.of.name);
  const [subject, other] = isOne
    ? [first.of.title, ({ against }: Comparison) => against.title]
    : [first.against.title, ({ of }: Comparison) => of.title];
  const by = Map.groupBy(judged, ({ standing }) => standing.score.verdict);
  const has = (...verdicts: readonly Settled["verdict"][]) => verdicts.some((verdict) => by.has(verdict));
  const group = (
    verdict: Settled["verdict"],
    { words, leads = false }: Pick<Group, "words"> & Partial<Group>,
    tell: (standing: Standing) => string = ({ score }) => formatSettled(score),
  ): Group | null => {
    const items = by.get(verdict)?.map(({ cell, comparison, standing }) => ({
      name: `${other(comparison)}${where(cell)}`,
      told: tell(standing),
      difference: standing.score.difference,
    }));
    return items ? { words, leads, items } : null;
  };
  // Whichever comes first says what all are compared with.
  const opening = (one: string, all: string) =>
    isOne ? { words: `${subject} is ${one}`, leads: true } : { words: all };
  const better = group("better", opening("better than", `Better than ${subject}`));
  const worse = group(
    "worse",
    has("better")
      ? isOne ? { words: "worse than", leads: true } : { words: "worse" }
      : opening("worse than", `Worse than ${subject}`),
  );
  const same = group(
    "same",
    has("better", "worse")
      ? { words: `the same within ${margin}` }
      : opening(`the same within ${margin} as`, `The same as ${subject} within ${margin}`),
  );
  const identical = group(
    "identical",
    has("better", "worse", "same")
      ? { words: "identical" }
      : opening("identical with", `Identical with ${subject}`),
    ({ score }) => `${score.pairs} pairs`,
  );
  const isPair = isOne && judged.every(({ comparison }) => comparison.against.name === first.against.name);
  const verdicts = [["better"], ["worse"], ["same", `the same within ${margin}`], ["identical"], [
    "undecided",
  ]] as const;
  return {
    subject,
    places: isPair
      ? {
        against: first.against.title,
        counts: verdicts.flatMap(([verdict, words = verdict]) => {
          const count = by.get(verdict)?.length ?? 0;
          return count > 0 ? [[words, count] as const] : [];
        }),
      }
      : null,
    better,
    worse,
    decided: [better, worse, same, identical].filter((one) => one !== null),
    undecided: group(
      "undecided",
      { words: "Undecided" },
      ({ score, more }) => `${formatSettled(score)}, ${moreWords(more)}`,
    ),
  };
}

/** A line of what is decided and one of what is not: "Better than LoRA: DoRA (…), …; worse: …". */
export function linesOf({ decided, undecided }: Groups): string[] {
  const lines = [decided, undecided ? [undecided] : []].filter((groups) => groups.length > 0);
  return lines.map((groups) =>
    groups.map(({ words, items }) =>
      `${words}: ${items.map(({ name, told }) => `${name} (${told})`).join(", ")}`
    ).join("; ")
  );
}

/**
 * "12 of 14 methods are better than LoRA, 2 worse"; of a few, their names; of two methods in several places "LoRA-Pro against
 * LoRA: worse in 1 of 4, undecided in 3".
 */
export function countsOf({ subject, decided, undecided, places }: Groups): string {
  const groups = undecided ? [...decided, undecided] : decided;
  const total = groups.reduce((sum, { items }) => sum + items.length, 0);
  if (decided.length === 0) return `None of ${total} comparisons is decided yet`;
  if (places) {
    const told = places.counts.map(([words, count], i) =>
      `${words} in ${count}${i === 0 ? ` of ${total}` : ""}`
    );
    return `${subject} against ${places.against}: ${told.join(", ")}`;
  }
  return groups.map(({ words, leads, items }, i) => {
    const count = `${items.length}${i === 0 ? ` of ${total} methods` : ""}`;
    const names = items.map(({ name }) => name), before = names.slice(0, -1).join(", ");
    const all = total > MOST_NAMED ? count : before ? `${before} and ${names.at(-1)}` : names[0]!;
    if (leads) return `${words} ${all}`;
    const verdict = words[0]!.toLowerCase() + words.slice(1);
    return i > 0 ? `${all} ${verdict}` : `${all} ${items.length === 1 ? "is" : "are"} ${verdict}`;
  }).join(", ");
}

/**
 * "Furthest above LoRA: LoRA-GA (…); furthest below: AltLoRA (…)": the ends of what is decided, where more are better or
 * worse than a few words can name; null elsewhere.
 */
export function furthestOf({ subject, better, worse }: Groups): string | null {
  if (better?.leads || worse?.leads) return null;
  const [above, below] = [better, worse].map((group) =>
    (group?.items ?? []).toSorted((a, b) => Math.abs(b.difference) - Math.abs(a.difference))
  ) as [Item[], Item[]];
  if (above.length + below.length <= MOST_NAMED) return null;
  const [highest] = above, [lowest] = below;
  return [
    ...highest ? [`Furthest above ${subject}: ${highest.name} (${highest.told})`] : [],
    ...lowest ? [`furthest below${highest ? "" : ` ${subject}`}: ${lowest.name} (${lowest.told})`] : [],
  ].join("; ");
}

/** "+0.021 (−0.030 to 0.072)"; "unknown" before the first pair. */
export function formatSettled({ difference, interval, pairs }: Settled): string {
  if (pairs === 0) return "unknown";
  return interval
    ? `${formatDifference(difference)} (${formatInterval(interval)})`
    : formatDifference(difference);
}

function moreWords(more: number | null): string {
  return more === null ? "no planned look is likely to decide it" : `about ${more} more pairs`;
}
