/** @file Three-way inference, as MNLI asks for it: does a sentence follow, contradict or neither? */
import type { Choices } from "./choices.ts";
import { synonymOf, thingsOf } from "./clause.ts";
import { type Lexicon, NEW_LEXICON, past } from "./lexicon.ts";
import type { Task } from "../task.ts";
import { type Grammar, grammarTask, SHIPPED } from "./text_to_text.ts";

/** "every proud nurse lifted a sword in the valley lately". */
interface Statement {
  readonly quantifier: "the" | "some" | "every" | "no";
  readonly adjective: string | null;
  readonly person: string;
  /** "did not", after "the" and "some" alone. */
  readonly denied: boolean;
  readonly verb: string;
  /** A thing or a kind of thing. */
  readonly object: string;
  readonly place: string | null;
  readonly time: string | null;
}

/** Parts of a statement that can be said in general or in particular. */
const PARTS = ["adjective", "object", "place", "time"] as const;
type Part = typeof PARTS[number];

/**
 * A premise and a hypothesis made from it by rules of natural logic.
 *
 * More general parts follow from particular ones, but the other way round after "no" and "did not", and before the verb
 * after "every". What follows is entailed; what contradicts something entailed is a contradiction; what says more than
 * the premise, or is about another thing, is neutral, and so is its negation.
 */
export const INFERENCE: Grammar<Lexicon> = {
  id: "inference",
  title: "Three-way inference",
  labels: ["entailment", "neutral", "contradiction"],
  inputSize: 40,
  draw(choices, lexicon, label) {
    const { of, chance } = choices;
    const premise = drawStatement(choices, lexicon);
    const hypotheses: (() => Statement | null)[] = [
      () => move(premise, chance(0.4) ? ["weaker", "weaker"] : ["weaker"]),
      () => {
        const other = chance(0.3)
          ? { ...premise, object: drawOther(premise) }
          : move(premise, chance(0.3) ? ["weaker", "stronger"] : ["stronger"]);
        // There and back again.
        if (!other || tell(other) === tell(premise)) return null;
        return chance(0.4) ? deny(other) : other;
      },
      () => {
        const entailed = move(premise, chance(0.6) ? ["weaker"] : []);
        return entailed && deny(entailed);
      },
    ];
    const hypothesis = hypotheses[label]!();
    // Nothing of the premise can be moved that way.
    if (!hypothesis) return INFERENCE.draw(choices, lexicon, label);
    const reworded = chance(0.3) ? { ...hypothesis, verb: synonymOf(premise.verb, lexicon) } : hypothesis;
    return `mnli hypothesis: ${tell(reworded)} premise: ${tell(premise)}`;

    /** Step by step to what follows from a statement, or what it follows from; null where there is no such thing. */
    function move(statement: Statement, steps: readonly ("weaker" | "stronger")[]): Statement | null {
      let now = statement;
      for (const to of steps) {
        const moves = PARTS.flatMap((part) => {
          const general = isUpward(now, part) === (to === "weaker");
          return (general ? generalise(now, part, lexicon) : specialise(now, part)) ?? [];
        });
        if (moves.length === 0) return null;
        now = of(moves);
      }
      return now;
    }

    function specialise(statement: Statement, part: Part): Statement | null {
      const { quantifier, adjective, object, place, time } = statement;
      switch (part) {
        case "adjective":
          // "the nurse" is one nurse: whether she is proud decides whether more is said of her, or of nobody.
          return adjective || quantifier === "the"
            ? null
            : { ...statement, adjective: of(lexicon.adjectives) };
        case "object": {
          const things = lexicon.kinds[object];
          return things ? { ...statement, object: of(things) } : null;
        }
        case "place":
          return place ? null : { ...statement, place: of(lexicon.places) };
        case "time":
          return time ? null : { ...statement, time: of(lexicon.times) };
      }
    }

    /** A thing of another kind than the statement's. */
    function drawOther({ object }: Statement): string {
      const related = Object.entries(lexicon.kinds).find(([kind, things]) =>
        kind === object || things.includes(object)
      )!;
      return choices.except(thingsOf(lexicon), related[1]);
    }
  },
};

function drawStatement({ of, chance }: Choices, lexicon: Lexicon): Statement {
  const quantifier = of<Statement["quantifier"]>(["the", "some", "every", "no"]);
  const place = chance(0.5) ? of(lexicon.places) : null;
  return {
    quantifier,
    adjective: chance(0.5) ? of(lexicon.adjectives) : null,
    person: of(lexicon.people),
    denied: (quantifier === "the" || quantifier === "some") && chance(0.25),
    verb: of(lexicon.actions.flat()),
    object: chance(0.5) ? of(thingsOf(lexicon)) : of(Object.keys(lexicon.kinds)),
    place,
    time: place === null ? of(lexicon.times) : null,
  };
}

/** Whether a statement stays true where a part is said more generally. */
function isUpward({ quantifier, denied }: Statement, part: Part): boolean {
  if (part === "adjective") return quantifier === "the" || quantifier === "some";
  return quantifier !== "no" && !denied;
}

function generalise(statement: Statement, part: Part, { kinds }: Lexicon): Statement | null {
  if (part !== "object") return statement[part] === null ? null : { ...statement, [part]: null };
  const kind = Object.entries(kinds).find(([, things]) => things.includes(statement.object))?.[0];
  return kind ? { ...statement, object: kind } : null;
}

/** What is true exactly where the statement is not. */
function deny(statement: Statement): Statement {
  const { quantifier, denied } = statement;
  switch (quantifier) {
    case "the":
      return { ...statement, denied: !denied };
    case "some":
      return denied
        ? { ...statement, quantifier: "every", denied: false }
        : { ...statement, quantifier: "no" };
    case "no":
      return { ...statement, quantifier: "some" };
    case "every":
      return { ...statement, quantifier: "some", denied: true };
  }
}

function tell({ quantifier, adjective, person, denied, verb, object, place, time }: Statement): string {
  return [
    ...[quantifier, adjective, person, denied ? `did not ${verb}` : past(verb), "a", object],
    ...[place && `in the ${place}`, time],
  ].filter(Boolean).join(" ");
}

/**
 * Inference in new words: three new kinds of thing, four pairs of verbs.
 *
 * Settings were chosen on full fine-tuning and LoRA alone: see docs/results.md.
 */
export const inference: Task = grammarTask(INFERENCE, NEW_LEXICON, {
  shipped: { ...SHIPPED, steps: 150 },
  dataSets: ["mnli"],
});
