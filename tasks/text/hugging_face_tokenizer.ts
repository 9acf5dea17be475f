/**
 * @file Others' tokenizers as they lie beside checkpoints: `tokenizer.json` as on the Hugging Face hub, or where there is none
 * SentencePiece's file or llama2.c's.
 */
import { hashFile } from "../../files/file_hash.ts";
import { readJsonFile, UnreadableFile } from "../../files/json_file.ts";
import { requireFile } from "../../files/write_file.ts";
import { DataError, reasonOf } from "../data/data_error.ts";
import type { TaskModel } from "../task.ts";
import { CHAT_TEMPLATE } from "./chat_template.ts";
import type { SentencePiece } from "./sentencepiece.ts";
import {
  parseLlama2c,
  parsePieceList,
  parseSentencePiece,
  SentencePieceFlaw,
  type SentencePieceModel,
} from "./sentencepiece_file.ts";
import type { PairPart, Tokenizer } from "./tokenizer.ts";
import { checkTokenizer, show, TokenizerFlaw, type WrittenPart, writtenTexts } from "./tokenizer_file.ts";

const TOKENIZER = "tokenizer.json";
const CONFIG = "tokenizer_config.json";
/** How a model writes: of it, which tokens end a text. */
const GENERATION = "generation_config.json";
/** Where there is no such file: the first of these that is there. */
const OTHERS = {
  "tokenizer.model": parseSentencePiece,
  "spiece.model": parseSentencePiece,
  "spm.model": parseDeberta,
  "tokenizer.bin": parseLlama2c,
  "vocab.json": parsePieceList,
} as const;
/** Sentence encoders were trained on texts as they are, without tokens around them; a pair is one text behind the other. */
const BARE = {
  isBare: true,
  pair: [{ text: "first", type: 0 }, { text: "second", type: 0 }],
} as const satisfies Partial<Tokenizer>;
/** What a list begins with: GPT-2 has a file of that name, too, which is none. */
const LIST = "[".charCodeAt(0);
/** Most bytes of either: twice what the largest vocabularies take. */
const MOST_BYTES = 2 ** 26;
/** Time for a text, in ms: a thousand times what the longest takes. Expressions of a file may backtrack without end. */
const TIME_LIMIT = 5_000;

/** DeBERTa's file, whose tokens around texts the file itself may not name. */
function parseDeberta(bytes: Uint8Array): SentencePieceModel {
  return { ...parseSentencePiece(bytes), begin: "[CLS]", end: "[SEP]", pad: "[PAD]" };
}

/** A text with letters of both cases, a number, a sign that few vocabularies have, and spaces. */
const FIRST = "The 2 cats' é\n";

/** How tokens with a meaning of their own are spelled, where `tokenizer_config.json` does not say. */
export interface SpecialTokens {
  /** Fills a row; the stop token where there is none, as in Llama. */
  readonly pad?: string;
  /** Ends an answer. */
  readonly stop?: string;
  /** Begins a text, where the model expects that. */
  readonly start?: string;
}

/**
 * Reads `tokenizer.json` of a checkpoint's folder, and `tokenizer_config.json` where it is there: `eos_token` ends an
 * answer, or `sep_token` where there is none, `pad_token` pads, `bos_token` or else `cls_token` begins a text unless
 * `add_bos_token` is false. Where it names no end, both are as "post_processor" has them, which also says how a pair of
 * texts is written. Where there is no `tokenizer.json`, it
 * is SentencePiece's `tokenizer.model`, `spiece.model` or `spm.model` (DeBERTa's), or llama2.c's `tokenizer.bin`, which name these
 * tokens themselves. `eos_token_id` of `generation_config.json` adds tokens that end what a model writes, as chat models have
 * one for the end of a turn.
 *
 * @param folder path of the folder
 * @param special what the config does not say, or says otherwise
 * @throws {DataError} where a file can't be read or is no tokenizer, or no token is known to end an answer
 */
