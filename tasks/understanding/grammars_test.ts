import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { ACCEPTABILITY, drawSentence } from "./acceptability.ts";
import { ANSWERING, drawAnswer } from "./answering.ts";
import { createChoices } from "./choices.ts";
import { BASE_LEXICON, formsOf, type Lexicon, NEW_LEXICON, past, plural, present } from "./lexicon.ts";
import { drawPair, PARAPHRASE } from "./paraphrase.ts";
import { drawReading } from "./reading.ts";
import { SENTIMENT } from "./sentiment.ts";
import { distinctPairs, type Grammar } from "./text_to_text.ts";
import { withGaps } from "./gaps.ts";
import { GRAMMARS } from "./grammars.ts";
import { encodeWords, SPECIAL, splitWords } from "./words.ts";

const pairsOf = (grammar: Grammar<Lexicon>, lexicon = NEW_LEXICON, count = 600) =>
  distinctPairs(createRandom(5).fork(grammar.id), grammar, lexicon).take(count).toArray();

Deno.test("The lexicons share no form of a word, and neither has one twice but for verbs in two senses", () => {
  const base = formsOf(BASE_LEXICON), task = formsOf(NEW_LEXICON);
  assertEquals(new Set(base).intersection(new Set(task)).size, 0);
  for (const forms of [base, task]) {
    assertEquals(forms.filter((form, i) => forms.indexOf(form) !== i), []);
  }
});

Deno.test("Forms of nouns and verbs are English", () => {
  assertEquals(["farmer", "dagger"].map(plural), ["farmers", "daggers"]);
  assertEquals(["push", "chase", "watch", "touch", "pass", "fix", "help"].map(present), [
    ...["pushes", "chases", "watches", "touches", "passes", "fixes", "helps"],
  ]);
  assertEquals(["chase", "push", "yawn"].map(past), ["chased", "pushed", "yawned"]);
});

for (const grammar of GRAMMARS) {
  Deno.test(`${grammar.id}: prompts fit, have no unknown word and nothing of the other lexicon; labels take turns`, () => {
    for (const [lexicon, other] of [[NEW_LEXICON, BASE_LEXICON], [BASE_LEXICON, NEW_LEXICON]] as const) {
      const strange = new Set(formsOf(other));
      for (const [i, { prompt, answer }] of pairsOf(grammar, lexicon).entries()) {
        const tokens = encodeWords(prompt);
        assertLess(tokens.length, grammar.inputSize, prompt);
        assert(tokens.every((token) => token >= SPECIAL.length), prompt);
        assert(splitWords(prompt).every((word) => !strange.has(word)), prompt);
        assertEquals(answer, grammar.labels[i % grammar.labels.length]);
      }
    }
  });

  Deno.test(`${grammar.id}: no single word of a prompt tells the label`, () => {
    const pairs = pairsOf(grammar, NEW_LEXICON, 3000), { labels } = grammar;
    const counts = new Map<string, number[]>();
    for (const { prompt, answer } of pairs) {
      for (const word of new Set(splitWords(prompt))) {
        const count = counts.get(word) ?? counts.set(word, labels.map(() => 0)).get(word)!;
        count[labels.indexOf(answer)]! += 1;
      }
    }
    for (const [word, count] of counts) {
      const total = count.reduce((sum, one) => sum + one, 0);
      if (total < 100) continue;
      // What did not happen answers no question about what did.
      if (grammar === ANSWERING && word === "not") continue;
      assertLess(Math.max(...count) / total, labels.length === 3 ? 0.75 : 0.7, `${word}: ${count}`);
    }
  });
}

Deno.test("acceptability: a sentence and its faulty twin differ, in one or two words or their order", () => {
  for (
    const about of [
      "agreement",
      "determiner",
      "object",
      "reflexive",
      "verb form",
      "order",
      "shuffle",
    ] as const
  ) {
    for (let i = 0; i < 100; i++) {
      const [good, bad] = [false, true].map((faulty) =>
        drawSentence(createChoices(createRandom(i)), NEW_LEXICON, about, faulty).split(" ")
      );
      assert(good!.join(" ") !== bad!.join(" "), good!.join(" "));
      const extra = bad!.filter((word) => !good!.includes(word)),
        missing = good!.filter((word) => !bad!.includes(word));
      assertLess(Math.max(extra.length, missing.length), 3, `${good!.join(" ")} / ${bad!.join(" ")}`);
      if (about === "order" || about === "shuffle") assertEquals(good!.toSorted(), bad!.toSorted());
    }
  }
});

