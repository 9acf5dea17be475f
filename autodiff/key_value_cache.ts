/** @file Attention of tokens that come one by one: keys and values of those before are kept. */
import type { Gpu } from "../gpu/gpu.ts";
import type { Tensor } from "../gpu/tensor.ts";
import {
  gatherRows,
  type Rotary,
  type RowGather,
  scatterRows,
  singleQueryAttention,
} from "../kernels/mod.ts";
import type { Tape, Var } from "./tape.ts";

/** The attentions of a network that share a cache. */
export interface CacheSizes {
  /** Attentions with keys and values of their own. */
  readonly layers: number;
  /** Query heads. */
  readonly heads: number;
  /** Divides `heads`; query head h uses key-value head floor(h · keyValueHeads / heads). */
  readonly keyValueHeads: number;
  /** Width of a head. */
  readonly size: number;
  /** Tokens that one looks at at most, its own and those before; all where absent. */
  readonly window?: number;
  /** Usually 1 / sqrt(size). */
  readonly scale: number;
  /** Where given, scaled scores s become cap · tanh(s / cap). */
  readonly softCap?: number;
  /** Rotary angles for queries and keys, `[tokens of a text or more, size / 2, 2]`. */
  readonly angles?: Tensor;
}

/** Where the rows of the tokens that are read at the moment go. */
interface Places {
  /** Rows of the kept keys and values. */
  readonly kept: Tensor<"u32">;
  /** Rows of the queries, one after the other. */
  readonly inOrder: Tensor<"u32">;
  /** Positions in the texts. */
  readonly positions: Tensor<"u32">;
}

/** Keys that an attention meets are rounded up to multiples of this, so that few sizes of buffers occur. */
const KEYS_STEP = 8;

/**
 * Keys and values of texts that grow together, a token each at a time, from lengths of their own.
 *
 * Token t of a text stands at position t, whatever the lengths around it, so that nothing depends on the company that a
 * text has. Keys are kept rotated by their positions. Nothing here is differentiated.
 */
export class KeyValueCache {
  readonly #gpu: Gpu;
  readonly #sizes: CacheSizes;
  /** Tokens that a text may have. */
  readonly #room: number;
  #layers: readonly { readonly k: Tensor; readonly v: Tensor }[];
  #lengths: readonly number[];
  /** `[texts, room]`: 1 for the tokens that are kept and looked at. */
  #mask: Tensor<"u32">;
  #places: Places | null = null;

  /** Empty, for `texts` texts of up to `room` tokens each, in the caller's scope. */
  constructor(gpu: Gpu, sizes: CacheSizes, texts: number, room: number) {
    const { angles } = sizes;
    if (angles && angles.shape[0]! < room) {
      throw new RangeError(
        `Cannot keep ${room} tokens of a text: "${angles.label}" [${angles.shape}] has angles for ${
          angles.shape[0]
        }`,
      );
    }
    this.#gpu = gpu;
    this.#sizes = sizes;
    this.#room = room;
    this.#lengths = new Array<number>(texts).fill(0);
    this.#layers = Array.from({ length: sizes.layers }, () => this.#empty(texts));
    this.#mask = gpu.empty([texts, room], "tokens kept", "u32");
  }

  /** Tokens of each text that are kept. */
  get lengths(): readonly number[] {
    return this.#lengths;
  }

  /** `[texts, room]`: 1 for the tokens that are kept and looked at. `begin`, `advance` and `select` write it. */
  get mask(): Tensor<"u32"> {
    return this.#mask;
  }

