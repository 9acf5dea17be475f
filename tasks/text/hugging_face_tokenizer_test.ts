import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { IGNORE } from "../../models/model.ts";
import { clipTokenizerFiles } from "../../tests/support/clip_folder.ts";
import { withDataFolder } from "../../tests/support/data_folder.ts";
import { drawsOf, mutateBytes, mutateJson } from "../../tests/support/mutate.ts";
import { testOnPublic } from "../../tests/support/public_files.ts";
import { unigramFiles, wordPieceFiles } from "../../tests/support/tokenizer_folder.ts";
import { PROGRAMS, testNeeding } from "../../tests/support/test_needing.ts";
import { tokenizerJson } from "./byte_level_bpe.ts";
import { DataError } from "../data/data_error.ts";
import { createTokenizer, readTokenizer } from "./hugging_face_tokenizer.ts";
import { answerBatch, promptTokens } from "./text_batch.ts";
import { trainByteLevelBpe } from "./train_byte_level_bpe.ts";

const test = testNeeding(PROGRAMS);

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
    // Nothing names a token there but the form of texts.
    const { start, stop, pad } = await readTokenizer(folder);
    assertEquals([start, stop, pad], [undefined, 96, 96]);
  },
);

test("readTokenizer() reads how texts and pairs of texts are written from tokenizer.json, where its config names no token", async () => {
  const files = wordPieceFiles("", ["cat"]), json = JSON.parse(files["/tokenizer.json"]!);
  const special = (id: string, type_id: number) => ({ SpecialToken: { id, type_id } });
  const text = (id: string, type_id: number) => ({ Sequence: { id, type_id } });
  const single = [special("[CLS]", 0), text("A", 0), special("[SEP]", 0)];
  const template = (pair?: unknown) => ({ type: "TemplateProcessing", single, special_tokens: {}, pair });
  const named = { sep: ["[SEP]", 3], cls: ["[CLS]", 2] };
  const bert = [[2, 0], ["first", 0], [3, 0], ["second", 1], [3, 1]];
  const read = async (
    post_processor: unknown,
    config: object = { do_lower_case: true },
  ): Promise<unknown[]> => {
    const tokenizer = await createTokenizer({ ...json, post_processor }, config, "FILE");
    const { start, stop, pair } = tokenizer;
    return [
      start,
      stop,
      pair?.map((part) => ["text" in part ? part.text : part.token, part.type]),
    ];
  };
  assertEquals(await read({ type: "BertProcessing", ...named }), [2, 3, bert]);
  assertEquals(
    await read(template([...single, text("B", 1), special("[SEP]", 1)])),
    [2, 3, bert],
  );
  assertEquals(
    await read({
      type: "Sequence",
      processors: [{ type: "ByteLevel" }, { type: "RobertaProcessing", ...named }],
    }),
    [2, 3, [[2, 0], ["first", 0], [3, 0], [3, 0], ["second", 0], [3, 0]]],
  );
  assertEquals(await read(template()), [2, 3, undefined]);
  // What the config says counts: without a beginning there is none.
  assertEquals(await read({ type: "BertProcessing", ...named }, { eos_token: "cat" }), [undefined, 4, bert]);
  assertEquals(await read(null, { sep_token: "[SEP]", cls_token: "[CLS]" }), [2, 3, undefined]);
  const refused = (post_processor: unknown, reason: string) =>
    assertRejects(() => read(post_processor), DataError, reason);
  await refused(null, 'no token is known to end an answer, "eos_token" in');
  await refused(template([{ Sequence: {} }]), "post_processor.pair is");
  await refused({ type: "BertProcessing", cls: ["[CLS]", 2] }, 'sep is missing, ["token", id] is needed');
  await refused({ type: "RobertaProcessing", ...named, sep: ["</s>", 2] }, 'it has no token "</s>"');
});

