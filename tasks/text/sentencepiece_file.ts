/**
 * @file SentencePiece's `tokenizer.model`, llama2.c's `tokenizer.bin` and the `vocab.json` of TensorFlow.js's sentence encoder,
 * read.
 *
 * Source: https://github.com/google/sentencepiece, sentencepiece_model.proto; https://github.com/karpathy/llama2.c,
 * tokenizer.py.
 */

/** What a piece is for, as the file numbers it. */
export const PIECE = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

/** A piece of text that is a token. Its place in the list is its id. */
export interface Piece {
  /** Its text, with "\u2581" for a space. */
  readonly piece: string;
  /** Logarithm of its probability; of BPE, the higher the earlier it is merged. 32 bits. */
  readonly score: number;
  /** One of `PIECE`. */
  readonly type: number;
}

/** A tokenizer's file. */
export interface SentencePieceModel {
  readonly pieces: readonly Piece[];
  readonly algorithm: "unigram" | "bpe";
  /** True where characters without a piece are spelled by bytes. */
  readonly hasBytes: boolean;
  /** Rules that bring a text to its normal form, see `createCharacterMap`; empty where there are none. */
  readonly characterMap: Uint8Array;
  /** True where Unicode's NFKC stands in for such rules, and all white space is a space. */
  readonly isCompatible?: true;
  /** True where a text gets a space before it. */
  readonly addsSpace: boolean;
  /** True where spaces at both ends go, and several become one. */
  readonly mergesSpaces: boolean;
  /** Spellings of the tokens that begin and end a text, and of the one that fills a row. */
  readonly begin: string;
  readonly end: string;
  readonly pad: string;
}

/** A flaw of a file. The message ends a sentence. */
export class SentencePieceFlaw extends Error {
  /** Tells it apart in logs. */
  override readonly name = "SentencePieceFlaw";
}

/** A field of a message: a number, 4 or 8 bytes, or a text, bytes or message. */
interface Field {
  readonly number: number;
  readonly value: number;
  readonly bytes: Uint8Array;
}

/** The fields of a message in Protocol Buffers' format. */
function* fieldsOf(bytes: Uint8Array): Generator<Field> {
  let at = 0;
  const broken = () => new SentencePieceFlaw("it is no SentencePiece model, or a part of one");
  const varint = () => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined) throw broken();
      // Numbers that matter here are below 2^31.
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw broken();
  };
  const take = (count: number) => {
    if (!(count <= bytes.length - at)) throw broken();
    at += count;
    return bytes.subarray(at - count, at);
  };
  while (at < bytes.length) {
    const tag = varint(), number = Math.floor(tag / 8), none = new Uint8Array(0);
    if (number === 0) throw broken();
    switch (tag % 8) {
      case 0:
        yield { number, value: varint(), bytes: none };
        break;
      case 1:
        yield { number, value: NaN, bytes: take(8) };
        break;
      case 2:
        yield { number, value: NaN, bytes: take(varint()) };
        break;
      case 5:
        yield { number, value: NaN, bytes: take(4) };
        break;
      default:
        throw broken();
    }
  }
}

const texts = new TextDecoder("utf-8", { ignoreBOM: true });

function floatOf(bytes: Uint8Array): number {
  return bytes.length === 4 ? new DataView(bytes.buffer, bytes.byteOffset, 4).getFloat32(0, true) : NaN;
}

/** Most pieces: a hundred times what large vocabularies have. */
const MOST_PIECES = 2 ** 24;

const ALGORITHMS = ["unigram", "bpe", "word", "char"] as const;

/** Reads `tokenizer.model`, or `spiece.model`. @throws {SentencePieceFlaw} where it is unsound, or of a kind that is not read */
export function parseSentencePiece(file: Uint8Array): SentencePieceModel {
  const pieces: Piece[] = [];
  const found = {
    ...{ algorithm: 1, hasBytes: false, begin: "<s>", end: "</s>", pad: "<pad>", isSuffix: false },
    ...{ characterMap: new Uint8Array(0), addsSpace: true, mergesSpaces: true, escapes: true },
  };
  for (const { number: part, bytes: message } of fieldsOf(file)) {
    if (part === 1) pieces.push(parsePiece(message, pieces.length));
    if (pieces.length > MOST_PIECES) {
      throw new SentencePieceFlaw(`it has more than ${MOST_PIECES} pieces`);
    }
    if (part === 2) {
      for (const { number, value, bytes } of fieldsOf(message)) {
        if (number === 3) found.algorithm = value;
        if (number === 24) found.isSuffix = value !== 0;
        if (number === 35) found.hasBytes = value !== 0;
        if (number === 46) found.begin = texts.decode(bytes);
        if (number === 47) found.end = texts.decode(bytes);
        if (number === 48) found.pad = texts.decode(bytes);
      }
    }
    if (part === 3) {
      for (const { number, value, bytes } of fieldsOf(message)) {
        if (number === 2) found.characterMap = bytes.slice();
        if (number === 3) found.addsSpace = value !== 0;
        if (number === 4) found.mergesSpaces = value !== 0;
        if (number === 5) found.escapes = value !== 0;
      }
    }
  }
  const { algorithm: kind, isSuffix, escapes, ...rest } = found, algorithm = ALGORITHMS[kind - 1];
  if (algorithm !== "unigram" && algorithm !== "bpe") {
    throw new SentencePieceFlaw(`its model is of type ${algorithm ?? kind}, unigram or bpe is needed`);
  }
  if (isSuffix || !escapes) {
    throw new SentencePieceFlaw("it writes spaces behind words or as they are, which is not read");
  }
  return checked({ ...rest, algorithm, pieces });
}

