/** @file Writes the WGSL of fused attention: scores live in a lane's own memory, never in a buffer. */

/** What varies in the text; lengths, heads and batches are uniforms. */
export interface AttentionShape {
  /** Width of a head. */
  readonly size: number;
  /** Rows of the other side that one dispatch meets, a multiple of 8. */
  readonly chunk: number;
  /** Lanes of a workgroup; each has one row. */
  readonly lanes: number;
  /** True where queries and keys are turned by their positions; `size` is even then. */
  readonly rotary: boolean;
  readonly causal: boolean;
  /** True where a mask says which keys take part. */
  readonly masked: boolean;
  /** True where a bias is added to the scores. */
  readonly biased: boolean;
}

/** A generated kernel: its text, what it binds, in order, and its workgroup memory. */
export interface AttentionText {
  readonly source: string;
  readonly buffers: Readonly<Record<string, "read" | "read_write">>;
  readonly workgroupBytes: number;
}

/** A storage buffer of a kernel, and its WGSL element type where it is not that of rows of heads. */
type Buffer = readonly [name: string, access: "read" | "read_write", type?: string];

/** Products of a lane between two barriers: code that all lanes run while it is in the cache. */
const PHASE = 1024;
/** Vectors of four whose sums grow side by side in registers. */
const SIDE_BY_SIDE = 2;
/** Rows of a tile whose scores grow side by side. */
const ROWS = 8;

// A key that takes no part has this score, and a row's largest score starts from LEAST: real ones are above it.
const MASKED = "-3.0e38", LEAST = "-1.0e37";
/** The normalizer of a query that sees nothing: all its probabilities are 0. */
const NOTHING = "3.0e38";
/** Scores are powers of 2, since that is what exp2() is made for. */
const LOG2_E = "1.4426950408889634";

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const FOUR = range(4);
const four = (element: (i: number) => string) => `vec4(${FOUR.map(element).join(", ")})`;

const UNIFORMS = `struct Uniforms {
  queries: u32, keys: u32, heads: u32, group: u32,
  score_scale: f32, gradient_scale: f32,
  first_batch: u32, first_block: u32, first: u32,
  accumulate: u32, accumulate_v: u32,
  // Always 0, which the compiler does not know.
  zero: u32,
}`;

/**
 * One chunk of keys for all queries.
 *
 * Adds to unnormalized sums in `out` and to (largest score, sum) in `statistics`. The last chunk that a workgroup's
 * queries see normalizes, and leaves (log2 of the sum of 2^score, 0).
 *
 * Lanes lie along the queries; each meets the keys and values of a chunk that its workgroup has staged. What makes
 * such a text fast on llvmpipe is told in `matmul_staged_source.ts`; here also values that live across barriers, such
 * as scores, lie in one array, `kept`, that a dynamic index keeps in memory: from there they are loaded.
 */
