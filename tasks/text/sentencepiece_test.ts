import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { inFolder } from "../../tests/support/in_folder.ts";
import { drawsOf, mutateBytes } from "../../tests/support/mutate.ts";
import { fixture, testOnPublic } from "../../tests/support/public_files.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import { DataError } from "../data/data_error.ts";
import { readTokenizer } from "./hugging_face_tokenizer.ts";
import { createSentencePiece } from "./sentencepiece.ts";
import { parseLlama2c, parseSentencePiece, SentencePieceFlaw } from "./sentencepiece_file.ts";
import { promptTokens } from "./text_batch.ts";

const test = testNeeding(FILES);

const file = (name: string) => Deno.readFile(fixture(`sentencepiece/${name}`));

test("SentencePiece's own program cuts the same texts into the same tokens", async () => {
  const cases = JSON.parse(await Deno.readTextFile(fixture("sentencepiece/cut.json")));
  for (const name of ["unigram", "bpe"]) {
    const tokenizer = createSentencePiece(parseSentencePiece(await file(`${name}.model`)));
    assert(cases[name].length > 60);
    for (const [text, tokens] of cases[name]) {
      assertEquals([...tokenizer.encode(text)], tokens, `${name} ${JSON.stringify(text)}`);
    }
    const plain = "the smallest rank that two cells have";
    assertEquals(tokenizer.decode(tokenizer.encode(plain)), plain);
  }
  // What has no piece is spelled by bytes, and comes back; spaces stay.
  const { encode, decode } = createSentencePiece(parseSentencePiece(await file("bpe.model")));
  assertEquals(decode(encode("  東, it's 🙂 .")), "  東, it's 🙂 .");
});

test("readTokenizer() takes tokenizer.model and spiece.model where there is no tokenizer.json", async () => {
  await inFolder(async (folder) => {
    await Deno.writeFile(`${folder}/tokenizer.model`, await file("bpe.model"));
    const read = async () => {
      const { vocabularySize, start, stop, pad } = await readTokenizer(folder);
      return [vocabularySize, start, stop, pad];
    };
    assertEquals(await read(), [500, 1, 2, 2]);
    const config = (fields: object) =>
      Deno.writeTextFile(`${folder}/tokenizer_config.json`, JSON.stringify(fields));
    await config({ bos_token: { content: "<s>" }, eos_token: "</s>", pad_token: "<unk>" });
    assertEquals(await read(), [500, 1, 2, 0]);
    await config({ bos_token: "<s>", add_bos_token: false });
    assertEquals(await read(), [500, undefined, 2, 2]);
    await config({ eos_token: "<|end|>" });
    await assertRejects(read, DataError, `Cannot use ${folder}/tokenizer.model: it has no token "<|end|>"`);
    await Deno.remove(`${folder}/tokenizer_config.json`);
    await Deno.rename(`${folder}/tokenizer.model`, `${folder}/spiece.model`);
    assertEquals(await read(), [500, 1, 2, 2]);
    await Deno.writeFile(`${folder}/spiece.model`, await file("unigram.model"));
    assertEquals(await read(), [300, undefined, 1, 0]);
    // DeBERTa's, whose config names none of its tokens, and which takes pairs.
    await Deno.rename(`${folder}/spiece.model`, `${folder}/spm.model`);
    await config({ do_lower_case: false, vocab_type: "spm" });
    await assertRejects(read, DataError, 'it has no token "[SEP]" to end an answer');
    await config({ cls_token: "<unk>", sep_token: "</s>", pad_token: "<pad>" });
    assertEquals(await read(), [300, 2, 1, 0]);
    const { pair } = await readTokenizer(folder);
    assertEquals(pair!.map((part) => ["text" in part ? part.text : part.token, part.type]), [
      ...[[2, 0], ["first", 0], [1, 0], ["second", 1], [1, 1]],
    ]);
    await config({ do_lower_case: true });
    await assertRejects(read, DataError, "do_lower_case in tokenizer_config.json is true, which is not read");
    await Deno.remove(`${folder}/tokenizer_config.json`);
    await Deno.rename(`${folder}/spm.model`, `${folder}/spiece.model`);
    await Deno.writeTextFile(`${folder}/spiece.model`, "a pointer of git's");
    await assertRejects(
      read,
      DataError,
      `Cannot use ${folder}/spiece.model: it is no SentencePiece model, or a part of one`,
    );
    await Deno.remove(`${folder}/spiece.model`);
    await assertRejects(
      read,
      DataError,
      `Cannot read ${folder}/tokenizer.json: there is no such file or folder, nor tokenizer.model, spiece.model, spm.model, tokenizer.bin`,
    );
  });
});

/** llama2.c's file of some pieces. */
function llama2cFile(pieces: readonly (readonly [string, number])[]): Uint8Array<ArrayBuffer> {
  const texts = pieces.map(([piece]) => new TextEncoder().encode(piece));
  const bytes = new Uint8Array(4 + texts.reduce((sum, { length }) => sum + 8 + length, 0));
  const view = new DataView(bytes.buffer);
  view.setInt32(0, Math.max(...texts.map(({ length }) => length)), true);
  let at = 4;
  pieces.forEach(([, score], id) => {
    view.setFloat32(at, score, true);
    view.setInt32(at + 4, texts[id]!.length, true);
    bytes.set(texts[id]!, at + 8);
    at += 8 + texts[id]!.length;
  });
  return bytes;
}