export async function readTokenizer(folder: string, special: SpecialTokens = {}): Promise<Tokenizer> {
  const tokenizer = await readFiles(folder, special), path = `${folder}/${GENERATION}`;
  const written = await readJson(path) as Readonly<Record<string, unknown>> | null;
  const given = [written?.["eos_token_id"] ?? []].flat(), { stop, vocabularySize } = tokenizer;
  const stops = given.map((id) => {
    if (typeof id === "number" && Number.isInteger(id) && id >= 0 && id < vocabularySize) return id;
    throw new DataError(
      `Cannot use ${path}: eos_token_id has ${show(id)}, a token from 0 to ${vocabularySize - 1} is needed`,
    );
  });
  return stops.every((id) => id === stop)
    ? tokenizer
    : { ...tokenizer, stops: [...new Set([stop, ...stops])] };
}

async function readFiles(folder: string, special: SpecialTokens): Promise<Tokenizer> {
  const path = `${folder}/${TOKENIZER}`;
  const json = await readJson(path);
  if (json === null) {
    for (const [file, parse] of Object.entries(OTHERS)) {
      const bytes = await readBytes(`${folder}/${file}`);
      if (bytes === null || (parse === parsePieceList && bytes[0] !== LIST)) continue;
      const config = await readJson(`${folder}/${CONFIG}`);
      return await pieceTokenizer(bytes, parse, config, `${folder}/${file}`, special);
    }
    throw new DataError(
      `Cannot read ${path}: there is no such file or folder, nor ${
        Object.keys(OTHERS).slice(0, -1).join(", ")
      }; in Python, transformers' ` +
        `AutoTokenizer.from_pretrained("${folder}").save_pretrained("${folder}") writes it`,
    );
  }
  const config = await readJson(`${folder}/${CONFIG}`) ?? {};
  return await createTokenizer(json, config, path, special);
}

/** A tokenizer of SentencePiece's. @throws {DataError} where its file is unsound, or lacks a token that is named */
async function pieceTokenizer(
  bytes: Uint8Array,
  parse: (bytes: Uint8Array) => SentencePieceModel,
  config: object | null,
  where: string,
  special: SpecialTokens,
): Promise<Tokenizer> {
  // Loaded when needed: most models have a tokenizer.json.
  const { createSentencePiece } = await import("./sentencepiece.ts");
  const refused = (reason: string) => new DataError(`Cannot use ${where}: ${reason}`);
  let model: SentencePieceModel, inner: SentencePiece;
  try {
    model = parse(bytes);
    inner = createSentencePiece(model);
  } catch (error) {
    if (error instanceof SentencePieceFlaw) throw refused(error.message);
    throw error;
  }
  const named = config as Readonly<Record<string, unknown>> | null, isDeberta = parse === parseDeberta;
  const changing = ["do_lower_case", "split_by_punct"].find((field) => named?.[field] === true);
  if (isDeberta && changing) throw refused(`${changing} in ${CONFIG} is true, which is not read`);
  const tokenOf = (spelled: string | undefined, own: string) => {
    const token = inner.tokenOf(spelled ?? own);
    if (token === undefined && spelled !== undefined) throw refused(`it has no token ${show(spelled)}`);
    return token;
  };
  const ends = spelling(named?.["eos_token"]) ?? (isDeberta ? spelling(named?.["sep_token"]) : undefined);
  const stop = tokenOf(special.stop ?? ends, model.end);
  if (stop === undefined) {
    throw refused(`it has no token ${show(model.end)} to end an answer, "eos_token" in ${CONFIG} is needed`);
  }
  // A config that names none has said so; DeBERTa's names none of those that it has.
  const begins = isDeberta
    ? spelling(named?.["cls_token"]) ?? model.begin
    : named === null
    ? model.begin
    : spelling(named["bos_token"]);
  const asked = special.start ?? (named?.["add_bos_token"] === false ? undefined : begins);
  const start = asked === undefined ? undefined : named === null ? inner.tokenOf(asked) : tokenOf(asked, "");
  const pad = tokenOf(special.pad ?? spelling(named?.["pad_token"]), model.pad);
  const { vocabularySize, unknown, encode, decode } = inner;
  return {
    ...{ vocabularySize, pad: pad ?? stop, stop, unknown, encode, decode },
    ...(start !== undefined && { start }),
    ...(parse === parsePieceList && BARE),
    ...(isDeberta && start !== undefined && { pair: bertPair(start, stop) }),
  };
}