  /** Keys that `attend` meets: those of the longest text, rounded up. The mask hides what a text does not have. */
  get keys(): number {
    const longest = Math.max(...this.#lengths);
    return Math.min(this.#room, Math.ceil(longest / KEYS_STEP) * KEYS_STEP);
  }

  /**
   * Begins the texts with `lengths[i]` tokens each, padded on the right to `padded`; `keep` then takes their keys and
   * values. The places are uploaded in the caller's scope.
   */
  begin(lengths: readonly number[], padded: number): void {
    if (padded > this.#room) {
      throw new RangeError(`Cannot begin texts with ${padded} tokens: there is room for ${this.#room}`);
    }
    this.#lengths = [...lengths];
    this.#place(Array.from(lengths, () => Array.from({ length: padded }, (_, t) => t)));
  }

  /**
   * Makes place for one more token of each text; `attend` then reads it. In a text that is full it replaces the last
   * one: such texts go along until they are left out. Uploads in the caller's scope.
   *
   * @throws {RangeError} where all texts are full
   */
  advance(): void {
    if (Math.min(...this.#lengths) >= this.#room) {
      throw new RangeError(`Cannot read another token: all texts have the ${this.#room} there is room for`);
    }
    this.#lengths = this.#lengths.map((length) => Math.min(length + 1, this.#room));
    this.#place(this.#lengths.map((length) => [length - 1]));
  }

  /** Keeps keys and values of all tokens that the texts begin with, `[texts · padded, keyValueHeads · size]`. */
  keep(layer: number, k: Var, v: Var): void {
    const kept = this.#layers[layer]!, { kept: places } = this.#current();
    for (const { needsGradient, value } of [k, v]) {
      if (needsGradient) throw new TypeError(`Cannot keep "${value.label}": its gradient is wanted`);
    }
    scatterRows(this.#gpu, k.value, places, kept.k, this.#rotary());
    scatterRows(this.#gpu, v.value, places, kept.v);
  }

  /**
   * Attention of each text's next token to all tokens up to itself, whose keys and values are kept first: q is
   * `[texts, heads · size]`, k and v `[texts, keyValueHeads · size]`. `bias` is `[heads, 1, keys]`.
   */
  attend(tape: Tape, layer: number, q: Var, k: Var, v: Var, bias?: Var): Var {
    this.keep(layer, k, v);
    const { inOrder } = this.#current(), rotary = this.#rotary();
    if (!rotary) return this.look(tape, layer, q, bias);
    const rotated = this.#gpu.empty(q.value.shape, `rotated ${q.value.label}`);
    scatterRows(this.#gpu, q.value, inOrder, rotated, rotary);
    return this.look(tape, layer, tape.constant(rotated), bias);
  }

  /** Attention of one query of each text, rotated already, to all that is kept. */
  look(tape: Tape, layer: number, q: Var, bias?: Var): Var {
    const { heads, keyValueHeads, size, scale, softCap } = this.#sizes, { k, v } = this.#layers[layer]!;
    const out = singleQueryAttention(this.#gpu, q.value, k, v, {
      // What follows a text's last token is hidden by the mask.
      ...{ keys: this.keys, heads, keyValueHeads, size, scale, mask: this.#mask },
      ...(softCap === undefined ? {} : { softCap }),
      ...(bias ? { bias: bias.value } : {}),
    });
    return tape.constant(out);
  }

  /** Goes on with the texts that `texts` lists alone, in that order; one may be named twice. In the caller's scope. */
  select(texts: readonly number[]): void {
    const gather = rowGather(this.#gpu, texts);
    this.#layers = this.#layers.map((old) => {
      const kept = this.#empty(texts.length);
      for (const side of ["k", "v"] as const) {
        gatherRows(this.#gpu, asRows(old[side], this.#lengths.length), gather, {
          into: asRows(kept[side], texts.length),
        });
      }
      return kept;
    });
    this.#lengths = texts.map((text) => this.#lengths[text]!);
    this.#places = null;
    this.#mask = this.#gpu.empty([texts.length, this.#room], "tokens kept", "u32");
    this.#writeMask();
  }

  #empty(texts: number): { readonly k: Tensor; readonly v: Tensor } {
    const { keyValueHeads, size } = this.#sizes, shape = [texts * this.#room, keyValueHeads * size];
    return { k: this.#gpu.empty(shape, "kept keys"), v: this.#gpu.empty(shape, "kept values") };
  }

  #current(): Places {
    if (!this.#places) throw new Error("Cannot keep keys and values: no token is being read");
    return this.#places;
  }

  #rotary(): Rotary | undefined {
    const { angles } = this.#sizes;
    return angles && { positions: this.#current().positions, angles };
  }

  /** Uploads where the tokens at `positions` of each text go. */
  #place(positions: readonly (readonly number[])[]): void {
    const flat = positions.flat(), room = this.#room;
    const words = (data: Iterable<number>, label: string) =>
      this.#gpu.upload(Uint32Array.from(data), "u32", [flat.length], label);
    const kept = positions.flatMap((some, text) => some.map((position) => text * room + position));
    this.#places = {
      kept: words(kept, "places of keys"),
      inOrder: words(flat.keys(), "places of queries"),
      positions: words(flat, "positions"),
    };
    this.#writeMask();
  }

  #writeMask(): void {
    const room = this.#room, { window = room } = this.#sizes;
    const mask = new Uint32Array(this.#lengths.length * room);
    this.#lengths.forEach((length, text) => {
      mask.fill(1, text * room + Math.max(0, length - window), text * room + length);
    });
    this.#gpu.write(this.#mask, mask);
  }
}

/** Gathers the rows `sources`, in that order. */
export function rowGather(gpu: Gpu, sources: readonly number[]): RowGather {
  const offsets = Uint32Array.from({ length: sources.length + 1 }, (_, i) => i);
  return {
    rows: sources.length,
    offsets: gpu.upload(offsets, "u32", [offsets.length], "row offsets"),
    sources: gpu.upload(Uint32Array.from(sources), "u32", [sources.length], "row sources"),
  };
}

/** A tensor as `rows` equal rows. */
function asRows(x: Tensor, rows: number): Tensor {
  const [tokens, width] = x.shape as [number, number];
  return { ...x, shape: [rows, tokens / rows * width] };
}