export function forwardText(shape: AttentionShape): AttentionText {
  const { chunk, lanes, causal, masked } = shape;
  const w = new Writer(shape), { quads } = w, scores = quads, state = quads + chunk / 4;
  w.declare([
    ["q", "read"],
    ["k", "read"],
    ["v", "read"],
    ...w.optional(shape),
    ["out", "read_write"],
    ["statistics", "read_write", "vec2<f32>"],
  ]);
  w.tiles(chunk, ["tile_k", "tile_v"], [["open", "f32"]]);
  sayPlaces(w, lanes, "queries");
  sayKeyTile(w, shape);
  sayQuery(w, shape, state + 1);

  w.phases(chunk / ROWS, 4 * quads * ROWS, (group) => {
    w.say("{");
    w.products("s", "tile_k", group * ROWS, ROWS, 0);
    w.keep(
      scores + group * ROWS / 4,
      range(ROWS / 4).map((i) => scoresOfKeys(shape, group * ROWS + 4 * i, (j) => `s${4 * i + j}`)),
    );
    w.say("}");
  });

  // max() may drop a NaN, which then comes back as its own probability.
  w.say(
    "workgroupBarrier();",
    "{",
    `var before = vec2(${LEAST}, 0.0);`,
    "if (u.first > 0u) { before = statistics[row]; }",
    "let last = f32(i32(place) + ahead - i32(u.first));",
  );
  for (const i of range(chunk / 4)) {
    w.say(`let s${i} = ${causal ? causally(`kept[${scores + i}]`, 4 * i, "last") : `kept[${scores + i}]`};`);
  }
  w.say("var tops = s0;");
  for (const i of range(chunk / 4).slice(1)) w.say(`tops = max(tops, s${i});`);
  w.say("let top = max(max(before.x, max(tops.x, tops.y)), max(tops.z, tops.w));", "var sums = vec4(0.0);");
  for (const i of range(chunk / 4)) w.say(`let p${i} = exp2(s${i} - top);`, `sums += p${i};`);
  w.keep(scores, range(chunk / 4).map((i) => `p${i}`));
  const reach = `i32((u.first_block + group.x + 1u) * ${lanes}u) + ahead`;
  w.say(
    "let rescale = exp2(before.x - top);",
    "let sum = before.y * rescale + ((sums.x + sums.y) + (sums.z + sums.w));",
    `let end = ${causal ? `min(i32(u.keys), ${reach})` : "i32(u.keys)"};`,
    "var scale = 1.0;",
    "var left = vec2(top, sum);",
    `if (i32(u.first) + ${chunk} >= end) {`,
    "scale = 1.0 / sum;",
    "left = vec2(top + log2(sum), 0.0);",
  );
  if (causal || masked) {
    w.say(
      "if (sum == 0.0) {",
      "// Either nothing is seen, which gives zeros, or every score is -infinity, which gives NaN.",
      `let count = ${causal ? "u32(max(i32(place) + ahead + 1, 0))" : "u.keys"};`,
      `var any = ${masked ? "false" : "count > 0u"};`,
    );
    if (masked) {
      w.say(
        "for (var key = 0u; key < count; key++) { any = any || mask[batch * u.keys + key] != 0u; }",
      );
    }
    w.say(`if (!any) { scale = 0.0; left = vec2(${NOTHING}, 0.0); }`, "}");
  }
  w.say("}", "if (own < u.queries) { statistics[row] = left; }");
  w.keep(state, ["vec4(rescale * scale, scale, 0.0, 0.0)"]);
  w.say("}");

  w.mix("tile_v", chunk, scores, 0);
  w.say("if (own < u.queries) {", `let state = kept[${state}];`);
  w.store("o", "out", "row", (q) => `kept[${q}] * state.y`, {
    accumulate: "u.first > 0u",
    earlier: "state.x",
  });
  w.say("}", "}");
  return w.text();
}

/** Puts each row's product of output and gradient beside its normalizer. */
export function deltaText(size: number): AttentionText {
  const w = new Writer({ size, rotary: false });
  w.declare([["out", "read"], ["gradient", "read"], ["statistics", "read_write", "vec2<f32>"]]);
  w.say(`
@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = (group.x + group.y * groups.x) * 64u + lane;
  if (row >= u.queries * u.heads) { return; }`);
  w.load("o", "out", "row");
  w.load("g", "gradient", "row");
  w.say("var delta = 0.0;");
  for (const q of range(w.quads)) w.say(`delta += dot(o${q}, g${q});`);
  w.say("statistics[row].y = delta;", "}");
  return w.text();
}

/**
 * One chunk of keys for all queries: adds to the gradient of the queries, or to that of the bias, one batch at a time
 * since all share it.
 */
