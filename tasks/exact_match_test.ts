import { assertEquals } from "@std/assert";
import { exactMatch } from "./exact_match.ts";
import type { Predictor } from "./task.ts";
import { decode, encode, STOP } from "./tokenizer.ts";

const examples = [
  { prompt: "a:", answer: "12" },
  { prompt: "bb:", answer: "345" },
  { prompt: "c:", answer: "6" },
];

/** Says for each prompt what the script says, cut as the contract wants. */
function scripted(script: Readonly<Record<string, string>>): Predictor {
  return {
    classify: () => Promise.reject(new Error("Cannot classify text")),
    generate: (prompts, { maxTokens, stop }) =>
      Promise.resolve(prompts.map((prompt) => {
        const tokens = encode(script[decode(prompt)]!);
        const end = tokens.indexOf(stop);
        return tokens.subarray(0, Math.min(maxTokens, end < 0 ? tokens.length : end));
      })),
  };
}

Deno.test("exactMatch() gives 1 to right answers in the examples' order", async () => {
  const scores = await exactMatch(scripted({ "a:": "12\n", "bb:": "345\n9", "c:": "7\n" }), examples);
  assertEquals(scores, new Float32Array([1, 1, 0]));
});

Deno.test("exactMatch() gives 0 to answers too long, too short, padded or empty", async () => {
  const long = await exactMatch(scripted({ "a:": "123\n", "bb:": "3455", "c:": "6666666" }), examples);
  assertEquals(long, new Float32Array([0, 0, 0]));
  const odd = await exactMatch(scripted({ "a:": "1\n", "bb:": "345\0\n", "c:": "\n" }), examples);
  assertEquals(odd, new Float32Array([0, 0, 0]));
});

Deno.test("exactMatch() asks for one token more than the longest answer, so never for a cut one", async () => {
  let asked: unknown;
  const predictor: Predictor = {
    ...scripted({}),
    generate: (prompts, limit) => {
      asked = limit;
      return Promise.resolve(prompts.map(() => new Int32Array(0)));
    },
  };
  await exactMatch(predictor, examples);
  assertEquals(asked, { maxTokens: 4, stop: STOP });
});