/** A pair as BERT and DeBERTa have it. */
function bertPair(start: number, stop: number): readonly PairPart[] {
  return [
    { token: start, type: 0 },
    { text: "first", type: 0 },
    { token: stop, type: 0 },
    { text: "second", type: 1 },
    { token: stop, type: 1 },
  ];
}

/**
 * The tokenizer beside a model's checkpoint, and the SHA-256 of each of its files, in hex.
 *
 * @param purpose what it is for, for errors: 'use DIR for "code"'
 * @throws {DataError} as `readTokenizer` does, where the model is the project's own or there is none, and where the model
 * has fewer tokens
 */
export async function readModelTokenizer(
  model: TaskModel | undefined,
  purpose: string,
): Promise<{ readonly tokenizer: Tokenizer; readonly hash: string }> {
  if (model?.folder === undefined) {
    throw new DataError(
      `Cannot ${purpose}: a model with a tokenizer of its own is needed, --model DIR with ${TOKENIZER}`,
    );
  }
  const { folder, outputs, vocabulary = outputs, tokenTypes = 0 } = model;
  const { pair, ...tokenizer } = await readTokenizer(folder);
  // Vocabularies of models are often padded to a round number.
  if (tokenizer.vocabularySize > vocabulary) {
    throw new DataError(
      `Cannot ${purpose}: the tokenizer in ${folder} has ${tokenizer.vocabularySize} tokens, the model ${vocabulary}`,
    );
  }
  const hashes = [TOKENIZER, CONFIG, CHAT_TEMPLATE, GENERATION, ...Object.keys(OTHERS)].map((file) =>
    hashFile(`${folder}/${file}`).catch(() => "none")
  );
  // Of another kind of model it may write kinds of token that this one has no row for.
  const isTaken = pair && (tokenTypes === 0 || pair.every(({ type }) => type < tokenTypes));
  const hash = [...await Promise.all(hashes), isTaken ? "pairs" : "no pairs"].join(" ");
  return { tokenizer: { ...tokenizer, ...(isTaken && { pair }) }, hash };
}

/**
 * A tokenizer of files' contents. Its `encode` and `decode` throw a DataError where a text takes too long,
 * or the file can't be used after all.
 *
 * @param limit the most time that making it, or a text, may take, in ms
 * @throws {DataError} as `readTokenizer` does
 */
