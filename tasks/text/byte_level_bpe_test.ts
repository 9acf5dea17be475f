import { assert, assertEquals, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import { createByteLevelBpe, parseTokenizerJson, tokenizerJson } from "./byte_level_bpe.ts";
import { createTokenizer } from "./hugging_face_tokenizer.ts";
import { trainByteLevelBpe } from "./train_byte_level_bpe.ts";

const TEXTS = [
  "The cat sat on the mat; the other cats sat on that mat too. It's 1,000 or 10000?",
  "Die Äpfel fallen weit vom Stamm, naïve cafés — 東京 東京 🙂🙂",
  "aaaa aaaaa aaaaaaa banana bananas  \n\n\n  indented\tcode(x) == code(y)",
];

const trained = () => trainByteLevelBpe([...TEXTS, ...TEXTS], 340);

/** Any code points, often those that merges are about, and halves of pairs. */
const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.string({ unit: fc.constantFrom(..."a ab at ca the \n 0'ÄÖ東🙂\uFEFF\u0000\u00AD"), maxLength: 60 }),
  fc.string({
    unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)),
    maxLength: 20,
  }),
);

Deno.test("byte-level BPE gives any text back; what is no Unicode as the replacement character", () => {
  for (const tokenizer of [createByteLevelBpe([]), trained()]) {
    fc.assert(fc.property(anyText, (text) => {
      const tokens = tokenizer.encode(text);
      assert(tokens.every((token) => token >= 2 && token < tokenizer.vocabularySize));
      assertEquals(tokenizer.decode(tokens), text.toWellFormed());
    }));
  }
});

Deno.test("byte-level BPE gives the tokens that @huggingface/tokenizers reads from its tokenizer.json, and its texts", async () => {
  for (const tokenizer of [createByteLevelBpe([]), trained()]) {
    const json = JSON.parse(JSON.stringify(tokenizerJson(tokenizer)));
    const theirs = await createTokenizer(json, {}, "ours", { stop: "<|stop|>", pad: "<|pad|>" });
    assertEquals([theirs.vocabularySize, theirs.stop, theirs.pad], [tokenizer.vocabularySize, 1, 0]);
    const any = fc.array(fc.integer({ min: 0, max: tokenizer.vocabularySize - 1 }), { maxLength: 12 });
    fc.assert(fc.property(anyText, any, (text, tokens) => {
      assertEquals(theirs.encode(text), tokenizer.encode(text));
      // Tokens in any order: characters cut short, special ones between.
      assertEquals(theirs.decode(tokens), tokenizer.decode(tokens));
    }));
  }
});

Deno.test("byte-level BPE: text that spells a special token is text", () => {
  const tokenizer = trained();
  const tokens = tokenizer.encode("x<|stop|>");
  assert(!tokens.includes(tokenizer.stop));
  assertEquals(tokenizer.decode(tokens), "x<|stop|>");
  assertEquals(tokenizer.decode([tokenizer.stop, tokenizer.pad]), "<|stop|><|pad|>");
  assertThrows(() => tokenizer.decode([340]), RangeError, "Cannot decode token 340: tokens are 0 to 339");
  assertThrows(() => tokenizer.decode([-1]), RangeError, "token -1");
});

Deno.test("trainByteLevelBpe() merges the most frequent pair first, ties by smaller tokens, as worked out by hand", () => {
  // Sennrich et al.'s example: l o w ×5, l o w e r ×2, n e w e s t ×6, w i d e s t ×3; a space goes with its word.
  const words = [["low", 5], ["lower", 2], ["newest", 6], ["widest", 3]] as const;
  const texts = words.flatMap(([word, count]) => Array<string>(count).fill(word));
  const { merges } = trainByteLevelBpe(texts, 258 + 6);
  const token = (character: string) => 2 + character.charCodeAt(0);
  assertEquals(merges, [
    [token("e"), token("s")], // 9, before s t of 9
    [258, token("t")], // est, 9
    [token("l"), token("o")], // 7
    [260, token("w")], // low, 7
    [token("e"), token("w")], // 6, before n e and w est of 6
    [token("n"), 262], // new, 6
  ]);
});

Deno.test("trainByteLevelBpe() depends on no order of texts, makes every token once, and its merges shorten texts", () => {
  const one = trained(), other = trainByteLevelBpe([...TEXTS, ...TEXTS].reverse(), 340);
  assertEquals(one.merges, other.merges);
  assertEquals(one.vocabularySize, 340);
  assertEquals(Object.keys(tokenizerJson(one).model.vocab).length, 340);
  for (const text of TEXTS) {
    assert(one.encode(text).length < 0.7 * new TextEncoder().encode(text).length, text);
  }
  // More tokens begin with the fewer.
  assertEquals(trainByteLevelBpe([...TEXTS, ...TEXTS], 300).merges, one.merges.slice(0, 42));
});

