/**
 * @file SentencePiece's tokenizers, Unigram and BPE, as its own program cuts texts.
 *
 * Source: https://github.com/google/sentencepiece 0.2.0: normalizer.cc, unigram_model.cc (EncodeOptimized), bpe_model.cc
 * (SampleEncode), sentencepiece_processor.cc (PopulateSentencePieceText). Kudo, arXiv 1804.10959; Kudo and Richardson, arXiv
 * 1808.06226.
 */
import { createCharacterMap } from "./character_map.ts";
import { byteOf, PIECE, type Piece, type SentencePieceModel } from "./sentencepiece_file.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** Stands for a space. */
const SPACE = "\u2581";
/** What a character without a piece costs beside the least likely piece. */
const UNKNOWN_PENALTY = 10;

/** What cuts texts. */
export interface SentencePiece extends Pick<Tokenizer, "encode" | "decode" | "vocabularySize"> {
  /** The token for characters without a piece; where bytes spell these it is never written. */
  readonly unknown: number;
  /** The token of a piece that is no text, e.g. "</s>"; undefined where there is none. */
  tokenOf(spelled: string): number | undefined;
}

/** A part of a text, with its id; null where no piece is it. */
interface Part {
  readonly text: string;
  readonly id: number | null;
}

/** A tokenizer of a file. @throws {SentencePieceFlaw} where its map of characters is unsound */
export function createSentencePiece(model: SentencePieceModel): SentencePiece {
  const { pieces, hasBytes, addsSpace, mergesSpaces } = model;
  const ids = new Map(pieces.map(({ piece }, id) => [piece, id]));
  const unknown = pieces.findIndex(({ type }) => type === PIECE.unknown);
  const isText = ({ type }: Piece) =>
    type === PIECE.normal || type === PIECE.userDefined || type === PIECE.unused;
  const known = new Map([...ids].filter(([, id]) => isText(pieces[id]!)));
  const byteIds = pieces.flatMap(({ piece, type }, id) => type === PIECE.byte ? [[byteOf(piece), id]] : []);
  const bytes = new Map(byteIds as [number, number][]);
  const normalize = createNormalizer(model);
  const cut = model.algorithm === "unigram" ? createUnigram(pieces, known) : createBpe(pieces, known);
  const encoder = new TextEncoder(), decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return {
    vocabularySize: pieces.length,
    unknown,
    tokenOf: (spelled) => ids.get(spelled),
    encode(text) {
      const tokens: number[] = [];
      let wasUnknown = false;
      for (const { text: part, id } of cut(normalize(text))) {
        if (id === null && hasBytes) tokens.push(...encoder.encode(part).map((byte) => bytes.get(byte)!));
        else if (id !== null || !wasUnknown) tokens.push(id ?? unknown);
        wasUnknown = id === null;
      }
      return Int32Array.from(tokens);
    },
    decode(tokens) {
      let text = "", spelled: number[] = [];
      const flush = () => {
        text += decoder.decode(Uint8Array.from(spelled));
        spelled = [];
      };
      for (const token of tokens) {
        const one = pieces[token];
        if (!one) throw new RangeError(`Cannot decode token ${token}: there are 0 to ${pieces.length - 1}`);
        if (one.type === PIECE.byte) {
          spelled.push(byteOf(one.piece));
          continue;
        }
        flush();
        text += one.piece;
      }
      flush();
      const plain = text.replaceAll(SPACE, " ");
      return addsSpace || mergesSpaces ? plain.replace(/^ /, "") : plain;
    },
  };
}

/** Brings a text to its normal form, with signs for spaces. */
function createNormalizer(
  { pieces, characterMap, isCompatible, addsSpace, mergesSpaces }: SentencePieceModel,
): (text: string) => string {
  const map = isCompatible
    ? (text: string) => text.normalize("NFKC").replaceAll(/\s+/g, " ")
    : characterMap.length === 0
    ? null
    : createCharacterMap(characterMap);
  // These stay as they are, whatever is in them.
  const fixed = pieces.filter(({ type }) => type === PIECE.userDefined).map(({ piece }) => piece);
  const parts = splitterOf(fixed);
  return (text) => {
    if (text === "") return "";
    let form = "";
    for (const { text: part, isFixed } of parts(text.toWellFormed())) {
      form += isFixed || !map ? part : map(part);
    }
    if (mergesSpaces) form = form.replaceAll(/ +/g, " ").replace(/^ /, "");
    const signed = `${addsSpace ? SPACE : ""}${form.replaceAll(" ", SPACE)}`;
    return mergesSpaces ? signed.replace(/\u2581+$/, "") : signed;
  };
}

/** Cuts out the longest of some texts wherever one begins. */
function splitterOf(
  fixed: readonly string[],
): (text: string) => Iterable<{ readonly text: string; readonly isFixed: boolean }> {
  if (fixed.length === 0) return (text) => [{ text, isFixed: false }];
  const longestFirst = fixed.toSorted((a, b) => b.length - a.length).map((one) => RegExp.escape(one));
  const pattern = new RegExp(`(${longestFirst.join("|")})`, "u");
  return (text) =>
    text.split(pattern).map((part, i) => ({ text: part, isFixed: i % 2 === 1 })).filter(({ text }) =>
      text !== ""
    );
}

