/** @file Others' tokenizers: `tokenizer.json` as it lies beside checkpoints on the Hugging Face hub. */
import { hashFile } from "../../numerics/file_hash.ts";
import { DataError, reasonOf } from "../data/data_error.ts";
import type { TaskModel } from "../task.ts";
import type { Tokenizer } from "./tokenizer.ts";

const TOKENIZER = "tokenizer.json";
const CONFIG = "tokenizer_config.json";

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
 * answer, `pad_token` pads, `bos_token` begins a text unless `add_bos_token` is false.
 *
 * @param folder path of the folder
 * @param special what the config does not say, or says otherwise
 * @throws {DataError} where a file can't be read or is no tokenizer, or no token is known to end an answer
 */
export async function readTokenizer(folder: string, special: SpecialTokens = {}): Promise<Tokenizer> {
  const path = `${folder}/${TOKENIZER}`;
  const json = await readJson(path);
  if (json === null) throw new DataError(`Cannot read ${path}: there is no such file or folder`);
  const config = await readJson(`${folder}/${CONFIG}`) ?? {};
  return await createTokenizer(json, config, path, special);
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
  const { folder, outputs } = model, tokenizer = await readTokenizer(folder);
  // Vocabularies of models are often padded to a round number.
  if (tokenizer.vocabularySize > outputs) {
    throw new DataError(
      `Cannot ${purpose}: ${folder}/${TOKENIZER} has ${tokenizer.vocabularySize} tokens, the model ${outputs}`,
    );
  }
  const hashes = [TOKENIZER, CONFIG].map((file) => hashFile(`${folder}/${file}`).catch(() => "none"));
  return { tokenizer, hash: (await Promise.all(hashes)).join(" ") };
}

/** A tokenizer of files' contents. @throws {DataError} as `readTokenizer` does */
export async function createTokenizer(
  json: object,
  config: object,
  where: string,
  special: SpecialTokens = {},
): Promise<Tokenizer> {
  // Loaded when needed: generated tasks have their own.
  const library = await import("@huggingface/tokenizers");
  let inner: InstanceType<typeof library.Tokenizer>;
  try {
    inner = new library.Tokenizer(withoutEmptyInversion(json), config);
  } catch (error) {
    throw new DataError(`Cannot use ${where}: ${reasonOf(error)}`);
  }
  const named = config as Readonly<Record<string, unknown>>;
  const tokenOf = (spelled: string | undefined): number | undefined => {
    if (spelled === undefined) return undefined;
    const token = inner.token_to_id(spelled);
    if (token === undefined) throw new DataError(`Cannot use ${where}: it has no token "${spelled}"`);
    return token;
  };
  const stop = tokenOf(special.stop ?? spelling(named["eos_token"]));
  if (stop === undefined) {
    throw new DataError(
      `Cannot use ${where}: no token is known to end an answer, "eos_token" in tokenizer_config.json is needed`,
    );
  }
  const start = tokenOf(
    special.start ?? (named["add_bos_token"] === false ? undefined : spelling(named["bos_token"])),
  );
  const vocabularySize = 1 + Math.max(...inner.get_vocab().values());
  return {
    vocabularySize,
    pad: tokenOf(special.pad ?? spelling(named["pad_token"])) ?? stop,
    stop,
    ...(start !== undefined && { start }),
    encode(text) {
      // The file's own special tokens around a text are for whole texts; here prompt and answer are parts.
      const { ids, tokens } = inner.encode(text, { add_special_tokens: false });
      const missing = ids.findIndex((id) => id === undefined);
      if (missing >= 0) {
        throw new RangeError(`Cannot encode ${JSON.stringify(text)}: ${where} lacks "${tokens[missing]}"`);
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
      return ids.length === 0 ? "" : inner.decode(ids, { clean_up_tokenization_spaces: false });
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

/** Null where there is no such file. */
async function readJson(path: string): Promise<object | null> {
  let value: unknown;
  try {
    value = JSON.parse(await Deno.readTextFile(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw new DataError(`Cannot read ${path}: ${reasonOf(error)}`);
  }
  if (typeof value === "object" && value !== null) return value;
  throw new DataError(`Cannot read ${path}: it is ${JSON.stringify(value)}, an object is needed`);
}