Deno.test("sentiment: what a reader with a list of opinions says is the label", () => {
  const praise = new Set(NEW_LEXICON.opinions.map(([word]) => word));
  const blame = new Set(NEW_LEXICON.opinions.map(([, word]) => word));
  const sideOf = (clause: string) => {
    const words = clause.split(" ");
    const positive = words.some((word) => praise.has(word));
    assert(positive !== words.some((word) => blame.has(word)), clause);
    return positive !== /\b(not|never|nobody)\b/.test(clause);
  };
  const kinds = { single: 0, but: 0, though: 0 };
  for (const { prompt, answer } of pairsOf(SENTIMENT)) {
    const text = prompt.replace("sst2 sentence: ", "");
    const [kind, main] = text.includes(" but ")
      ? ["but", text.split(" but ")[1]!] as const
      : text.startsWith("although")
      ? ["though", text.split(" , ")[1]!] as const
      : text.includes("though ")
      ? ["though", text.split(/ (?:even )?though /)[0]!] as const
      : ["single", text] as const;
    kinds[kind] += 1;
    assertEquals(answer, sideOf(main) ? "positive" : "negative", prompt);
  }
  for (const [kind, count] of Object.entries(kinds)) assertGreater(count, 30, kind);
});

/** What a clause says, whatever its wording. */
function meaningOf(text: string): string {
  const { people, kinds, actions, places, times, adjectives } = NEW_LEXICON;
  const words = text.split(" "), nouns = [...people, ...Object.values(kinds).flat()];
  const phrases = words.flatMap((word, i) =>
    nouns.includes(word) ? [adjectives.includes(words[i - 1]!) ? `${words[i - 1]} ${word}` : word] : []
  );
  if (words.includes("by")) phrases.reverse();
  const action = actions.findIndex((pair) =>
    pair.some((verb) => words.includes(verb) || words.includes(past(verb)))
  );
  return JSON.stringify({
    phrases,
    action,
    negated: words.includes("not"),
    place: words.find((word) => places.includes(word)),
    time: words.find((word) => times.includes(word)),
  });
}

Deno.test("paraphrase: sentences are equivalent where they mean the same, and never the same to the letter", () => {
  for (const { prompt, answer } of pairsOf(PARAPHRASE)) {
    const [, first, second] = prompt.match(/^mrpc sentence1: (.*) sentence2: (.*)$/)!;
    assert(first !== second, prompt);
    assertEquals(answer === "equivalent", meaningOf(first!) === meaningOf(second!), prompt);
  }
});

/** What is told by each word that begins a difference: the words in the first sentence and in the second. */
function sidesOf(difference: string): Record<string, string[]> {
  const told: Record<string, string[]> = {};
  let kind = "";
  for (const word of splitWords(difference)) {
    if (["who", "what", "did", "where", "when", "not"].includes(word)) told[kind = word] = [];
    else told[kind]!.push(word);
  }
  return told;
}

Deno.test("Differences name what is in the first sentence and in the second, and are empty where there are none", () => {
  const found = new Map<string, number>();
  for (let i = 0; i < 600; i++) {
    const choices = createChoices(createRandom(i)), same = i % 3 === 0;
    const { first, second, difference } = drawPair(choices, BASE_LEXICON, same);
    assertEquals(difference === "", same);
    const told = sidesOf(difference), kinds = Object.keys(told);
    assert(same || kinds.length === 1 || kinds.length === 2, difference);
    const [one, other] = [first, second].map(splitWords) as [string[], string[]];
    for (const [kind, sides] of Object.entries(told)) {
      found.set(kind, (found.get(kind) ?? 0) + 1);
      if (kind === "not") assert(one.includes("not") !== other.includes("not"), `${first} / ${second}`);
      else if (kind === "did") {
        const [verb] = BASE_LEXICON.actions.flat().filter((verb) => past(verb) === sides[0]);
        assert(other.includes(verb!) || other.includes(past(verb!)), `${difference}: ${second}`);
      } else {
        assert(one.includes(sides[0]!) && other.includes(sides[1]!), `${difference}: ${first} / ${second}`);
      }
    }
  }
  for (const kind of ["who", "what", "did", "where", "when", "not"]) {
    assertGreater(found.get(kind) ?? 0, 30, kind);
  }
});

