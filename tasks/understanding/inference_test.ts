import { assert, assertEquals } from "@std/assert";
import { createRandom, type Random } from "../../numerics/random.ts";
import { INFERENCE } from "./inference.ts";
import { NEW_LEXICON, past } from "./lexicon.ts";
import { distinctPairs } from "./text_to_text.ts";

const { people, kinds, actions, adjectives, places, times } = NEW_LEXICON;

/** A sentence as it stands. */
interface Sentence {
  readonly quantifier: string;
  readonly adjective: string | undefined;
  readonly person: string;
  readonly denied: boolean;
  /** The pair that the verb is in. */
  readonly action: number;
  /** What the object may be. */
  readonly things: readonly string[];
  readonly place: string | undefined;
  readonly time: string | undefined;
}

/** Who is what, and who did what to what, where and when. */
interface World {
  is(individual: number, adjective: string): boolean;
  did(individual: number, event: string): boolean;
}

function read(text: string): Sentence {
  const words = text.split(" "),
    among = (list: readonly string[]) => words.find((word) => list.includes(word));
  const object = words[words.indexOf("a") + 1]!;
  return {
    quantifier: words[0]!,
    adjective: among(adjectives),
    person: among(people)!,
    denied: text.includes(" did not "),
    action: actions.findIndex((pair) =>
      pair.some((verb) => words.includes(verb) || words.includes(past(verb)))
    ),
    things: kinds[object] ?? [object],
    place: among(places),
    time: among(times),
  };
}

/** How many of the persons there are: "the" one is the first. */
const INDIVIDUALS = 3;

/** Whether a sentence is true in a world whose places and times are those mentioned and one more each. */
function holds(
  sentence: Sentence,
  { is, did }: World,
  scene: { places: string[]; times: string[] },
): boolean {
  const { quantifier, adjective, denied, action, things, place, time } = sentence;
  const acted = (one: number) =>
    things.some((thing) =>
      (place ? [place] : scene.places).some((where) =>
        (time ? [time] : scene.times).some((when) => did(one, `${action} ${thing} ${where} ${when}`))
      )
    ) !== denied;
  const meant = Array.from({ length: INDIVIDUALS }, (_, one) => one)
    .filter((one) => adjective === undefined || is(one, adjective));
  switch (quantifier) {
    case "the":
      return meant.includes(0) && acted(0);
    case "some":
      return meant.some(acted);
    case "every":
      return meant.every(acted);
    case "no":
      return !meant.some(acted);
    default:
      throw new TypeError(quantifier);
  }
}

/** A world in which much or little happens, drawn as it is looked at. */
function drawWorld(random: Random): World {
  const [happens, described] = random.uniform(2, 0, 1) as unknown as [number, number];
  const known = new Map<string, boolean>();
  const draw = (fact: string, probability: number) => {
    const found = known.get(fact);
    if (found !== undefined) return found;
    const value = random.fork(fact).uniform(1, 0, 1)[0]! < probability;
    known.set(fact, value);
    return value;
  };
  return {
    is: (one, adjective) => draw(`${one} ${adjective}`, 0.3 + 0.6 * described),
    did: (one, event) => draw(`${one} ${event}`, happens ** 3),
  };
}

Deno.test("inference: in a thousand small worlds, labels are what the sentences mean", () => {
  const pairs = distinctPairs(createRandom(8), INFERENCE, NEW_LEXICON).take(150).toArray();
  for (const [i, { prompt, answer }] of pairs.entries()) {
    const [, second, first] = prompt.match(/^mnli hypothesis: (.*) premise: (.*)$/)!;
    const premise = read(first!), hypothesis = read(second!);
    assertEquals(premise.person, hypothesis.person);
    const mentioned = (
      a: string | undefined,
      b: string | undefined,
    ) => [...new Set([a, b].filter((one) => one !== undefined)), "elsewhere"];
    const scene = {
      places: mentioned(premise.place, hypothesis.place),
      times: mentioned(premise.time, hypothesis.time),
    };
    const seen = { both: 0, premiseAlone: 0 };
    const random = createRandom(1).fork(`worlds ${i}`);
    for (let world = 0; world < 1000 && !(answer === "neutral" && seen.both && seen.premiseAlone); world++) {
      const drawn = drawWorld(random.fork(`${world}`));
      if (!holds(premise, drawn, scene)) continue;
      seen[holds(hypothesis, drawn, scene) ? "both" : "premiseAlone"] += 1;
    }
    const found = seen.both && seen.premiseAlone ? "neutral" : seen.both ? "entailment" : "contradiction";
    assertEquals(found, answer, `${prompt}: ${JSON.stringify(seen)}`);
    assert(seen.both + seen.premiseAlone > 0, prompt);
  }
});
