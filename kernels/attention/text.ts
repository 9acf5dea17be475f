/** @file What the WGSL of fused attention and of its gradients have in common: shapes, rows of heads, what a lane keeps. */
import type { KernelSpec } from "../../gpu/kernel.ts";
import { softBound } from "../pointwise/soft_bound.ts";
import { wgsl } from "../wgsl/compose.ts";
import { declarations } from "../wgsl/declarations.ts";

/** What varies in the text; lengths, heads and batches are uniforms. */
export interface AttentionShape {
  /** Width of a head. */
  readonly size: number;
  /** Rows of the other side that one dispatch meets, a multiple of 8. */
  readonly chunk: number;
  /** Lanes of a workgroup; each has one row. */
  readonly lanes: number;
  /** True where queries and keys are rotated by their positions; `size` is even then. */
  readonly rotary: boolean;
  readonly causal: boolean;
  /** True where a query sees no more than a window's last keys; `causal` is true then. */
  readonly windowed: boolean;
  /** True where scores are bent below a soft cap. */
  readonly capped: boolean;
  /** True where a mask says which keys take part. */
  readonly masked: boolean;
  /** How a bias that is added to the scores is read, if there is one: "vectors" where rows are whole vectors of four. */
  readonly bias: "none" | "elements" | "vectors";
  /** True where each batch has a bias of its own. */
  readonly ownBias: boolean;
}

/** A kernel that is made for a shape: its text, what it binds, in order, and its workgroup memory. */
export interface AttentionText {
  readonly source: string;
  readonly buffers: Readonly<Record<string, "read" | "read_write">>;
  readonly workgroupBytes: number;
}

/** Uniforms of all these kernels. */
export const ATTENTION_UNIFORMS = {
  queries: "u32",
  keys: "u32",
  heads: "u32",
  group: "u32",
  scoreScale: "f32",
  gradientScale: "f32",
  capScale: "f32",
  cap: "f32",
  window: "f32",
  firstBatch: "u32",
  firstBlock: "u32",
  first: "u32",
  firstKey: "u32",
  accumulate: "u32",
  accumulateV: "u32",
  zero: "u32",
} as const;

/** Products of a lane between two barriers: code that all lanes run while it is in the cache. */
const PHASE = 1024;
/** Vectors of four whose sums grow side by side in registers. */
const SIDE_BY_SIDE = 2;

/** WGSL constants of the kernels. */
export const CONSTANTS = {
  masked: wgsl`
    // The score of a key that takes no part.
    const MASKED = -3.0e38;
  `,
  lowest: wgsl`
    // Where a row's largest score starts from: above MASKED, below all real ones.
    const LOWEST = -1.0e37;
  `,
  nothing: wgsl`
    // The normalizer of a query that sees nothing: all its probabilities are 0.
    const NOTHING = 3.0e38;
  `,
  log2E: wgsl`
    // Scores are powers of 2, since that is what exp2() is made for.
    const LOG2_E = 1.4426950408889634;
  `,
  softBound: softBound("vec4<f32>"),
};

const AXES = "xyzw";
/** 0, 1, .. */
export const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const FOUR = range(4);
/** WGSL of a vector of four. */
export const four = (element: (i: number) => string) => `vec4(${FOUR.map(element).join(", ")})`;
/** WGSL of four kept values, counted in fours. */
export const kept = (at: number) => four((i) => `kept[${4 * at + i}]`);

/** A storage buffer of a kernel: its name in the spec, and its WGSL element type where it is not that of rows of heads. */
export type Buffer = readonly [name: string, access: "read" | "read_write", type?: string];

/** Workgroup memory: tiles of rows of heads, and numbers beside each row. */
export interface Tiles {
  readonly chunk: number;
  readonly tiles: readonly string[];
  readonly numbers: readonly string[];
}

