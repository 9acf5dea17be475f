import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { IGNORE } from "../../models/model.ts";
import { withDataFolder } from "../../tests/data_folder.ts";
import { testOnPublic } from "../../tests/public_files.ts";
import { tokenizerJson } from "./byte_level_bpe.ts";
import { DataError } from "../data/data_error.ts";
import { createTokenizer, readTokenizer } from "./hugging_face_tokenizer.ts";
import { answerBatch, promptTokens } from "./text_batch.ts";
import { trainByteLevelBpe } from "./train_byte_level_bpe.ts";

const ours = trainByteLevelBpe(["the cat sat on the mat , the cat said, the cat sat"], 266);
const json = JSON.stringify(tokenizerJson(ours));

/** The layout that Llama's converted tokenizers have, from pieces with scores: better ones are merged first. */
function llamaJson(pieces: readonly (readonly [string, number])[]): object {
  const spelled = pieces.map(([piece]) => piece.replaceAll(" ", "\u2581"));
  const known = new Set(spelled);
  const merges = spelled.slice(259).flatMap((piece) => {
    const characters = [...piece];
    return characters.slice(1).map((
      _,
      i,
    ) => [characters.slice(0, i + 1).join(""), characters.slice(i + 1).join("")])
      .filter((pair) => pair.every((part) => known.has(part)));
  });
  return {
    version: "1.0",
    added_tokens: [1, 2].map((id) => ({ id, content: spelled[id], special: true, normalized: false })),
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "Prepend", prepend: "\u2581" },
        { type: "Replace", pattern: { String: " " }, content: "\u2581" },
      ],
    },
    pre_tokenizer: null,
    post_processor: null,
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: "\u2581" }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        { type: "Strip", content: " ", start: 1, stop: 0 },
      ],
    },
    model: {
      type: "BPE",
      unk_token: "<unk>",
      fuse_unk: true,
      byte_fallback: true,
      vocab: Object.fromEntries(spelled.map((piece, token) => [piece, token])),
      merges: merges.map((pair) => pair.join(" ")),
    },
  };
}

testOnPublic(
  ["stories260K"],
  "createTokenizer() gives a trained Llama's own tokens for its text, bytes for unknown characters (stories260K)",
  async (folder) => {
    const read = async (file: string) => JSON.parse(await Deno.readTextFile(`${folder}/${file}`));
    const { greedy, text } = await read("reference.json");
    const pieces: [string, number][] = await read("pieces.json");
    const config = { bos_token: pieces[1]![0], eos_token: { content: pieces[2]![0] }, pad_token: null };
    const tokenizer = await createTokenizer(llamaJson(pieces), config, "stories260K");
    assertEquals([tokenizer.vocabularySize, tokenizer.start, tokenizer.stop, tokenizer.pad], [512, 1, 2, 2]);
    const plain = text.trimStart();
    assertEquals([...promptTokens(plain, tokenizer)], greedy);
    assertEquals(tokenizer.decode(greedy.slice(1)), plain);
    const bytes = [...new TextEncoder().encode("東")].map((byte) => 3 + byte);
    assertEquals([...tokenizer.encode("東")].slice(-3), bytes);
    assertEquals(tokenizer.decode(tokenizer.encode("東, it's 🙂 .")), "東, it's 🙂 .");
  },
);

testOnPublic(
  ["tiny-open-clip"],
  "readTokenizer() reads a character vocabulary beside a checkpoint, without the tokens that it adds to whole texts (tiny-open-clip)",
  async (folder) => {
    const tokenizer = await readTokenizer(folder, { pad: "<pad>", stop: "<|endoftext|>" });
    assertEquals([tokenizer.vocabularySize, tokenizer.pad, tokenizer.stop, tokenizer.start], [
      97,
      0,
      96,
      undefined,
    ]);
    const printable = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).join("");
    assertEquals([...tokenizer.encode(printable)], Array.from({ length: 95 }, (_, i) => 1 + i));
    assertEquals([...tokenizer.encode("")], []);
    // Without a decoder the library puts spaces between tokens, as the file's own does.
    assertEquals(tokenizer.decode([...tokenizer.encode("ab"), 96]), "a b <|endoftext|>");
    await assertRejects(
      () => readTokenizer(folder),
      DataError,
      'no token is known to end an answer, "eos_token" in',
    );
  },
);

