/** @file What all decoders have in common: logits of whole texts, and texts that go on token by token with the same network. */
import {
  attention,
  type AttentionOptions,
  gatherMap,
  KeyValueCache,
  outputLogits,
  type RowMap,
} from "../autodiff/mod.ts";
import type { Tape, Var } from "../autodiff/tape.ts";
import type { Gpu } from "../gpu/gpu.ts";
import type { DecoderBatch, Forward, LastHidden, Model } from "./model.ts";
import { padRight, scoped } from "./padded_prompts.ts";

/** What a network reads, and how. */
export interface TextReading {
  /** Rows of the embedding. */
  readonly tokens: RowMap;
  /** Rows of a table of positions, for a network that has one; else null. */
  readonly positions: RowMap | null;
  /** Attention of the queries of a layer's tokens to keys and values: of the same tokens, or also of those before. */
  readonly attend: (tape: Tape, layer: number, q: Var, k: Var, v: Var) => Var;
  /** Picks the tokens whose scores are wanted; all where absent. */
  readonly last?: RowMap;
}

/** What scores are made of: of what follows each of the tokens that are read, or each of those that are picked. */
export type TextNetwork = (forward: Forward, reading: TextReading) => LastHidden;

/** What layers of attention that are alike have in common. */
export type AttentionKind = Pick<AttentionOptions, "scale" | "angles" | "window" | "softCap">;

/** A decoder by its parts. */
export interface TextParts {
  /** Its layers, to the last norm. */
  readonly network: TextNetwork;
  /** Tokens that it knows. */
  readonly vocabulary: number;
  /** Longest text in tokens. */
  readonly length: number;
  /** True where it has a table of positions. */
  readonly positions?: true;
  /** Of the attention of each layer; layers that are alike share one. */
  readonly kinds: readonly AttentionKind[];
  /** Query heads. */
  readonly heads: number;
  /** Divides `heads`. */
  readonly keyValueHeads: number;
  /** Width of a head. */
  readonly headSize: number;
}

/** `logits`, what they are made of, and `writer` of a decoder. */
export function textWriter(
  gpu: Gpu,
  { network, vocabulary, length, positions: hasPositions, kinds, heads, keyValueHeads, headSize }: TextParts,
): Required<Pick<Model<DecoderBatch>, "logits" | "lastHidden" | "writer">> {
  const sizes = { heads, keyValueHeads, size: headSize }, distinct = [...new Set(kinds)];
  /** The cache of each layer, and its place there. */
  const places = kinds.map((kind, layer) => ({
    cache: distinct.indexOf(kind),
    place: kinds.slice(0, layer).filter((one) => one === kind).length,
  }));
  const among = (layer: number, tokens: number): AttentionOptions => {
    const { window, ...kind } = kinds[layer]!;
    return {
      ...{ ...sizes, ...kind, length: tokens, causal: true },
      // A window that holds them all is none.
      ...(window !== undefined && window < tokens ? { window } : {}),
    };
  };
  const positionsOf = (places: readonly number[]) => hasPositions ? gatherMap(gpu, places, length) : null;
  const inRows = (rows: number, tokens: number) =>
    positionsOf(Array.from({ length: rows * tokens }, (_, i) => i % tokens));

  const scored = (forward: Forward, { states, map }: LastHidden) => outputLogits(forward.tape, states, map);
  const lastHidden = (forward: Forward, batch: DecoderBatch) => {
    const [rows, tokens] = batch.tokens.shape as [number, number];
    if (tokens > length) {
      throw new RangeError(`Cannot run a decoder of length ${length} on ${tokens} tokens`);
    }
    return network(forward, {
      tokens: gatherMap(gpu, batch.tokens.data, vocabulary),
      positions: inRows(rows, tokens),
      attend: (tape, layer, q, k, v) => attention(tape, q, k, v, among(layer, tokens)),
    });
  };

  return {
    lastHidden,
    logits: (forward, batch) => scored(forward, lastHidden(forward, batch)),
    writer: {
      // The last token that is written is not read.
      room: (prompt, longest) => Math.max(0, Math.min(longest, length) - prompt + 1),
      begin(forward, prompts, tokens) {
        const { tokens: read, padded, lengths } = padRight(prompts, length);
        const room = Math.min(length, Math.max(padded, Math.max(...lengths) + tokens - 1));
        const caches = distinct.map((kind) => {
          const layers = kinds.filter((one) => one === kind).length;
          return new KeyValueCache(gpu, { ...sizes, ...kind, layers }, prompts.length, room);
        });
        return {
          prompted: scoped(gpu, "prompts", () => {
            for (const cache of caches) cache.begin(lengths, padded);
            const last = lengths.map((length, text) => text * padded + length - 1);
            const hidden = network(forward, {
              last: gatherMap(gpu, last, read.length),
              tokens: gatherMap(gpu, read, vocabulary),
              positions: inRows(prompts.length, padded),
              attend(tape, layer, q, k, v) {
                const { cache, place } = places[layer]!;
                caches[cache]!.keep(place, k, v);
                // Padding lies behind: causal attention never looks there.
                return attention(tape, q, k, v, among(layer, padded));
              },
            });
            return scored(forward, hidden);
          }),
          next(tokens) {
            for (const cache of caches) cache.advance();
            const hidden = network(forward, {
              tokens: gatherMap(gpu, tokens, vocabulary),
              positions: positionsOf(caches[0]!.lengths.map((length) => length - 1)),
              attend(tape, layer, q, k, v) {
                const { cache, place } = places[layer]!;
                return caches[cache]!.attend(tape, place, q, k, v);
              },
            });
            return scored(forward, hidden);
          },
          select(texts) {
            for (const cache of caches) cache.select(texts);
          },
        };
      },
    },
  };
}