/** A kernel out of its buffers, workgroup memory, constants and function `main`. */
export function attentionText(
  shape: Pick<AttentionShape, "size" | "rotary">,
  about: string,
  parts: {
    readonly buffers: readonly Buffer[];
    readonly memory?: Tiles;
    readonly constants?: readonly (string | false)[];
    readonly main: string;
  },
): AttentionText {
  const { quads, type } = rowsOfHeads(shape),
    { chunk, tiles, numbers } = parts.memory ??
      { chunk: 0, tiles: [], numbers: [] };
  const buffers: KernelSpec["buffers"] = Object.fromEntries(
    parts.buffers.map(([name, access]) => [name, access]),
  );
  const types = Object.fromEntries(parts.buffers.map(([name, , own = type]) => [name, own]));
  return {
    source: wgsl`
      // ${about}
      ${declarations({ buffers, uniforms: ATTENTION_UNIFORMS }, types)}

      ${tiles.map((name) => `var<workgroup> ${name}: array<vec4<f32>, ${chunk * quads}>;`)}
      ${numbers.map((name) => `var<workgroup> ${name}: array<f32, ${chunk}>;`)}

      ${(parts.constants ?? []).filter((text) => text !== false)}

      ${parts.main}
    `,
    buffers,
    workgroupBytes: chunk * (16 * quads * tiles.length + 4 * numbers.length),
  };
}

/** The buffers that an attention binds only where it needs them. */
export function optionalBuffers(shape: AttentionShape): readonly Buffer[] {
  const { rotary, masked, bias } = shape;
  return [
    ...(rotary ? [["angles", "read", rowsOfHeads(shape).anglesType] as const] : []),
    ...(masked ? [["mask", "read", "u32"] as const] : []),
    ...(bias === "none" ? [] : [["bias", "read", bias === "vectors" ? "vec4<f32>" : "f32"] as const]),
  ];
}

/** WGSL that declares `kept`, of so many vectors. */
export function declareKept(count: number): string {
  return wgsl`
    // Among its stores are some at \`u.zero + ..\`, which the compiler does not know: so it stays in memory.
    var kept: array<f32, ${4 * count}>;
  `;
}

/** WGSL that puts values into consecutive places of `kept`. */
export function keep(first: number, values: readonly string[]): string {
  const stores = values.flatMap((value, i) => {
    const name = isName(value) ? value : `t${i}`;
    return [
      ...(isName(value) ? [] : [`let ${name} = ${value};`]),
      ...FOUR.map((j) => `kept[${4 * (first + i) + j}] = ${name}.${AXES[j]};`),
    ];
  });
  const again = `kept[u.zero + ${4 * first}u] = ${isName(values[0]!) ? values[0] : "t0"}.x;`;
  // A block of its own where it declares names.
  return values.every(isName) ? [...stores, again].join("\n") : wgsl`
    {
      ${stores}
      ${again}
    }
  `;
}

function isName(text: string): boolean {
  return /^\w+$/.test(text);
}

/** `text(i)` for each of `count` pieces of so many products each, in phases between barriers. */
export function phases(count: number, products: number, text: (i: number) => string): string[] {
  const pieces = Math.max(1, Math.floor(PHASE / products));
  // The first barrier may also end the staging; the others only keep the lanes in one phase.
  return range(count).flatMap((i) => [...(i % pieces === 0 ? ["workgroupBarrier();"] : []), text(i)]);
}

/** How a row of a head is written to a buffer. */
export interface RowStore {
  /** Of the kept values; 1 where absent. */
  readonly scale?: string;
  /** Rotates the row back from this position. */
  readonly position?: string | null;
  /** Where this holds, the row is added to what is there, times `earlier`. */
  readonly accumulate: string;
  readonly earlier?: string;
}

/** WGSL over rows of heads of one size. */
export interface RowsOfHeads {
  /** Vectors of four in a row; the last one is filled up with zeros. */
  readonly quads: number;
  /** WGSL type of the elements of a buffer of rows, and of the angles. */
  readonly type: string;
  readonly anglesType: string;
  /** Keeps a row of a buffer, from `first`, rotated by a position where one is given; zeros where not `part`. */
  load(first: number, buffer: string, row: string, position: string | null, part?: string): string;
  /** Stages a row of a buffer as row r of a tile, rotated by a position where one is given; zeros where not `seen`. */
  stage(tile: string, buffer: string, row: string, position: string | null): string;
  /** Writes a kept row, from `first`, to a row of a buffer. */
  store(first: number, buffer: string, row: string, how: RowStore): string;
  /** Defines `product`, that of a row of each of two buffers. */
  productOfRows(a: string, b: string, row: string): string;
  /** Defines `name`0, `name`1, .. as the products of `count` rows of a tile, from `first`, with the row kept from `at`. */
  products(name: string, tile: string, first: number, count: number, at: number): string[];
  /** Keeps, from `to`, the sum of a tile's rows, each times its weight, kept from `weights`. */
  mix(tile: string, chunk: number, weights: number, to: number): string[];
}