export function queryGradientText(shape: AttentionShape, of: "queries" | "bias"): AttentionText {
  const { chunk, lanes, rotary, causal } = shape;
  const w = new Writer(shape), { quads } = w, scores = 2 * quads, state = scores + chunk / 4;
  w.declare([
    ["q", "read"],
    ["k", "read"],
    ["v", "read"],
    ...w.optional(shape),
    ["gradient", "read"],
    ["statistics", "read", "vec2<f32>"],
    of === "queries" ? ["q_gradient", "read_write"] : ["bias_gradient", "read_write", "f32"],
  ]);
  w.tiles(chunk, ["tile_k", "tile_v"], [["open", "f32"]]);
  sayPlaces(w, lanes, "queries");
  sayKeyTile(w, shape);
  sayQuery(w, shape, state + 1);
  w.load("g", "gradient", "row");
  w.keep(quads, range(quads).map((q) => `g${q}`));
  w.say("let known = statistics[row];");
  w.keep(state, ["vec4(known, f32(i32(place) + ahead - i32(u.first)), 0.0)"]);

  w.phases(chunk / 4, 8 * 4 * quads, (block) => {
    w.say("{", `let state = kept[${state}];`);
    w.products("s", "tile_k", 4 * block, 4, 0);
    w.products("d", "tile_v", 4 * block, 4, quads);
    const score = scoresOfKeys(shape, 4 * block, (i) => `s${i}`);
    w.say(`let p = exp2(${causal ? causally(score, 4 * block, "state.z") : score} - state.x);`);
    w.keep(scores + block, [`p * (${four((i) => `d${i}`)} - state.y)`]);
    w.say("}");
  });

  if (of === "queries") w.mix("tile_k", chunk, scores, 0);
  w.say("if (own < u.queries) {");
  if (of === "queries") {
    w.store("d", "q_gradient", "row", (q) => `kept[${q}] * u.gradient_scale`, {
      position: rotary ? "u32(i32(place) + ahead)" : null,
      accumulate: "u.accumulate != 0u",
    });
  } else {
    w.say("let to = (head * u.queries + place) * u.keys + u.first;");
    for (const j of range(chunk)) {
      const value = `kept[${scores + Math.floor(j / 4)}].${"xyzw"[j % 4]}`;
      w.say(`if (u.first + ${j}u < u.keys) { bias_gradient[to + ${j}u] += ${value}; }`);
    }
  }
  w.say("}", "}");
  return w.text();
}

/**
 * One chunk of the queries of a group of heads, counted head after head, for all keys: adds to the gradients of the
 * keys and the values.
 */