/** The likeliest way to cut a text. */
function createUnigram(
  pieces: readonly Piece[],
  known: ReadonlyMap<string, number>,
): (text: string) => readonly Part[] {
  const scores = pieces.filter(({ type }) => type === PIECE.normal).map(({ score }) => score);
  const least = scores.reduce((least, score) => Math.min(least, score), Infinity);
  const most = scores.reduce((most, score) => Math.max(most, score), -Infinity);
  const beginnings = new Set<string>(), encoder = new TextEncoder();
  for (const piece of known.keys()) {
    for (let length = 1; length <= piece.length; length++) beginnings.add(piece.slice(0, length));
  }
  const scoreOf = (id: number, text: string) =>
    // What the user defined is always taken.
    pieces[id]!.type === PIECE.userDefined
      ? Math.fround(encoder.encode(text).length * most) - 0.1
      : pieces[id]!.score;
  return (text) => {
    // Scores are sums of 32-bit floats, as there.
    const best = new Float32Array(text.length + 1), from = new Int32Array(text.length + 1).fill(-1);
    const ids = new Int32Array(text.length + 1);
    const offer = (
      start: number,
      end: number,
      id: number,
      score: number,
      round = (sum: number) => sum,
    ) => {
      const candidate = round(score + best[start]!);
      if (from[end] !== -1 && candidate <= best[end]!) return;
      best[end] = candidate;
      from[end] = start;
      ids[end] = id;
    };
    for (let start = 0; start < text.length;) {
      const width = text.codePointAt(start)! > 0xffff ? 2 : 1;
      let hasSingle = false;
      for (let end = start + 1; end <= text.length; end++) {
        const part = text.slice(start, end);
        if (!beginnings.has(part)) break;
        const id = known.get(part);
        if (id === undefined || pieces[id]!.type === PIECE.unused) continue;
        offer(start, end, id, scoreOf(id, part));
        if (end - start === width) hasSingle = true;
      }
      if (!hasSingle) offer(start, start + width, -1, Math.fround(least - UNKNOWN_PENALTY), Math.fround);
      start += width;
    }
    const parts: Part[] = [];
    for (let end = text.length; end > 0; end = from[end]!) {
      parts.push({ text: text.slice(from[end], end), id: ids[end]! < 0 ? null : ids[end]! });
    }
    return parts.reverse();
  };
}

/** Two neighbours that may be merged. */
interface Pair {
  readonly left: number;
  readonly right: number;
  readonly score: number;
  readonly text: string;
}

/** Merges neighbours, those of the highest score first, and of equal ones the first. */
function createBpe(
  pieces: readonly Piece[],
  known: ReadonlyMap<string, number>,
): (text: string) => readonly Part[] {
  const fixed = new Set(pieces.filter(({ type }) => type === PIECE.userDefined).map(({ piece }) => piece));
  const split = splitterOf([...fixed]);
  const isBefore = (a: Pair, b: Pair) => a.score > b.score || (a.score === b.score && a.left < b.left);
  return (text) => {
    const symbols = Array.from(split(text)).flatMap((part) =>
      part.isFixed ? [part] : Array.from(part.text, (text) => ({ text, isFixed: false }))
    ).map(({ text, isFixed }, i, all) => ({
      text,
      isFixed,
      before: i - 1,
      after: i + 1 < all.length ? i + 1 : -1,
    }));
    const heap: Pair[] = [], halves = new Map<string, readonly [string, string]>();
    const add = (left: number, right: number) => {
      if (left < 0 || right < 0 || symbols[left]!.isFixed || symbols[right]!.isFixed) return;
      const joined = symbols[left]!.text + symbols[right]!.text, id = known.get(joined);
      if (id === undefined) return;
      // One that is not used is taken apart again.
      if (pieces[id]!.type === PIECE.unused) {
        halves.set(joined, [symbols[left]!.text, symbols[right]!.text]);
      }
      push(heap, { left, right, score: pieces[id]!.score, text: joined }, isBefore);
    };
    for (let i = 1; i < symbols.length; i++) add(i - 1, i);
    for (let pair; (pair = pop(heap, isBefore)) !== undefined;) {
      const left = symbols[pair.left]!, right = symbols[pair.right]!;
      if (left.text === "" || right.text === "" || left.text + right.text !== pair.text) continue;
      left.text = pair.text;
      right.text = "";
      left.after = right.after;
      if (left.after >= 0) symbols[left.after]!.before = pair.left;
      add(left.before, pair.left);
      add(pair.left, left.after);
    }
    const used = (part: string): Part[] => {
      const id = known.get(part), apart = halves.get(part);
      if (id === undefined) return [{ text: part, id: null }];
      return pieces[id]!.type === PIECE.unused && apart ? apart.flatMap(used) : [{ text: part, id }];
    };
    return symbols.filter(({ text }) => text !== "").flatMap(({ text }) => used(text));
  };
}

/** Adds to a heap whose first item comes before all others. */
function push<T>(heap: T[], item: T, isBefore: (a: T, b: T) => boolean): void {
  let at = heap.push(item) - 1;
  for (; at > 0; at = (at - 1) >> 1) {
    const above = heap[(at - 1) >> 1]!;
    if (!isBefore(item, above)) break;
    heap[at] = above;
  }
  heap[at] = item;
}

/** Takes the first item of such a heap. */
function pop<T>(heap: T[], isBefore: (a: T, b: T) => boolean): T | undefined {
  const first = heap[0], last = heap.pop();
  if (last === undefined || heap.length === 0) return first;
  let at = 0;
  for (;;) {
    const left = 2 * at + 1, right = left + 1;
    if (left >= heap.length) break;
    const below = right < heap.length && isBefore(heap[right]!, heap[left]!) ? right : left;
    if (!isBefore(heap[below]!, last)) break;
    heap[at] = heap[below]!;
    at = below;
  }
  heap[at] = last;
  return first;
}