/** WGSL over rows of heads: whole vectors where rows, and their halves where they are rotated, are such. */
export function rowsOfHeads({ size, rotary }: Pick<AttentionShape, "size" | "rotary">): RowsOfHeads {
  const areVectors = size % (rotary ? 8 : 4) === 0, quads = Math.ceil(size / 4);
  const type = areVectors ? "vec4<f32>" : "f32", count = areVectors ? quads : size, pairs = count / 2;

  /**
   * A loop over the pieces of a row: vectors or elements, or pairs of them that are rotated together. `write` gets a name
   * that it may declare.
   *
   * It counts `from` 0 where it meets `kept`, so that the compiler unrolls it: dynamic indices there made a forward
   * and backward pass 1.4 times as slow. Elsewhere it counts from and to what the compiler does not know, which is as
   * fast and sooner compiled.
   */
  const loop = ({ row, position = null, isBack = false, from = "0u", read, write }: {
    readonly row: string;
    readonly position?: string | null;
    readonly isBack?: boolean;
    readonly from?: "0u" | "u.zero";
    readonly read: (at: string) => string;
    readonly write: (at: string, value: string, name: string) => readonly string[];
  }): string => {
    const end = (of: number) => from === "0u" ? `${of}u` : `${of}u + ${from}`;
    if (position === null) {
      return wgsl`
        {
          let at = ${row} * ${count}u;
          for (var i = ${from}; i < ${end(count)}; i++) {
            ${write("i", read("i"), "piece")}
          }
        }
      `;
    }
    const angle = areVectors
      ? [
        `let a = angles[${position} * ${count}u + 2u * i];`,
        `let b = angles[${position} * ${count}u + 2u * i + 1u];`,
        "let cosine = vec4(a.xz, b.xz);",
        "let sine = vec4(a.yw, b.yw);",
      ]
      : [
        `let angle = angles[${position} * ${pairs}u + i];`,
        "let cosine = angle.x;",
        "let sine = angle.y;",
      ];
    const [minus, plus] = isBack ? ["+", "-"] : ["-", "+"], partner = `i + ${pairs}u`;
    return wgsl`
      {
        let at = ${row} * ${count}u;
        for (var i = ${from}; i < ${end(pairs)}; i++) {
          ${angle}
          let x = ${read("i")};
          let y = ${read(partner)};
          ${write("i", `x * cosine ${minus} y * sine`, "first")}
          ${write(partner, `y * cosine ${plus} x * sine`, "second")}
        }
      }
    `;
  };
  /** Index of component i of piece `at`, of what is kept from `first`. */
  const keptAt = (first: number, at: string, i = 0) => {
    const piece = !areVectors ? at : isName(at) ? `4u * ${at}` : `4u * (${at})`;
    return 4 * first + i === 0 ? piece : `${4 * first + i}u + ${piece}`;
  };

  return {
    ...{ quads, type, anglesType: areVectors ? "vec4<f32>" : "vec2<f32>" },
    load: (first, buffer, row, position, part) =>
      loop({
        ...{ row, position },
        read: (at) => `${buffer}[at + ${at}]`,
        write(at, value, name) {
          const whole = part ? `select(${type}(0.0), ${value}, ${part})` : value;
          if (!areVectors) return [`kept[${keptAt(first, at)}] = ${whole};`];
          return [
            `let ${name} = ${whole};`,
            ...FOUR.map((i) => `kept[${keptAt(first, at, i)}] = ${name}.${AXES[i]};`),
          ];
        },
      }),
    stage(tile, buffer, row, position) {
      const to = (at: string) => {
        const piece = isName(at) ? at : `(${at})`;
        return areVectors ? `${tile}[r * ${quads}u + ${at}]` : `gathered[${piece} / 4u][${piece} % 4u]`;
      };
      const staged = loop({
        ...{ row, position, from: "u.zero" },
        read: (at) => `${buffer}[at + ${at}]`,
        write: (at, value) => [`${to(at)} = select(${type}(0.0), ${value}, seen);`],
      });
      if (areVectors) return staged;
      return wgsl`
        {
          // Elements are gathered first: a store to one component may touch the whole vector.
          var gathered: array<vec4<f32>, ${quads}>;
          ${staged}
          for (var i = u.zero; i < ${quads}u + u.zero; i++) {
            ${tile}[r * ${quads}u + i] = gathered[i];
          }
        }
      `;
    },
    store: (first, buffer, row, { scale, position, accumulate, earlier }) =>
      loop({
        ...{ row, position: position ?? null, isBack: true },
        read: (at) =>
          areVectors ? four((i) => `kept[${keptAt(first, at, i)}]`) : `kept[${keptAt(first, at)}]`,
        write(at, value, name) {
          const isSum = /^\w+ \*/.test(value), factor = isSum ? `(${value})` : value;
          return [wgsl`
            var ${name} = ${scale === undefined ? value : `${scale} * ${factor}`};
            if (${accumulate}) {
              ${name} += ${buffer}[at + ${at}]${earlier === undefined ? "" : ` * ${earlier}`};
            }
            ${buffer}[at + ${at}] = ${name};
          `];
        },
      }),
    productOfRows(a, b, row) {
      const products = loop({
        ...{ row, from: "u.zero" },
        read: (at) => `${a}[at + ${at}] * ${b}[at + ${at}]`,
        write: (_, value) => [`product += ${areVectors ? `dot(vec4(1.0), ${value})` : value};`],
      });
      return wgsl`
        var product = 0.0;
        ${products}
      `;
    },
    products: (name, tile, first, count, at) =>
      range(quads).flatMap((q) => [
        `let ${name}_row${q} = ${kept(at + q)};`,
        ...range(count).map((i) => {
          const product = `dot(${tile}[${(first + i) * quads + q}], ${name}_row${q})`;
          return `${q === 0 ? "var " : ""}${name}${i} ${q === 0 ? "=" : "+="} ${product};`;
        }),
      ]),
    mix: (tile, chunk, weights, to) =>
      phases(Math.ceil(quads / SIDE_BY_SIDE), 4 * SIDE_BY_SIDE * chunk, (group) => {
        const some = range(SIDE_BY_SIDE).map((i) => group * SIDE_BY_SIDE + i).filter((q) => q < quads);
        const sums = range(chunk / 4).flatMap((block) => [
          `let w${block} = ${kept(weights + block)};`,
          ...FOUR.flatMap((i) =>
            some.map((q) => `m${q} += w${block}.${AXES[i]} * ${tile}[${(4 * block + i) * quads + q}];`)
          ),
        ]);
        return wgsl`
          {
            ${some.map((q) => `var m${q} = vec4(0.0);`)}
            ${sums}
            ${keep(to + some[0]!, some.map((q) => `m${q}`))}
          }
        `;
      }),
  };
}