export function keyGradientText(shape: AttentionShape): AttentionText {
  const { chunk, lanes, rotary, causal, masked, biased } = shape;
  const w = new Writer(shape), { quads } = w;
  const weights = 2 * quads, scores = weights + chunk / 4, state = scores + chunk / 4;
  w.declare([
    ["q", "read"],
    ["k", "read"],
    ["v", "read"],
    ...w.optional(shape),
    ["gradient", "read"],
    ["statistics", "read", "vec2<f32>"],
    ["k_gradient", "read_write"],
    ["v_gradient", "read_write"],
  ]);
  w.tiles(chunk, ["tile_q", "tile_g"], [
    ["normalizers", "f32"],
    ["deltas", "f32"],
    ...(causal ? [["lasts", "f32"] as const] : []),
    ...(biased ? [["bias_rows", "u32"] as const] : []),
  ]);
  sayPlaces(w, lanes, "keys");
  w.say(`
  let key_head = group.y;
  for (var r = lane; r < ${chunk}u; r += ${lanes}u) {
    // Rows beyond the end are zeros with no probability.
    let seen = u.first + r < u.queries * u.group;
    let of_group = min(u.first + r, u.queries * u.group - 1u);
    let query = of_group % u.queries;
    let head = key_head * u.group + of_group / u.queries;
    let from_row = (batch * u.queries + query) * u.heads + head;`);
  w.load("q", "q", "from_row", rotary ? "u32(i32(query) + ahead)" : null);
  w.stage("tile_q", "r", "q", "seen");
  w.load("g", "gradient", "from_row");
  w.stage("tile_g", "r", "g", "seen");
  w.say(
    "let known = statistics[from_row];",
    `normalizers[r] = select(${NOTHING}, known.x, seen);`,
    "deltas[r] = select(0.0, known.y, seen);",
  );
  if (causal) w.say("lasts[r] = f32(i32(query) + ahead);");
  if (biased) w.say("bias_rows[r] = (head * u.queries + query) * u.keys;");
  w.say("}", `var kept: array<vec4<f32>, ${state + 1}>;`);
  w.say("let row = (batch * u.keys + place) * key_heads + key_head;");
  // As in the other kernels, a key that takes no part is zeros.
  if (masked) w.say("let takes_part = mask[batch * u.keys + place] != 0u;");
  const part = (value: string) => masked ? `select(vec4(0.0), ${value}, takes_part)` : value;
  w.load("k", "k", "row", rotary ? "place" : null);
  w.keep(0, range(quads).map((q) => part(`k${q}`)));
  w.load("v", "v", "row");
  w.keep(quads, range(quads).map((q) => part(`v${q}`)));
  w.keep(state, [`vec4(f32(place), ${masked ? `select(${MASKED}, 0.0, takes_part)` : "0.0"}, 0.0, 0.0)`]);

  w.phases(chunk / 4, 8 * 4 * quads, (block) => {
    const staged = (name: string) => four((i) => `${name}[${4 * block + i}]`);
    w.say("{", `let state = kept[${state}];`);
    w.products("s", "tile_q", 4 * block, 4, 0);
    w.products("d", "tile_g", 4 * block, 4, quads);
    const bias = `${LOG2_E} * ${four((i) => `bias[bias_rows[${4 * block + i}] + place]`)}`;
    const score = `${four((i) => `s${i}`)} * u.score_scale + state.y${biased ? ` + ${bias}` : ""}`;
    const within = causal ? `select(vec4(${MASKED}), ${score}, vec4(state.x) <= ${staged("lasts")})` : score;
    w.say(`let p = exp2(${within} - ${staged("normalizers")});`);
    w.keep(weights + block, ["p"]);
    w.keep(scores + block, [`p * (${four((i) => `d${i}`)} - ${staged("deltas")})`]);
    w.say("}");
  });

  w.mix("tile_g", chunk, weights, quads);
  w.mix("tile_q", chunk, scores, 0);
  w.say("if (own < u.keys) {");
  w.store("v", "v_gradient", "row", (q) => `kept[${quads + q}]`, { accumulate: "u.accumulate_v != 0u" });
  w.store("k", "k_gradient", "row", (q) => `kept[${q}] * u.gradient_scale`, {
    position: rotary ? "place" : null,
    accumulate: "u.accumulate != 0u",
  });
  w.say("}", "}");
  return w.text();
}

/** Says where a lane's row and its workgroup's batch are, with lanes along `rows`. */
function sayPlaces(w: Writer, lanes: number, rows: "queries" | "keys"): void {
  w.say(`
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let key_heads = u.heads / u.group;
  // The last query stands beside the last key, also where their numbers differ.
  let ahead = i32(u.keys) - i32(u.queries);
  let batch = u.first_batch + group.z;
  let own = (u.first_block + group.x) * ${lanes}u + lane;
  // Lanes beyond the end repeat the last row, and write nothing.
  let place = min(own, u.${rows} - 1u);`);
}