export async function createTokenizer(
  json: object,
  config: object,
  where: string,
  special: SpecialTokens = {},
  limit: number = TIME_LIMIT,
): Promise<Tokenizer> {
  // Loaded when needed: generated tasks have their own.
  const [library, { OutOfTime, withinTime }] = await Promise.all([
    import("@huggingface/tokenizers"),
    import("./time_limit.ts"),
  ]);
  const validate = (reason: string) => new DataError(`Cannot use ${where}: ${reason}`);
  /** What the library gives for `what`. Its errors are of the file: what is asked of it is always the same. */
  const inTime = <T>(what: string, work: () => T): T => {
    try {
      return withinTime(limit, work);
    } catch (error) {
      if (error instanceof OutOfTime) {
        throw validate(`${what} took longer than ${limit / 1000} s, its expressions backtrack without end`);
      }
      // It may quote the file.
      const reason = reasonOf(error).replaceAll(/\p{Cc}+/gu, " ").slice(0, 200);
      throw validate(`its parts do not work together, ${reason}`);
    }
  };
  let vocabularySize: number;
  try {
    vocabularySize = checkTokenizer(json);
  } catch (error) {
    if (error instanceof TokenizerFlaw) throw validate(error.message);
    throw error;
  }
  const inner = inTime("making it", () => {
    // Its list of special tokens is for texts that are decoded without them.
    const made = new library.Tokenizer(withoutEmptyInversion(json), {
      ...config,
      additional_special_tokens: [],
    });
    // What is missing shows at the first text.
    const { ids } = made.encode(FIRST, { add_special_tokens: false });
    const known = ids.filter((id) => id !== undefined);
    if (known.length > 0) made.decode(known);
    return made;
  });
  const named = config as Readonly<Record<string, unknown>>;
  const tokenOf = (spelled: string | undefined): number | undefined => {
    if (spelled === undefined) return undefined;
    const token = inner.token_to_id(spelled);
    if (token === undefined) throw validate(`it has no token ${show(spelled)}`);
    return token;
  };
  const written = writtenTexts(json);
  // BERT's texts begin with one that stands for the whole, and end as parts of them do. Its own config names neither.
  const ends = spelling(named["eos_token"]) ?? spelling(named["sep_token"]);
  const stop = tokenOf(special.stop ?? ends ?? spelledAt(written?.single.at(-1)));
  if (stop === undefined) {
    throw validate('no token is known to end an answer, "eos_token" in tokenizer_config.json is needed');
  }
  const start = tokenOf(
    special.start ??
      (named["add_bos_token"] === false
        ? undefined
        : spelling(named["bos_token"]) ?? spelling(named["cls_token"]) ??
          (ends === undefined ? spelledAt(written?.single[0]) : undefined)),
  );
  const pair = written?.pair?.map((part): PairPart =>
    "text" in part ? part : { token: tokenOf(part.token)!, type: part.type }
  );
  const added =
    (json as { readonly added_tokens?: readonly { readonly id: number; readonly special: boolean }[] })
      .added_tokens?.filter((token) => token.special === true).map(({ id }) => id) ?? [];
  const { unk_token: spelled, unk_id: unknown = spelled === undefined ? null : inner.token_to_id(spelled) } =
    (json as { readonly model: { readonly unk_token?: string; readonly unk_id?: number | null } }).model;
  return {
    vocabularySize,
    ...(typeof unknown === "number" && { unknown }),
    ...(added.length > 0 && { special: new Set(added) }),
    pad: tokenOf(special.pad ?? spelling(named["pad_token"])) ?? stop,
    stop,
    ...(start !== undefined && { start }),
    ...(pair && { pair }),
    encode(text) {
      // The file's own special tokens around a text are for whole texts; here prompt and answer are parts.
      const { ids, tokens } = inTime(
        `a text of ${text.length} characters`,
        () => inner.encode(text, { add_special_tokens: false }),
      );
      const missing = ids.findIndex((id) => id === undefined);
      if (missing >= 0) {
        throw new RangeError(`Cannot encode ${show(text)}: ${where} lacks ${show(tokens[missing])}`);
      }
      return Int32Array.from(ids);
    },
    decode(tokens) {
      const ids = [...tokens];
      const unknown = ids.find((id) => inner.id_to_token(id) === undefined);
      if (unknown !== undefined) {
        throw new RangeError(`Cannot decode token ${unknown}: ${where} has 0 to ${vocabularySize - 1}`);
      }
      // Else spaces before punctuation would go: the text would not be that of the tokens.
      if (ids.length === 0) return "";
      return inTime(
        `a text of ${ids.length} tokens`,
        () => inner.decode(ids, { clean_up_tokenization_spaces: false }),
      );
    },
  };
}

/**
 * The library (0.2.0) loses all text at a split by the inverted empty pattern, which means the same as the empty one:
 * every character by itself.
 */
function withoutEmptyInversion(json: object): object {
  return JSON.parse(JSON.stringify(json), (_, value) => {
    const isEmptySplit = value?.type === "Split" && value.pattern?.String === "";
    return isEmptySplit ? { ...value, invert: false } : value;
  });
}

/** Configs spell a token as text, or as an object with its content; null where they have none. */
function spelling(value: unknown): string | undefined {
  const text = typeof value === "object" && value !== null && "content" in value ? value.content : value;
  return typeof text === "string" ? text : undefined;
}

/** How a part is spelled that is a token. */
function spelledAt(part: WrittenPart | undefined): string | undefined {
  return part && "token" in part ? part.token : undefined;
}

/** Null where there is no such file. */
async function readBytes(path: string): Promise<Uint8Array | null> {
  try {
    await requireFile(path);
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw new DataError(`Cannot read ${path}: ${reasonOf(error)}`);
  }
}

/** Null where there is no such file. */
async function readJson(path: string): Promise<object | null> {
  let value: unknown;
  try {
    value = await readJsonFile(path, MOST_BYTES);
  } catch (error) {
    if (error instanceof UnreadableFile) throw new DataError(`Cannot read ${path}: ${error.message}`);
    throw error;
  }
  if (value === undefined) return null;
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new DataError(`Cannot read ${path}: it is ${show(value)}, an object is needed`);
}