Deno.test("What a sentence lacks of an answer is told, and nothing where it answers", () => {
  for (let i = 0; i < 600; i++) {
    const answers = i % 3 === 0;
    const { question, sentence, lack } = drawAnswer(createChoices(createRandom(i)), BASE_LEXICON, answers);
    assertEquals(lack === "", answers);
    if (lack === "where" || lack === "when") {
      assertEquals(question.split(" ")[0], lack);
      continue;
    }
    const words = splitWords(sentence);
    for (const [kind, sides] of Object.entries(sidesOf(lack))) {
      if (kind === "not") assert(words.includes("not"), sentence);
      else if (kind === "did") assert(words.includes(sides[0]!), `${lack}: ${sentence}`);
      else assert(words.includes(sides[1]!), `${lack}: ${sentence}`);
    }
  }
});

Deno.test("Readings fit, and are told in words of the list", () => {
  for (let i = 0; i < 600; i++) {
    const { prompt, answer } = drawReading(createRandom(i), BASE_LEXICON);
    const [read, written] = [prompt, answer].map(encodeWords) as [Int32Array, Int32Array];
    assertLess(read.length, 40, prompt);
    assertLess(written.length, 12, answer);
    assertGreater(written.length, 0, prompt);
    assert([...read, ...written].every((token) => token >= SPECIAL.length), `${prompt} / ${answer}`);
  }
});

Deno.test("answering: a sentence answers where it has what is asked for and says the rest of the question", () => {
  for (const { prompt, answer } of pairsOf(ANSWERING)) {
    const [, word, question, sentence] = prompt.match(/^qnli question: (\w+) (.*) \? sentence: (.*)$/)!;
    const asked = JSON.parse(meaningOf(question!)), told = JSON.parse(meaningOf(sentence!));
    const [doer, other] = told.phrases as [string, string];
    // "did the nurse push" has one phrase, the doer; "pushed the nurse" has the other.
    const phrases = (word === "where" || word === "when")
      ? asked.phrases.join() === told.phrases.join()
      : asked.phrases[0] === (question!.startsWith("did") ? doer : other);
    const answers = phrases && asked.action === told.action && !told.negated &&
      (word !== "where" || told.place !== undefined) && (word !== "when" || told.time !== undefined);
    assertEquals(answer === "entailment", answers, prompt);
  }
});

Deno.test("withGaps() leaves out what it asks for: filling the gaps gives the text back", () => {
  for (let i = 0; i < 300; i++) {
    const words = Array.from({ length: 1 + i % 24 }, (_, word) => `w${word}`);
    const { prompt, answer } = withGaps(createChoices(createRandom(i)), words.join(" "));
    const parts = answer.split(/<gap-\d> ?/).slice(1, -1).map((part) => part.trim());
    let gap = 0;
    const filled = prompt.replaceAll(/<gap-\d>/g, () => parts[gap++]!);
    assertEquals(filled, words.join(" "));
    assertEquals(gap, parts.length);
    assertLess(answer.split(" ").length, 10, answer);
  }
});

Deno.test(`${ACCEPTABILITY.id}: the i-th pair is the same for every count`, () => {
  const random = createRandom(3);
  assertEquals(
    distinctPairs(random, ACCEPTABILITY, NEW_LEXICON).take(10).toArray(),
    distinctPairs(random, ACCEPTABILITY, NEW_LEXICON).take(40).toArray().slice(0, 10),
  );
});

Deno.test("Without verbs, a pair has one verb on both sides: nothing shows what it means", () => {
  const verbs = NEW_LEXICON.actions.flat();
  const verbOf = (text: string) => {
    const words = splitWords(text),
      found = verbs.filter((verb) => words.includes(verb) || words.includes(past(verb)));
    assertEquals(found.length, 1, text);
    return found[0];
  };
  for (let i = 0; i < 300; i++) {
    const same = i % 2 === 0;
    const { first, second, difference } = drawPair(createChoices(createRandom(i)), NEW_LEXICON, same, false);
    assertEquals(verbOf(first), verbOf(second));
    assert(!sidesOf(difference)["did"]);
    assertEquals(difference === "", same);
  }
});