const llama2c: readonly (readonly [string, number])[] = [
  ...(["<unk>", "\n<s>\n", "\n</s>\n"] as const).map((piece) => [piece, 0] as const),
  ...Array.from(
    { length: 256 },
    (_, byte) => [`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`, 0] as const,
  ),
  ...([[" a", -1], ["ab", -2], [" ", -3], ["a", -4], ["b", -5]] as const),
];

test("readTokenizer() takes llama2.c's tokenizer.bin, which says less", async () => {
  await inFolder(async (folder) => {
    await Deno.writeFile(`${folder}/tokenizer.bin`, llama2cFile(llama2c));
    const { encode, decode, start, stop } = await readTokenizer(folder);
    assertEquals([start, stop], [1, 2]);
    assertEquals([...encode("ab  é")], [259, 263, 261, 261, 3 + 0xc3, 3 + 0xa9]);
    assertEquals(decode(encode("ab  é")), "ab  é");
    await Deno.writeFile(`${folder}/tokenizer.bin`, llama2cFile(llama2c).slice(0, -3));
    await assertRejects(
      () => readTokenizer(folder),
      DataError,
      "it is no tokenizer of llama2.c's, or a part of one",
    );
  });
});

testOnPublic(
  ["stories260K"],
  "llama2.c's tokenizer.bin gives a trained Llama's own tokens for its text (stories260K)",
  async (folder) => {
    const read = async (name: string) => JSON.parse(await Deno.readTextFile(`${folder}/${name}`));
    const { greedy, text } = await read("reference.json"), pieces = await read("pieces.json");
    await inFolder(async (own) => {
      await Deno.writeFile(
        `${own}/tokenizer.bin`,
        llama2cFile(
          pieces.map(([piece, score]: [string, number]) => [piece.replaceAll("\u2581", " "), score] as const),
        ),
      );
      const tokenizer = await readTokenizer(own);
      assertEquals([...promptTokens(text.trimStart(), tokenizer)], greedy);
      assertEquals(tokenizer.decode(greedy.slice(1)), text.trimStart());
    });
  },
);

/** A field of a message of Protocol Buffers: its number and a number below 128 or bytes. */
type FieldOf = readonly [number, number | string | Uint8Array];

function message(...fields: FieldOf[]): Uint8Array {
  const tagOf = (tag: number) => tag < 128 ? [tag] : [tag % 128 + 128, tag >> 7];
  return Uint8Array.from(fields.flatMap(([number, value]) => {
    if (typeof value === "number") return [...tagOf(8 * number), value];
    const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
    return [...tagOf(8 * number + 2), bytes.length, ...bytes];
  }));
}

Deno.test("parseSentencePiece() refuses what it does not read, by name", () => {
  const piece = (text: string, type: number): FieldOf => [1, message([1, text], [3, type])];
  const unknown = piece("<unk>", 2), a = piece("a", 1);
  const refused = (sentence: string, ...fields: FieldOf[]) =>
    assertThrows(() => parseSentencePiece(message(...fields)), SentencePieceFlaw, sentence);
  assertEquals(parseSentencePiece(message(unknown, a)).pieces.length, 2);
  refused("it has no pieces");
  refused("0 of its pieces stand for what it does not know, one is needed", a);
  refused('its pieces 1 and 2 are both "a"', unknown, a, a);
  refused("piece 1 is empty", unknown, piece("", 1));
  refused("piece 1 is of type 9, 1 to 6 are known", unknown, piece("a", 9));
  refused('piece 1 stands for a byte, and is "a"', unknown, piece("a", 6));
  refused("its model is of type word, unigram or bpe is needed", unknown, [2, message([3, 3])]);
  refused("it writes spaces behind words", unknown, [2, message([24, 1])]);
  refused("it writes spaces behind words", unknown, [3, message([5, 0])]);
  refused("it has 0 of the 256 pieces that stand for bytes", unknown, [2, message([35, 1])]);
  const map = parseSentencePiece(message(unknown, a, [3, message([2, "xxxxxxxx"])]));
  assertThrows(() => createSentencePiece(map), SentencePieceFlaw, "its map of characters is unsound");
});

test("A file with faults is refused in a sentence, or cuts texts", async () => {
  for (const name of ["unigram.model", "bpe.model"]) {
    const bytes = await file(name), draw = drawsOf(7);
    let refused = 0;
    for (let i = 0; i < 150; i++) {
      try {
        createSentencePiece(parseSentencePiece(mutateBytes(bytes, draw))).encode("the rank é １\u00a0x");
      } catch (error) {
        assert(error instanceof SentencePieceFlaw, String(error));
        refused++;
      }
    }
    assert(refused > 20 && refused < 150, `${refused}`);
  }
  const short = llama2cFile(llama2c), draw = drawsOf(8);
  for (let i = 0; i < 150; i++) {
    try {
      createSentencePiece(parseLlama2c(mutateBytes(short, draw))).encode("ab é");
    } catch (error) {
      assert(error instanceof SentencePieceFlaw, String(error));
    }
  }
});
