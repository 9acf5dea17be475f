/** @file The words of generated sentences: one lexicon for pre-training, another to be learned by fine-tuning. */

/** Content words by what they do in a sentence. Nouns and verbs are regular and given by their stems. */
export interface Lexicon {
  /** Who acts. */
  readonly people: readonly string[];
  /** What is acted on, by what it is a kind of. */
  readonly kinds: Readonly<Record<string, readonly string[]>>;
  /** Verbs that need an object, in pairs of the same meaning. */
  readonly actions: readonly (readonly [string, string])[];
  /** Verbs that take none. */
  readonly pastimes: readonly string[];
  /** What people and things may be. */
  readonly adjectives: readonly string[];
  /** Where something happens. */
  readonly places: readonly string[];
  /** When it happened. */
  readonly times: readonly string[];
  /** What reviews are about. */
  readonly topics: readonly string[];
  /** What they say of it, in pairs of praise and blame. */
  readonly opinions: readonly (readonly [praise: string, blame: string])[];
}

const words = (text: string): string[] => text.split(" ");
const pairs = (text: string) => words(text).map((pair) => pair.split("/") as unknown as [string, string]);

/** What the base checkpoint is taught the tasks with. */
export const BASE_LEXICON: Lexicon = {
  people: words("farmer doctor teacher singer"),
  kinds: {
    creature: words("dog cat horse"),
    vehicle: words("truck wagon ship"),
    tool: words("hammer ladder shovel"),
  },
  actions: pairs("chase/pursue help/assist watch/observe remove/extract"),
  pastimes: words("laugh smile arrive wait"),
  adjectives: words("tall young rich quiet"),
  places: words("garden kitchen street forest"),
  times: words("yesterday today recently earlier"),
  topics: words("movie plot acting music"),
  opinions: pairs(
    "good/bad great/terrible superb/awful lovely/horrible funny/boring clever/stupid fresh/stale charming/annoying",
  ),
};

/** What fine-tuning teaches. Of these words the base checkpoint has only seen sentences that say nothing of their meaning. */
export const NEW_LEXICON: Lexicon = {
  people: words("pilot sailor nurse hunter"),
  kinds: {
    bird: words("sparrow parrot duck"),
    weapon: words("sword rifle spear"),
    fruit: words("lemon melon banana"),
  },
  actions: pairs("push/shove lift/raise protect/defend greet/welcome"),
  pastimes: words("giggle yawn snore sneeze"),
  adjectives: words("thin brave wild smooth"),
  places: words("valley harbor library tunnel"),
  times: words("lately formerly afterwards overnight"),
  topics: words("novel chapter dialogue style"),
  opinions: pairs(
    "brilliant/dreadful delightful/dull gripping/tedious elegant/crude moving/shallow vivid/bland witty/silly graceful/lousy",
  ),
};

/** All content words of a lexicon in the forms that sentences have them in. */
export function formsOf(lexicon: Lexicon): string[] {
  const nouns = [...lexicon.people, ...Object.keys(lexicon.kinds), ...Object.values(lexicon.kinds).flat()];
  const verbs = [...lexicon.actions.flat(), ...lexicon.pastimes];
  return [
    ...nouns.flatMap((noun) => [noun, plural(noun)]),
    ...verbs.flatMap((verb) => [verb, present(verb), past(verb)]),
    ...lexicon.adjectives,
    ...[...lexicon.places, ...lexicon.times, ...lexicon.topics],
    ...lexicon.opinions.flat(),
  ];
}

/** More than one of it. */
export function plural(noun: string): string {
  return `${noun}s`;
}

/** A verb's third person singular. */
export function present(verb: string): string {
  return /(ch|sh|s|x)$/.test(verb) ? `${verb}es` : `${verb}s`;
}

/** A verb's past, which is its participle too. */
export function past(verb: string): string {
  return verb.endsWith("e") ? `${verb}d` : `${verb}ed`;
}