Deno.test("readTokenizer() takes special tokens from the config, and decodes every token as it stands", async () => {
  const config = {
    eos_token: "<|stop|>",
    bos_token: { content: "<|pad|>" },
    clean_up_tokenization_spaces: true,
  };
  await withDataFolder(
    { "tokenizer.json": json, "tokenizer_config.json": JSON.stringify(config) },
    async (folder) => {
      const tokenizer = await readTokenizer(folder);
      assertEquals([tokenizer.start, tokenizer.stop, tokenizer.pad], [0, 1, 1]);
      assertEquals([...promptTokens("cat", tokenizer)], [0, ...ours.encode("cat")]);
      for (const text of ["", "the cat , sat .", " n't ", "\uFEFFé"]) {
        assertEquals(tokenizer.decode(tokenizer.encode(text)), text);
      }
      assertThrows(() => tokenizer.decode([5, 266]), RangeError, "Cannot decode token 266: ");
      await Deno.writeTextFile(
        `${folder}/tokenizer_config.json`,
        JSON.stringify({ ...config, add_bos_token: false }),
      );
      assertEquals((await readTokenizer(folder)).start, undefined);
    },
  );
});

Deno.test("readTokenizer() names the file and the fault where there is no tokenizer", async () => {
  const refused = async (files: Record<string, string>, sentence: string, special = {}) =>
    await withDataFolder(files, async (folder) => {
      await assertRejects(
        () => readTokenizer(folder, special),
        DataError,
        sentence.replaceAll("DIR", folder),
      );
    });
  await refused({ "a.txt": "" }, "Cannot read DIR/tokenizer.json: there is no such file or folder");
  await refused({ "tokenizer.json": "{" }, "Cannot read DIR/tokenizer.json: ");
  await refused({ "tokenizer.json": "3" }, "Cannot read DIR/tokenizer.json: it is 3, an object is needed");
  await refused({ "tokenizer.json": "{}" }, "Cannot use DIR/tokenizer.json: ");
  await refused(
    { "tokenizer.json": json, "tokenizer_config.json": "[" },
    "Cannot read DIR/tokenizer_config.json: ",
  );
  await refused({ "tokenizer.json": json }, 'it has no token "</s>"', { stop: "</s>" });
  const closed = { ...JSON.parse(json), model: { type: "WordLevel", vocab: { a: 0, "</s>": 1 } } };
  await withDataFolder({ "tokenizer.json": JSON.stringify(closed) }, async (folder) => {
    const tokenizer = await readTokenizer(folder, { stop: "</s>" });
    assertThrows(() => tokenizer.encode("b"), RangeError, 'Cannot encode "b": ');
  });
});

Deno.test("answerBatch() takes any tokenizer: loss on the answer's tokens alone, the same prompt as is asked", async () => {
  const theirs = await createTokenizer(JSON.parse(json), {}, "x", { start: "<|pad|>", stop: "<|stop|>" });
  for (const tokenizer of [ours, theirs]) {
    // "the" is one token, but not across the border.
    const batch = answerBatch(
      [{ prompt: "t", answer: "he cat" }, { prompt: "the", answer: "" }],
      12,
      tokenizer,
    );
    const asked = promptTokens("t", tokenizer), answer = [...tokenizer.encode("he cat"), tokenizer.stop];
    const row = [...batch.tokens.data.subarray(0, 12)], targets = [...batch.targets.data.subarray(0, 12)];
    assertEquals(row.slice(0, asked.length + answer.length), [...asked, ...answer]);
    assert(row.slice(asked.length + answer.length).every((token) => token === tokenizer.pad));
    assertEquals(targets.filter((token) => token !== IGNORE), answer);
    assertEquals(targets.slice(asked.length - 1, asked.length - 1 + answer.length), answer);
    const second = [...batch.targets.data.subarray(12)].filter((token) => token !== IGNORE);
    assertEquals(second, [tokenizer.stop]);
  }
  assertEquals(promptTokens("t", theirs).length, promptTokens("t", ours).length + 1);
  assertThrows(
    () => answerBatch([{ prompt: "", answer: "a" }], 9, ours),
    RangeError,
    "after an empty prompt",
  );
  assertThrows(() => answerBatch([{ prompt: "a", answer: "b" }], 2, ours), RangeError, "they are 3");
});