function parsePiece(bytes: Uint8Array, id: number): Piece {
  let piece = "", score = 0, type: number = PIECE.normal;
  for (const { number, value, bytes: inner } of fieldsOf(bytes)) {
    if (number === 1) piece = texts.decode(inner);
    if (number === 2) score = floatOf(inner);
    if (number === 3) type = value;
  }
  if (!Number.isFinite(score)) throw new SentencePieceFlaw(`piece ${id} has no finite score`);
  if (!(type >= PIECE.normal && type <= PIECE.byte)) {
    throw new SentencePieceFlaw(`piece ${id} is of type ${type}, 1 to 6 are known`);
  }
  return { piece, score, type };
}

/** A piece that stands for a byte. */
const BYTE = /^<0x([0-9A-F]{2})>$/;

/** The byte that a piece stands for. */
export function byteOf(piece: string): number {
  return parseInt(BYTE.exec(piece)![1]!, 16);
}

/** @param mayRepeat true where of equal pieces the last one counts */
function checked(model: SentencePieceModel, mayRepeat = false): SentencePieceModel {
  const { pieces, hasBytes } = model, seen = new Map<string, number>();
  if (pieces.length === 0) throw new SentencePieceFlaw("it has no pieces");
  pieces.forEach(({ piece, type }, id) => {
    const name = JSON.stringify(piece).slice(0, 80);
    if (piece === "") throw new SentencePieceFlaw(`piece ${id} is empty`);
    if (seen.has(piece) && !mayRepeat) {
      throw new SentencePieceFlaw(`its pieces ${seen.get(piece)} and ${id} are both ${name}`);
    }
    seen.set(piece, id);
    if (type === PIECE.byte && !BYTE.test(piece)) {
      throw new SentencePieceFlaw(`piece ${id} stands for a byte, and is ${name}`);
    }
  });
  const unknown = pieces.filter(({ type }) => type === PIECE.unknown).length;
  if (unknown !== 1) {
    throw new SentencePieceFlaw(
      `${unknown} of its pieces stand for what it does not know, one is needed`,
    );
  }
  const bytes = pieces.filter(({ type }) => type === PIECE.byte).length;
  if (hasBytes && bytes !== 256) {
    throw new SentencePieceFlaw(`it has ${bytes} of the 256 pieces that stand for bytes`);
  }
  return model;
}

/**
 * Reads llama2.c's `tokenizer.bin`: the length of the longest piece, then for each its score, its length and its bytes, all
 * numbers little-endian and of 4 bytes. It says less than SentencePiece's own file: what it leaves out is as in Llama's.
 *
 * @throws {SentencePieceFlaw} where it is unsound
 */
export function parseLlama2c(file: Uint8Array): SentencePieceModel {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength), pieces: Piece[] = [];
  const broken = () => new SentencePieceFlaw("it is no tokenizer of llama2.c's, or a part of one");
  if (file.length < 4) throw broken();
  const longest = view.getInt32(0, true);
  for (let at = 4; at < file.length;) {
    if (file.length - at < 8) throw broken();
    const score = view.getFloat32(at, true), length = view.getInt32(at + 4, true);
    if (!(length > 0 && length <= longest && length <= file.length - at - 8 && Number.isFinite(score))) {
      throw broken();
    }
    const text = texts.decode(file.subarray(at + 8, at + 8 + length)), id = pieces.length;
    const type = id === 0
      ? PIECE.unknown
      : id < 3
      ? PIECE.control
      : BYTE.test(text)
      ? PIECE.byte
      : PIECE.normal;
    // There the two tokens around a text stand on lines of their own.
    pieces.push({ piece: id < 3 ? text.trim() : text.replaceAll(" ", "\u2581"), score, type });
    at += 8 + length;
  }
  const names = { begin: pieces[1]?.piece ?? "", end: pieces[2]?.piece ?? "", pad: "" };
  const forms = { characterMap: new Uint8Array(0), addsSpace: true, mergesSpaces: false };
  return checked({ ...names, ...forms, pieces, algorithm: "bpe", hasBytes: true });
}

/** The first pieces of a sentence encoder: what is unknown, and what is no text. */
const RESERVED = 6;

/**
 * Reads the sentence encoder's `vocab.json`: pieces with their scores, of which null counts as 0. Of equal pieces the last counts.
 *
 * Source: https://github.com/tensorflow/tfjs-models, universal-sentence-encoder/src/tokenizer.
 *
 * @throws {SentencePieceFlaw} where it is another vocabulary, such as GPT-2's of that name
 */
export function parsePieceList(file: Uint8Array): SentencePieceModel {
  let list: unknown;
  try {
    list = JSON.parse(texts.decode(file));
  } catch {
    list = null;
  }
  const isPiece = (one: unknown): one is readonly [string, number | null] =>
    Array.isArray(one) && typeof one[0] === "string" && (one[1] === null || Number.isFinite(one[1]));
  if (!Array.isArray(list) || !list.every(isPiece)) {
    throw new SentencePieceFlaw('a list of ["piece", score] is needed');
  }
  const pieces = list.map(([piece, score], id): Piece => ({
    piece,
    score: Math.fround(score ?? 0),
    type: id === 0 ? PIECE.unknown : id < RESERVED ? PIECE.control : PIECE.normal,
  }));
  return checked({
    ...{ pieces, algorithm: "unigram", hasBytes: false, characterMap: new Uint8Array(0), isCompatible: true },
    ...{ addsSpace: true, mergesSpaces: true, begin: "", end: "</s>", pad: "</s>" },
  }, true);
}