/** Stages a chunk's keys and values: rows that take no part are zeros and have a score of MASKED. */
function sayKeyTile(w: Writer, { chunk, lanes, rotary, masked }: AttentionShape): void {
  w.say(`
  let head = group.y;
  for (var r = lane; r < ${chunk}u; r += ${lanes}u) {
    let key = min(u.first + r, u.keys - 1u);
    let seen = u.first + r < u.keys${masked ? " && mask[batch * u.keys + key] != 0u" : ""};
    let from_row = (batch * u.keys + key) * key_heads + head / u.group;`);
  w.load("k", "k", "from_row", rotary ? "key" : null);
  w.stage("tile_k", "r", "k", "seen");
  w.load("v", "v", "from_row");
  w.stage("tile_v", "r", "v", "seen");
  w.say(`open[r] = select(${MASKED}, 0.0, seen);`, "}");
}

/** Puts the lane's query in front of `count` kept values. */
function sayQuery(w: Writer, { rotary, biased }: AttentionShape, count: number): void {
  w.say(`var kept: array<vec4<f32>, ${count}>;`, "let row = (batch * u.queries + place) * u.heads + head;");
  w.load("q", "q", "row", rotary ? "u32(i32(place) + ahead)" : null);
  w.keep(0, range(w.quads).map((q) => `q${q}`));
  if (biased) w.say("let bias_at = (head * u.queries + place) * u.keys;");
}

/** The scores of four keys of the chunk, from `first`, out of their products with the lane's query. */
function scoresOfKeys(
  { biased }: AttentionShape,
  first: number,
  product: (i: number) => string,
): string {
  const bias = four((i) => `bias[bias_at + min(u.first + ${first + i}u, u.keys - 1u)]`);
  return `${four(product)} * u.score_scale + ${four((i) => `open[${first + i}]`)}${
    biased ? ` + ${LOG2_E} * ${bias}` : ""
  }`;
}

/** `scores` of four keys of the chunk, from `first`, MASKED where they are beyond the `last` that the lane's query sees. */
function causally(scores: string, first: number, last: string): string {
  return `select(vec4(${MASKED}), ${scores}, ${four((i) => `${first + i}.0`)} <= vec4(${last}))`;
}

/** Collects the lines of one kernel over heads of one size. */
class Writer {
  /** Vectors of four in a row of a head; the last one is filled up with zeros. */
  readonly quads: number;
  readonly #size: number;
  /** True where rows of heads, and their halves where they are turned, are whole vectors. */
  readonly #vectors: boolean;
  readonly #lines: string[] = [];
  readonly #buffers: Record<string, "read" | "read_write"> = {};
  #workgroupBytes = 0;

  constructor({ size, rotary }: Pick<AttentionShape, "size" | "rotary">) {
    this.#size = size;
    this.#vectors = size % (rotary ? 8 : 4) === 0;
    this.quads = Math.ceil(size / 4);
  }

  say(...text: string[]): void {
    this.#lines.push(...text);
  }

  /** The finished kernel. */
  text(): AttentionText {
    return {
      source: this.#lines.join("\n"),
      buffers: this.#buffers,
      workgroupBytes: this.#workgroupBytes,
    };
  }