/** WGSL of where a lane's row and its workgroup's batch are, with lanes along `rows`: the beginning of `main`. */
export function placesOf(rows: "queries" | "keys", lanes: number): string {
  return wgsl`
    let key_heads = u.heads / u.group;
    // The last query stands beside the last key, also where their numbers differ.
    let ahead = i32(u.keys) - i32(u.queries);
    let batch = u.first_batch + group.z;
    let own = (u.first_block + group.x) * ${lanes}u + lane;
    // Lanes beyond the end repeat the last row, and write nothing.
    let place = min(own, u.${rows} - 1u);
  `;
}

/** Whether a key takes part, as `knownText` has gathered it. */
export function knownOfKey(key: string): string {
  return `known[u.first_key + batch * u.keys + ${key}].x != 0.0`;
}

/** Workgroup memory of a chunk's keys and values; and where there is a mask what it says of them. */
export function keyMemory({ chunk, masked }: AttentionShape): Tiles {
  return { chunk, tiles: ["tile_k", "tile_v"], numbers: masked ? ["open"] : [] };
}

/** WGSL that stages a chunk's keys and values: rows that take no part are zeros. */
export function stageKeys(shape: AttentionShape, takesPart: string): string {
  const { chunk, lanes, rotary, masked } = shape, { stage } = rowsOfHeads(shape);
  return wgsl`
    let head = group.y;
    for (var r = lane; r < ${chunk}u; r += ${lanes}u) {
      let key = min(u.first + r, u.keys - 1u);
      let seen = u.first + r < u.keys${masked ? ` && ${takesPart}` : ""};
      let from_row = (batch * u.keys + key) * key_heads + head / u.group;
      ${stage("tile_k", "k", "from_row", rotary ? "key" : null)}
      ${stage("tile_v", "v", "from_row", null)}
      ${masked && "open[r] = select(MASKED, 0.0, seen);"}
    }
  `;
}