test("readTokenizer() takes special tokens from the config, and decodes every token as it stands", async () => {
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

test("readTokenizer() takes all tokens that generation_config.json lets a text end with, and knows those of no text", async () => {
  const tokenizer_config = JSON.stringify({ eos_token: "<|stop|>" });
  const read = async (config?: unknown) => {
    const own = config === undefined ? {} : { "d/generation_config.json": JSON.stringify(config) };
    const files = { "d/tokenizer.json": json, "d/tokenizer_config.json": tokenizer_config, ...own };
    let found: unknown;
    await withDataFolder(files, async (folder) => {
      const { stop, stops, special } = await readTokenizer(`${folder}/d`).catch((error) => {
        assert(error instanceof DataError);
        return { stop: error.message.replaceAll(folder, "DIR") } as never;
      });
      found = stops === undefined ? stop : [stop, stops, [...special!]];
    });
    return found;
  };
  // As Gemma has it: the end of a text, and that of a turn.
  assertEquals(await read({ eos_token_id: [1, 107] }), [1, [1, 107], [0, 1]]);
  assertEquals(await read({ eos_token_id: 5 }), [1, [1, 5], [0, 1]]);
  for (
    const config of [undefined, {}, { eos_token_id: 1 }, { eos_token_id: [1, 1] }, { eos_token_id: null }]
  ) {
    assertEquals(await read(config), 1);
  }
  for (const [id, shown] of [[266, "266"], ["a", '"a"'], [[1, -1], "-1"], [[[2]], "[2]"], [1.5, "1.5"]]) {
    assertEquals(
      await read({ eos_token_id: id }),
      `Cannot use DIR/d/generation_config.json: eos_token_id has ${shown}, a token from 0 to 265 is needed`,
    );
  }
  assertEquals(await read([]), "Cannot read DIR/d/generation_config.json: it is [], an object is needed");
});

test("readTokenizer() names the file and the fault where there is no tokenizer", async () => {
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

/** A tokenizer of words, with the parts given. */
function words(parts: object = {}, model: object = {}): object {
  return {
    added_tokens: [{ id: 2, content: "</s>", special: true }],
    normalizer: null,
    pre_tokenizer: { type: "WhitespaceSplit" },
    post_processor: null,
    decoder: null,
    model: { type: "WordLevel", vocab: { a: 0, b: 1 }, unk_token: "a", ...model },
    ...parts,
  };
}

/** One of pairs that are merged. */
const merged = { type: "BPE", vocab: { a: 0, b: 1, ab: 3 }, merges: ["a b"] };

Deno.test("createTokenizer() refuses by place, value and need what makes no tokenizer", async () => {
  const split = (pattern: unknown) => ({ pre_tokenizer: { type: "Split", pattern, behavior: "Isolated" } });
  const sequence = (...normalizers: unknown[]) => ({ normalizer: { type: "Sequence", normalizers } });
  const id = (value: unknown) => words({}, { vocab: { a: 0, b: value } });
  const added = (token: unknown) => words({ added_tokens: [token] });
  const range = "a whole number from 0 to 16777215 is needed";
  const cases: [object, string][] = [
    [id(1e9), `token "b" has the id 1000000000, ${range}`],
    [id(1.5), `token "b" has the id 1.5, ${range}`],
    [id(-1), `token "b" has the id -1, ${range}`],
    [id("1"), `token "b" has the id "1", ${range}`],
    [id(null), `token "b" has the id null, ${range}`],
    [words({}, { vocab: JSON.parse('{"__proto__": -1}') }), `token "__proto__" has the id -1, ${range}`],
    [words({}, { vocab: { "a\n\u001b[2J": 1e9 } }), `token "a\\n\\u001b[2J" has the id 1000000000, ${range}`],
    [added({ id: 2 ** 30, content: "</s>" }), `token "</s>" has the id 1073741824, ${range}`],
    [added({ id: 2 }), "added_tokens.0.content is missing, a text of a character or more is needed"],
    [added({ id: 2, content: "" }), 'added_tokens.0.content is "", a text of a character or more is needed'],
    [added(null), "added_tokens.0 is null, an object is needed"],
    [words({ added_tokens: undefined }), "added_tokens is missing, a list of tokens is needed"],
    [words({ model: undefined }), "model is missing, an object is needed"],
    [words({ model: [] }), "model is [], an object is needed"],
    [
      words({}, { type: "Bloom" }),
      'its model has the type "Bloom", known are BPE, WordPiece, Unigram, WordLevel',
    ],
    [words({}, { type: null }), "its model has the type null, known are BPE, WordPiece, Unigram, WordLevel"],
    [words({}, { vocab: undefined }), "model.vocab is missing, an object is needed"],
    [words({}, { vocab: ["a"] }), 'model.vocab is ["a"], an object is needed'],
    [words({}, { type: "Unigram" }), 'model.vocab is {"a":0,"b":1}, a list of pieces with scores is needed'],
    [
      words({}, { type: "Unigram", vocab: [["a", "x"]] }),
      'model.vocab.0 is ["a","x"], a piece with its score is needed',
    ],
    [
      words({}, { type: "Unigram", vocab: [["a", 0]], unk_id: 1 }),
      "model.unk_id is 1, a piece's place, or null is needed",
    ],
    [words({}, { ...merged, merges: undefined }), "model.merges is missing, a list of pairs is needed"],
    [words({}, { ...merged, merges: ["a b c"] }), 'model.merges.0 is "a b c", a text "left right" is needed'],
    [
      words({}, { ...merged, merges: ["a b", ["a", "b"]] }),
      'model.merges.1 is ["a","b"], a text "left right" is needed',
    ],
    [words({}, { ...merged, merges: [["a"]] }), 'model.merges.0 is ["a"], a pair of texts is needed'],
    [words({}, { ...merged, merges: ["a c"] }), 'model.merges.0 is "a c", but "c" is no token'],
    [words({}, { ...merged, merges: ["b a"] }), 'model.merges.0 is "b a", but "ba" is no token'],
    [
      words({}, { ...merged, merges: ["constructor a"] }),
      'model.merges.0 is "constructor a", but "constructor" is no token',
    ],
    [words({ normalizer: undefined }), "normalizer is missing, an object or null is needed"],
    [words({ decoder: "ByteLevel" }), 'decoder is "ByteLevel", an object or null is needed'],
    [words({ pre_tokenizer: {} }), "pre_tokenizer.type is missing, a part's name is needed"],
    [words(split(undefined)), 'pre_tokenizer.pattern is missing, {"String": …} or {"Regex": …} is needed'],
    [
      words(split({ Regex: 3 })),
      'pre_tokenizer.pattern is {"Regex":3}, {"String": …} or {"Regex": …} is needed',
    ],
    [
      words({ pre_tokenizer: { type: "FixedLength", length: 0 } }),
      "pre_tokenizer.length is 0, a whole number from 1 is needed",
    ],
    [words({ normalizer: { type: "Sequence" } }), "normalizer.normalizers is missing, a list is needed"],
    [
      words(sequence({ type: "Replace", content: "a" })),
      'normalizer.normalizers.0.pattern is missing, {"String": …} or {"Regex": …} is needed',
    ],
    [
      words(sequence(null, { type: "Prepend" })),
      "normalizer.normalizers.1.prepend is missing, a text is needed",
    ],
    [
      words({ normalizer: { type: "Rot13" } }),
      "its parts do not work together, Unknown Normalizer type: Rot13",
    ],
    [
      words(split({ Regex: "(" })),
      "its parts do not work together, Invalid regular expression: /(/gu: Unterminated group",
    ],
  ];
  for (const [json, reason] of cases) {
    const { message } = await assertRejects(() => createTokenizer(json, {}, "DIR/tokenizer.json"), DataError);
    assertEquals(message, `Cannot use DIR/tokenizer.json: ${reason}`);
  }
});

Deno.test("createTokenizer() takes any names of tokens, merges of either layout, and old files that do not say what their model is", async () => {
  const config = { eos_token: "</s>", additional_special_tokens: 3 };
  const make = (model: object) => createTokenizer(words({}, model), config, "x");
  const odd = await make({
    vocab: JSON.parse('{"__proto__": 0, "constructor": 1}'),
    unk_token: "constructor",
  });
  assertEquals([...odd.encode("__proto__ constructor")], [0, 1]);
  assertThrows(() => odd.encode("toString"), RangeError, 'x lacks "toString"');
  assertEquals([odd.vocabularySize, odd.decode([0, 1, 2])], [3, "__proto__ constructor </s>"]);
  const within = { ...merged, vocab: { a: 0, "##b": 1, ab: 3 }, merges: ["a ##b"] };
  assertEquals((await make({ ...within, continuing_subword_prefix: "##" })).vocabularySize, 4);
  for (const merges of [["a b"], [["a", "b"]]]) {
    for (const type of ["BPE", undefined]) {
      const old = { continuing_subword_prefix: "", unk_token: null };
      assertEquals([...(await make({ ...merged, ...old, type, merges })).encode("abb")], [3, 1], `${type}`);
    }
  }
});

Deno.test("createTokenizer() ends where an expression of the file backtracks without end: made, at a text, at tokens", async () => {
  const endless = { Regex: "^(a+)+$" }, long = `${"a".repeat(60)}b`, config = { eos_token: "</s>" };
  const late = "took longer than 0.5 s, its expressions backtrack without end";
  const make = (parts: object, model = {}) =>
    createTokenizer(words(parts, model), config, "DIR/tokenizer.json", {}, 500);
  const split = { type: "Split", pattern: endless, behavior: "Isolated", invert: false };
  const replace = { type: "Replace", pattern: endless, content: "" };
  for (const parts of [{ pre_tokenizer: split }, { normalizer: replace }]) {
    const tokenizer = await make(parts);
    const { message } = assertThrows(() => tokenizer.encode(long), DataError);
    assertEquals(message, `Cannot use DIR/tokenizer.json: a text of 61 characters ${late}`);
  }
  const decoding = await make({ decoder: replace }, { vocab: { a: 0, [long]: 1 } });
  const { message } = assertThrows(() => decoding.decode([1]), DataError);
  assertEquals(message, `Cannot use DIR/tokenizer.json: a text of 1 tokens ${late}`);
  await assertRejects(
    () => make({ normalizer: replace, added_tokens: [{ id: 2, content: "</s>" }, { id: 3, content: long }] }),
    DataError,
    `Cannot use DIR/tokenizer.json: making it ${late}`,
  );
});

test("readTokenizer() refuses what is no file, or no JSON that can be read, without waiting for it", async () => {
  await withDataFolder({ "tokenizer.json": json }, async (folder) => {
    const refused = async (file: string, reason: string) => {
      const { message } = await assertRejects(() => readTokenizer(folder), DataError);
      assertEquals(message.replaceAll(folder, "DIR"), `Cannot read DIR/${file}: ${reason}`);
      await Deno.remove(`${folder}/${file}`);
    };
    for (const file of ["tokenizer_config.json", "tokenizer.json"]) {
      const path = `${folder}/${file}`;
      await Deno.remove(path).catch(() => {});
      await new Deno.Command("sh", { args: ["-c", 'mkfifo "$0"', path] }).output();
      await refused(file, "it is a named pipe, a file is needed");
      await Deno.mkdir(path);
      await refused(file, "it is a folder, a file is needed");
      await Deno.symlink(file, path);
      await refused(file, "it is a link that leads back to itself");
      await Deno.writeTextFile(path, `{"a":${"[".repeat(1e5)}`);
      await refused(file, "it is nested more than 100 levels deep");
      await Deno.writeTextFile(path, "[1,2]");
      await refused(file, "it is [1,2], an object is needed");
      using big = await Deno.open(path, { create: true, write: true });
      await big.truncate(2 ** 26 + 1);
      await refused(file, "it has 67108865 bytes, 67108864 at most are needed");
    }
  });
});

test("readTokenizer() takes what 200 seeded faults make of its files, or refuses it by one sentence", async () => {
  const kinds = [
    JSON.parse(json),
    JSON.parse(unigramFiles("x", ["\u2581cola"], "abc")["x/tokenizer.json"]!),
    JSON.parse(clipTokenizerFiles()["tokenizer.json"]!),
  ];
  const specials = ["<|stop|>", "</s>", "<|end|>"];
  let refusals = 0;
  for (let seed = 0; seed < 200; seed++) {
    const draw = drawsOf(seed), kind = seed % kinds.length, config = { eos_token: specials[kind] };
    const encoder = new TextEncoder(), bytes = (value: unknown) => encoder.encode(JSON.stringify(value));
    const files = {
      "tokenizer.json": draw(4) === 0
        ? mutateBytes(bytes(kinds[kind]), draw)
        : bytes(mutateJson(kinds[kind], draw)),
      "tokenizer_config.json": bytes(draw(4) === 0 ? mutateJson(config, draw) : config),
    };
    await withDataFolder(files, async (folder) => {
      try {
        const tokenizer = await readTokenizer(folder);
        try {
          tokenizer.decode(tokenizer.encode("a cab, é"));
        } catch (error) {
          if (!(error instanceof RangeError)) throw error;
        }
      } catch (error) {
        assert(error instanceof DataError, `seed ${seed}: ${error instanceof Error ? error.stack : error}`);
        // deno-lint-ignore no-control-regex
        assert(/^Cannot [^\u0000-\u001f]{20,600}$/.test(error.message), `seed ${seed}: ${error.message}`);
        refusals++;
      }
    });
  }
  assert(refusals > 80, `${refusals} refusals`);
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