  /** Declares storage buffers in order, then the uniforms. */
  declare(buffers: readonly Buffer[]): void {
    this.say(UNIFORMS);
    for (const [i, [name, access, type = this.#vectors ? "vec4<f32>" : "f32"]] of buffers.entries()) {
      this.say(`@group(0) @binding(${i}) var<storage, ${access}> ${name}: array<${type}>;`);
      this.#buffers[name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase())] = access;
    }
    this.say(`@group(0) @binding(${buffers.length}) var<uniform> u: Uniforms;`);
  }

  /** The buffers that an attention binds only where it needs them. */
  optional({ rotary, masked, biased }: AttentionShape): readonly Buffer[] {
    return [
      ...(rotary ? [["angles", "read", this.#vectors ? "vec4<f32>" : "vec2<f32>"] as const] : []),
      ...(masked ? [["mask", "read", "u32"] as const] : []),
      ...(biased ? [["bias", "read", "f32"] as const] : []),
    ];
  }

  /** Declares workgroup memory: tiles of rows, and numbers beside each row. */
  tiles(
    chunk: number,
    tiles: readonly string[],
    numbers: readonly (readonly [name: string, type: string])[],
  ): void {
    for (const name of tiles) this.say(`var<workgroup> ${name}: array<vec4<f32>, ${chunk * this.quads}>;`);
    for (const [name, type] of numbers) this.say(`var<workgroup> ${name}: array<${type}, ${chunk}>;`);
    this.#workgroupBytes = chunk * (16 * this.quads * tiles.length + 4 * numbers.length);
  }

  /** Defines `name`0, `name`1, .. as the vectors of a row of a buffer, turned by a position where one is given. */
  load(name: string, buffer: string, row: string, position: string | null = null): void {
    const size = this.#size, half = size / 2, raw = position === null ? name : `${name}_raw`;
    this.say(`let ${name}_at = ${row} * ${this.#vectors ? this.quads : size}u;`);
    if (position !== null) this.#angles(name, position);
    if (this.#vectors) {
      for (const q of range(this.quads)) this.say(`let ${raw}${q} = ${buffer}[${name}_at + ${q}u];`);
      if (position !== null) {
        this.#turn(this.quads, (q) => `${raw}${q}`, name, 1, (q, value) => `let ${name}${q} = ${value};`);
      }
      return;
    }
    for (const d of range(size)) this.say(`let ${raw}_${d} = ${buffer}[${name}_at + ${d}u];`);
    if (position !== null) {
      this.#turn(2 * half, (d) => `${raw}_${d}`, name, 1, (d, value) => `let ${name}_${d} = ${value};`);
    }
    const element = (d: number) => d < size ? `${name}_${d}` : "0.0";
    for (const q of range(this.quads)) this.say(`let ${name}${q} = ${four((i) => element(4 * q + i))};`);
  }

  /**
   * Writes the vectors `value(q)` of a row, turned back from a position where one is given. Where `accumulate` holds
   * they are added to what is there, times `earlier`.
   */
  store(
    name: string,
    buffer: string,
    row: string,
    value: (q: number) => string,
    options: { readonly position?: string | null; readonly accumulate: string; readonly earlier?: string },
  ): void {
    const { position = null, accumulate, earlier } = options, count = this.#vectors ? this.quads : this.#size;
    const there = `${buffer}[at]${earlier ? ` * ${earlier}` : ""}`;
    const put = (i: number, text: string) =>
      `{ let at = ${name}_to + ${i}u; var value = ${text}; ` +
      `if (${accumulate}) { value += ${there}; } ${buffer}[at] = value; }`;
    const piece = (i: number) =>
      this.#vectors ? `${name}_row${i}` : `${name}_row${Math.floor(i / 4)}.${"xyzw"[i % 4]}`;
    this.say(`let ${name}_to = ${row} * ${count}u;`);
    for (const q of range(this.quads)) this.say(`let ${name}_row${q} = ${value(q)};`);
    if (position === null) {
      for (const i of range(count)) this.say(put(i, piece(i)));
    } else {
      this.#angles(`${name}_to`, position);
      this.#turn(count, piece, `${name}_to`, -1, put);
    }
  }

  /** tile[row ..] = `name`0, `name`1, .., or zeros where `seen` does not hold. */
  stage(tile: string, row: string, name: string, seen: string): void {
    for (const q of range(this.quads)) {
      this.say(`${tile}[${row} * ${this.quads}u + ${q}u] = select(vec4(0.0), ${name}${q}, ${seen});`);
    }
  }

  /** Puts values into consecutive places of `kept`. */
  keep(first: number, values: readonly string[]): void {
    // One of them at an index that the compiler does not know: the array stays in memory.
    this.say(`{ let pinned = ${values[0]};`, `kept[${first}] = pinned;`);
    values.slice(1).forEach((value, i) => this.say(`kept[${first + 1 + i}] = ${value};`));
    this.say(`kept[u.zero + ${first}u] = pinned; }`);
  }

  /** `text(i)` for each of `count` pieces of so many products each, in phases. */
  phases(count: number, products: number, text: (i: number) => void): void {
    const pieces = Math.max(1, Math.floor(PHASE / products));
    for (const i of range(count)) {
      // The first barrier may also end the staging; the others only keep the lanes in one phase.
      if (i % pieces === 0) this.say("workgroupBarrier();");
      text(i);
    }
  }

  /** Defines `name`0, `name`1, .. as the products of `count` rows of a tile, from `first`, with the row kept from `at`. */
  products(name: string, tile: string, first: number, count: number, at: number): void {
    for (const q of range(this.quads)) {
      this.say(`let ${name}_row${q} = kept[${at + q}];`);
      for (const i of range(count)) {
        const product = `dot(${tile}[${(first + i) * this.quads + q}], ${name}_row${q})`;
        this.say(`${q === 0 ? "var " : ""}${name}${i} ${q === 0 ? "=" : "+="} ${product};`);
      }
    }
  }

  /** Keeps, from `to`, the sum of a tile's rows, each times its weight, kept from `weights`. */
  mix(tile: string, chunk: number, weights: number, to: number): void {
    this.phases(Math.ceil(this.quads / SIDE_BY_SIDE), 4 * SIDE_BY_SIDE * chunk, (group) => {
      const some = range(SIDE_BY_SIDE).map((i) => group * SIDE_BY_SIDE + i).filter((q) => q < this.quads);
      this.say("{");
      for (const q of some) this.say(`var m${q} = vec4(0.0);`);
      for (const block of range(chunk / 4)) {
        this.say(`let w${block} = kept[${weights + block}];`);
        for (const i of FOUR) {
          for (const q of some) {
            this.say(`m${q} += w${block}.${"xyzw"[i]} * ${tile}[${(4 * block + i) * this.quads + q}];`);
          }
        }
      }
      this.keep(to + some[0]!, some.map((q) => `m${q}`));
      this.say("}");
    });
  }

  /** Defines cosines and sines of a position, `name`_cos0 .. and `name`_sin0 .., for pairs of vectors or of elements. */
  #angles(name: string, position: string): void {
    const pairs = this.#vectors ? this.quads / 2 : this.#size / 2;
    this.say(`let ${name}_angles = ${position} * ${this.#vectors ? this.quads : pairs}u;`);
    for (const i of range(pairs)) {
      if (this.#vectors) {
        for (const j of [0, 1]) {
          this.say(`let ${name}_angle${2 * i + j} = angles[${name}_angles + ${2 * i + j}u];`);
        }
        const [a, b] = [`${name}_angle${2 * i}`, `${name}_angle${2 * i + 1}`];
        this.say(
          `let ${name}_cos${i} = vec4(${a}.xz, ${b}.xz);`,
          `let ${name}_sin${i} = vec4(${a}.yw, ${b}.yw);`,
        );
      } else {
        this.say(`let ${name}_angle${i} = angles[${name}_angles + ${i}u];`);
        this.say(`let ${name}_cos${i} = ${name}_angle${i}.x;`, `let ${name}_sin${i} = ${name}_angle${i}.y;`);
      }
    }
  }

  /** Says `count` pieces of a row, each turned with its partner of the other half; `direction` -1 turns back. */
  #turn(
    count: number,
    piece: (i: number) => string,
    angles: string,
    direction: 1 | -1,
    text: (i: number, turned: string) => string,
  ): void {
    const half = count / 2;
    for (const i of range(count)) {
      const pair = i % half, first = i < half;
      const sign = first === (direction === 1) ? "-" : "+";
      const partner = piece(first ? i + half : pair);
      this.say(text(i, `${piece(i)} * ${angles}_cos${pair} ${sign} ${partner} * ${angles}_sin${pair}`));
    }
  }
}