/** WGSL that puts the lane's query in front of `count` kept values, and its bias where scores will be. */
export function loadQuery(shape: AttentionShape, count: number, scores: number): string {
  const { chunk, rotary, bias } = shape, { load } = rowsOfHeads(shape);
  const elements = wgsl`
    for (var j = 0u; j < min(${chunk}u, in_chunk); j++) {
      kept[${4 * scores}u + j] = LOG2_E * bias[bias_at + j];
    }
  `;
  const vectors = wgsl`
    for (var j = 0u; j < min(${chunk / 4}u, in_chunk / 4u); j++) {
      let four = LOG2_E * bias[bias_at / 4u + j];
      ${FOUR.map((i) => `kept[${4 * scores + i}u + 4u * j] = four.${AXES[i]};`)}
    }
  `;
  const biases = wgsl`
    let bias_at = (${biasHead(shape)} * u.queries + place) * u.keys + u.first;
    let in_chunk = u.keys - u.first;
    ${bias === "vectors" ? vectors : elements}
  `;
  return wgsl`
    ${declareKept(count)}
    let row = (batch * u.queries + place) * u.heads + head;
    ${load(0, "q", "row", rotary ? "u32(i32(place) + ahead)" : null)}
    ${bias !== "none" && biases}
  `;
}

/** WGSL of the head whose bias is added: of those of all batches where each has its own. */
export function biasHead({ ownBias }: Pick<AttentionShape, "ownBias">): string {
  return ownBias ? "(batch * u.heads + head)" : "head";
}

/** WGSL of products of queries and keys as scores: of what a soft cap bends them to, a number from -1 to 1, where there is one. */
export function scaled({ capped }: Pick<AttentionShape, "capped">, products: string): string {
  return capped ? `u.cap * ${bent(products)}` : `${products} * u.score_scale`;
}

/** WGSL of what a soft cap bends products to, as shares of the cap. */
export function bent(products: string): string {
  return `soft_bound(${products} * u.cap_scale)`;
}

/**
 * WGSL of the scores of four keys of the chunk, from `first`, out of their `scaled` products with the lane's query, MASKED
 * where they take no part; the bias is kept at `at`.
 */
export function scoresOfKeys(
  { masked, bias }: AttentionShape,
  first: number,
  at: number,
  scaled: string,
): string {
  const open = masked
    ? four((i) => `open[${first + i}]`)
    : `select(vec4(MASKED), vec4(0.0), u.first + ${four((i) => `${first + i}u`)} < vec4(u.keys))`;
  return `${scaled} + ${open}${bias === "none" ? "" : ` + ${kept(at)}`}`;
}

/**
 * `scores` of four keys of the chunk, from `first`, MASKED where they are beyond the `last` that the lane's query sees, or
 * before its window.
 */
export function causally(shape: AttentionShape, scores: string, first: number, last: string): string {
  return `select(vec4(MASKED), ${scores}, ${seen(shape, four((i) => `${first + i}.0`), `vec4(${last})`)})`;
}

/** WGSL of whether keys at `places` are seen by queries that see none after `lasts`, both vectors of four. */
export function seen({ windowed }: AttentionShape, places: string, lasts: string): string {
  const causal = `${places} <= ${lasts}`;
  return windowed ? `(${causal}) & (${places} > ${lasts} - u.window)` : causal;
}