Deno.test("trainByteLevelBpe() agrees with counting everything anew at each step", () => {
  const texts = fc.array(fc.string({ unit: fc.constantFrom(..."aab c"), maxLength: 12 }), { maxLength: 8 });
  fc.assert(fc.property(texts, (some) => {
    const all = some.join("\n").match(
      /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu,
    );
    let words = (all ?? []).map((word) => [...word]);
    const known = new Set<string>();
    const expected: string[] = [];
    const order: string[] = [];
    for (;;) {
      const counts = new Map<string, number>();
      for (const word of words) {
        for (let i = 1; i < word.length; i++) {
          const key = JSON.stringify([word[i - 1], word[i]]);
          counts.set(key, (counts.get(key) ?? 0) + 1);
        }
      }
      const rankOf = (piece: string) =>
        piece.length === 1 ? piece.charCodeAt(0) : 1000 + order.indexOf(piece);
      const candidates = [...counts].filter(([key, count]) =>
        count >= 2 && !known.has(JSON.parse(key).join(""))
      );
      const [best] = candidates.toSorted(([a, m], [b, n]) => {
        const [x, y] = JSON.parse(a).map(rankOf), [u, v] = JSON.parse(b).map(rankOf);
        return n - m || x - u || y - v;
      });
      if (!best) break;
      const [left, right] = JSON.parse(best[0]);
      expected.push(`${left}|${right}`);
      known.add(left + right);
      order.push(left + right);
      words = words.map((word) => {
        const out: string[] = [];
        for (let i = 0; i < word.length; i++) {
          if (word[i] === left && word[i + 1] === right) out.push(left + word[++i]);
          else out.push(word[i]!);
        }
        return out;
      });
    }
    const joined = [some.join("\n")];
    const tokenizer = trainByteLevelBpe(joined, 258 + expected.length);
    assertEquals(
      tokenizer.merges.map((merge) => merge.map((token) => tokenizer.decode([token])).join("|")),
      expected,
    );
    assertThrows(
      () => trainByteLevelBpe(joined, 259 + expected.length),
      RangeError,
      `the texts give ${258 + expected.length}`,
    );
  }));
});

Deno.test("trainByteLevelBpe() and createByteLevelBpe() refuse impossible sizes and merges by name", () => {
  assertThrows(() => trainByteLevelBpe(["aa aa"], 257), RangeError, "a vocabulary of 257 tokens");
  assertThrows(() => trainByteLevelBpe([], 259), RangeError, "the texts give 258");
  assertEquals(trainByteLevelBpe([], 258).merges, []);
  assertThrows(
    () => createByteLevelBpe([[2, 258]]),
    RangeError,
    "Cannot make token 258 of 2 and 258: tokens 2 to 257",
  );
  assertThrows(() => createByteLevelBpe([[1, 5]]), RangeError, "tokens 2 to 257");
  const a = 2 + 97;
  assertThrows(() => createByteLevelBpe([[a, a], [a, a]]), RangeError, '"aa" is a token already');
  assertThrows(
    () => createByteLevelBpe([[a, a], [258, a], [a, 258]]),
    RangeError,
    '"aaa" is a token already',
  );
});

Deno.test("parseTokenizerJson() reads what tokenizerJson() wrote, and refuses other tokenizers", () => {
  const json = JSON.parse(JSON.stringify(tokenizerJson(trained())));
  assertEquals(parseTokenizerJson(json, "a.json").merges, trained().merges);
  const { vocab, merges } = json.model;
  for (
    const model of [
      { ...json.model, merges: [...merges, "q q"] },
      { ...json.model, merges: [...merges, "東 q"] },
      { ...json.model, vocab: { ...vocab, a: 7 } },
      { ...json.model, byte_fallback: true },
    ]
  ) {
    assertThrows(
      () => parseTokenizerJson({ ...json, model }, "a.json"),
      RangeError,
      "Cannot read a.json: it is not laid",
    );
  }
  assertThrows(
    () => parseTokenizerJson({ ...json, normalizer: { type: "NFC" } }, "a.json"),
    RangeError,
    "a.json",
  );
});

Deno.test("byte-level BPE takes long words without breaks", () => {
  const tokenizer = trained();
  for (const text of ["a".repeat(50_000), "banana".repeat(5_000), "🙂".repeat(5_000)]) {
    assertEquals(tokenizer.decode(tokenizer.encode(text)), text);
  }
});
