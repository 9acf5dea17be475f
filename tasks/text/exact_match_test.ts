import { assertEquals } from "@std/assert";
import { writingPredictor } from "../../tests/support/scripted_predictor.ts";
import { exactMatch } from "./exact_match.ts";
import { decode, encode } from "./tokenizer.ts";

const examples = [
  { prompt: "a:", answer: "12" },
  { prompt: "bb:", answer: "345" },
  { prompt: "c:", answer: "6" },
];

/** The scores where each prompt is continued as the script says. */
function scoresOf(script: Readonly<Record<string, string>>): Promise<Float32Array> {
  return exactMatch(writingPredictor((prompt) => encode(script[decode(prompt)]!)), examples);
}

Deno.test("exactMatch() gives 1 to right answers in the examples' order", async () => {
  assertEquals(await scoresOf({ "a:": "12\n", "bb:": "345\n9", "c:": "7\n" }), new Float32Array([1, 1, 0]));
});

Deno.test("exactMatch() gives 0 to answers too long, too short, padded or empty", async () => {
  assertEquals(await scoresOf({ "a:": "123\n", "bb:": "3455", "c:": "6666666" }), new Float32Array(3));
  assertEquals(await scoresOf({ "a:": "1\n", "bb:": "345\0\n", "c:": "\n" }), new Float32Array(3));
});

Deno.test("exactMatch() gives 0 to a right answer that goes on where it should stop", async () => {
  assertEquals(await scoresOf({ "a:": "12", "bb:": "345", "c:": "6" }), new Float32Array(3));
});
