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
  /** How a bias that is added to the scores is read, if there is one: "vectors" where rows are whole vectors of four. */
  readonly bias: "none" | "elements" | "vectors";
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

/** Four kept values, counted in fours. */
const kept = (at: number) => four((i) => `kept[${4 * at + i}]`);

const UNIFORMS = `struct Uniforms {
  queries: u32, keys: u32, heads: u32, group: u32,
  score_scale: f32, gradient_scale: f32,
  first_batch: u32, first_block: u32, first: u32, first_key: u32,
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
  sayKeyMemory(w, shape);
  sayPlaces(w, lanes, "queries");
  sayKeyTile(w, shape, "mask[batch * u.keys + key] != 0u");
  sayQuery(w, shape, state + 1, scores);

  w.phases(chunk / ROWS, 4 * quads * ROWS, (group) => {
    w.say("{");
    w.products("s", "tile_k", group * ROWS, ROWS, 0);
    w.keep(
      scores + group * ROWS / 4,
      range(ROWS / 4).map((i) =>
        scoresOfKeys(shape, group * ROWS + 4 * i, scores + group * ROWS / 4 + i, (j) => `s${4 * i + j}`)
      ),
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
    w.say(`let s${i} = ${causal ? causally(kept(scores + i), 4 * i, "last") : kept(scores + i)};`);
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
  w.say("if (own < u.queries) {", `let state = ${kept(state)};`);
  w.store(0, "out", "row", {
    scale: "state.y",
    accumulate: "u.first > 0u",
    earlier: "state.x",
  });
  w.say("}", "}");
  return w.text();
}

/**
 * Gathers what the gradients know: of each row (its normalizer, its product of output and gradient), and then of each key,
 * where there is a mask, whether it takes part. As one buffer, since an adapter may allow no more than 8 in a kernel.
 */
export function knownText({ size, masked }: Pick<AttentionShape, "size" | "masked">): AttentionText {
  const w = new Writer({ size, rotary: false });
  w.declare([
    ["out", "read"],
    ["gradient", "read"],
    ["statistics", "read", "vec2<f32>"],
    ...(masked ? [["mask", "read", "u32"] as const] : []),
    ["known", "read_write", "vec2<f32>"],
  ]);
  w.say(`
@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = (group.x + group.y * groups.x) * 64u + lane;`);
  if (masked) w.say("if (row < u.keys) { known[u.first_key + row] = vec2(f32(mask[row] != 0u), 0.0); }");
  w.say("if (row >= u.queries * u.heads) { return; }");
  w.productOfRows("out", "gradient", "row");
  w.say("known[row] = vec2(statistics[row].x, product);", "}");
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
    ...w.optional({ ...shape, masked: false }),
    ["gradient", "read"],
    ["known", "read", "vec2<f32>"],
    of === "queries" ? ["q_gradient", "read_write"] : ["bias_gradient", "read_write", "f32"],
  ]);
  sayKeyMemory(w, shape);
  sayPlaces(w, lanes, "queries");
  sayKeyTile(w, shape, knownOfKey("key"));
  sayQuery(w, shape, state + 1, scores);
  w.load(quads, "gradient", "row", null);
  w.keep(state, ["vec4(known[row], f32(i32(place) + ahead - i32(u.first)), 0.0)"]);

  w.phases(chunk / 4, 8 * 4 * quads, (block) => {
    w.say("{", `let state = ${kept(state)};`);
    w.products("s", "tile_k", 4 * block, 4, 0);
    w.products("d", "tile_v", 4 * block, 4, quads);
    const score = scoresOfKeys(shape, 4 * block, scores + block, (i) => `s${i}`);
    w.say(`let p = exp2(${causal ? causally(score, 4 * block, "state.z") : score} - state.x);`);
    w.keep(scores + block, [`p * (${four((i) => `d${i}`)} - state.y)`]);
    w.say("}");
  });

  if (of === "queries") w.mix("tile_k", chunk, scores, 0);
  w.say("if (own < u.queries) {");
  if (of === "queries") {
    w.store(0, "q_gradient", "row", {
      scale: "u.gradient_scale",
      position: rotary ? "u32(i32(place) + ahead)" : null,
      accumulate: "u.accumulate != 0u",
    });
  } else {
    w.say(
      "let to = (head * u.queries + place) * u.keys + u.first;",
      `let count = min(${chunk}u, u.keys - u.first);`,
      `for (var j = 0u; j < count; j++) { bias_gradient[to + j] += kept[${4 * scores}u + j]; }`,
    );
  }
  w.say("}", "}");
  return w.text();
}

/**
 * One chunk of the queries of a group of heads, counted head after head, for all keys: adds to the gradients of the
 * keys and the values.
 */
export function keyGradientText(shape: AttentionShape): AttentionText {
  const { chunk, lanes, rotary, causal, masked, bias } = shape, biased = bias !== "none";
  const w = new Writer(shape), { quads } = w;
  const weights = 2 * quads, scores = weights + chunk / 4, state = scores + chunk / 4;
  w.declare([
    ["q", "read"],
    ["k", "read"],
    ["v", "read"],
    ...w.optional({ ...shape, masked: false }),
    ["gradient", "read"],
    ["known", "read", "vec2<f32>"],
    ["k_gradient", "read_write"],
    ["v_gradient", "read_write"],
  ]);
  w.tiles(chunk, ["tile_q", "tile_g"], [
    ["normalizers", "f32"],
    ["deltas", "f32"],
    ...(causal ? [["lasts", "f32"] as const] : []),
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
  w.stage("tile_q", "q", "from_row", rotary ? "u32(i32(query) + ahead)" : null);
  w.stage("tile_g", "gradient", "from_row", null);
  w.say(
    "let of_row = known[from_row];",
    `normalizers[r] = select(${NOTHING}, of_row.x, seen);`,
    "deltas[r] = select(0.0, of_row.y, seen);",
  );
  if (causal) w.say("lasts[r] = f32(i32(query) + ahead);");
  w.say("}", `var kept: array<f32, ${4 * (state + 1)}>;`);
  w.say("let row = (batch * u.keys + place) * key_heads + key_head;");
  // As in the other kernels, a key that takes no part is zeros.
  if (masked) w.say(`let takes_part = ${knownOfKey("place")};`);
  const part = masked ? "takes_part" : undefined;
  w.load(0, "k", "row", rotary ? "place" : null, part);
  w.load(quads, "v", "row", null, part);
  if (biased) {
    w.say(
      `for (var j = 0u; j < min(${chunk}u, u.queries * u.group - u.first); j++) {`,
      "let of_group = u.first + j;",
      "let head = key_head * u.group + of_group / u.queries;",
      "let at = (head * u.queries + of_group % u.queries) * u.keys + place;",
      `kept[${4 * weights}u + j] = ${LOG2_E} * bias[at];`,
      "}",
    );
  }
  w.keep(state, [`vec4(f32(place), ${masked ? `select(${MASKED}, 0.0, takes_part)` : "0.0"}, 0.0, 0.0)`]);

  w.phases(chunk / 4, 8 * 4 * quads, (block) => {
    const staged = (name: string) => four((i) => `${name}[${4 * block + i}]`);
    w.say("{", `let state = ${kept(state)};`);
    w.products("s", "tile_q", 4 * block, 4, 0);
    w.products("d", "tile_g", 4 * block, 4, quads);
    const score = `${four((i) => `s${i}`)} * u.score_scale + state.y${
      biased ? ` + ${kept(weights + block)}` : ""
    }`;
    const within = causal ? `select(vec4(${MASKED}), ${score}, vec4(state.x) <= ${staged("lasts")})` : score;
    w.say(`let p = exp2(${within} - ${staged("normalizers")});`);
    w.keep(weights + block, ["p"]);
    w.keep(scores + block, [`p * (${four((i) => `d${i}`)} - ${staged("deltas")})`]);
    w.say("}");
  });

  w.mix("tile_g", chunk, weights, quads);
  w.mix("tile_q", chunk, scores, 0);
  w.say("if (own < u.keys) {");
  w.store(quads, "v_gradient", "row", { scale: "1.0", accumulate: "u.accumulate_v != 0u" });
  w.store(0, "k_gradient", "row", {
    scale: "u.gradient_scale",
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

/** Whether a key takes part, as `knownText` has gathered it. */
function knownOfKey(key: string): string {
  return `known[u.first_key + batch * u.keys + ${key}].x != 0.0`;
}

/** Workgroup memory of a chunk's keys and values; and where there is a mask what it says of them. */
function sayKeyMemory(w: Writer, { chunk, masked }: AttentionShape): void {
  w.tiles(chunk, ["tile_k", "tile_v"], masked ? [["open", "f32"]] : []);
}

/** Stages a chunk's keys and values: rows that take no part are zeros. */
function sayKeyTile(w: Writer, { chunk, lanes, rotary, masked }: AttentionShape, takesPart: string): void {
  w.say(`
  let head = group.y;
  for (var r = lane; r < ${chunk}u; r += ${lanes}u) {
    let key = min(u.first + r, u.keys - 1u);
    let seen = u.first + r < u.keys${masked ? ` && ${takesPart}` : ""};
    let from_row = (batch * u.keys + key) * key_heads + head / u.group;`);
  w.stage("tile_k", "k", "from_row", rotary ? "key" : null);
  w.stage("tile_v", "v", "from_row", null);
  if (masked) w.say(`open[r] = select(${MASKED}, 0.0, seen);`);
  w.say("}");
}

/** Puts the lane's query in front of `count` kept values, and its bias where scores will be. */
function sayQuery(w: Writer, { chunk, rotary, bias }: AttentionShape, count: number, scores: number): void {
  w.say(`var kept: array<f32, ${4 * count}>;`, "let row = (batch * u.queries + place) * u.heads + head;");
  w.load(0, "q", "row", rotary ? "u32(i32(place) + ahead)" : null);
  if (bias === "none") return;
  w.say("let bias_at = (head * u.queries + place) * u.keys + u.first;", "let in_chunk = u.keys - u.first;");
  if (bias === "elements") {
    w.say(
      `for (var j = 0u; j < min(${chunk}u, in_chunk); j++) {`,
      `kept[${4 * scores}u + j] = ${LOG2_E} * bias[bias_at + j];`,
      "}",
    );
  } else {
    w.say(`for (var j = 0u; j < min(${chunk / 4}u, in_chunk / 4u); j++) {`);
    w.say(`let four = ${LOG2_E} * bias[bias_at / 4u + j];`);
    for (const i of FOUR) w.say(`kept[${4 * scores + i}u + 4u * j] = four.${"xyzw"[i]};`);
    w.say("}");
  }
}

/**
 * The scores of four keys of the chunk, from `first`, out of their products with the lane's query, MASKED where they take no
 * part; the bias is kept at `at`.
 */
function scoresOfKeys(
  { masked, bias }: AttentionShape,
  first: number,
  at: number,
  product: (i: number) => string,
): string {
  const open = masked
    ? four((i) => `open[${first + i}]`)
    : `select(vec4(${MASKED}), vec4(0.0), u.first + ${four((i) => `${first + i}u`)} < vec4(u.keys))`;
  return `${four(product)} * u.score_scale + ${open}${bias === "none" ? "" : ` + ${kept(at)}`}`;
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
  optional({ rotary, masked, bias }: AttentionShape): readonly Buffer[] {
    return [
      ...(rotary ? [["angles", "read", this.#vectors ? "vec4<f32>" : "vec2<f32>"] as const] : []),
      ...(masked ? [["mask", "read", "u32"] as const] : []),
      ...(bias === "none" ? [] : [["bias", "read", bias === "vectors" ? "vec4<f32>" : "f32"] as const]),
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

  /** Keeps a row of a buffer, from `first`, turned by a position where one is given. */
  load(first: number, buffer: string, row: string, position: string | null, part?: string): void {
    this.#row(row, position, 1, (piece) => `${buffer}[at + ${piece}]`, (piece, value) => {
      const text = part ? `select(${this.#type}(0.0), ${value}, ${part})` : value;
      if (!this.#vectors) return `kept[${4 * first}u + ${piece}] = ${text};`;
      const put = FOUR.map((i) => `kept[${4 * first + i}u + 4u * (${piece})] = piece.${"xyzw"[i]};`);
      return `{ let piece = ${text}; ${put.join(" ")} }`;
    });
  }

  /** Stages a row of a buffer as row r of a tile, turned by a position where one is given; zeros where not `seen`. */
  stage(tile: string, buffer: string, row: string, position: string | null): void {
    // Elements are gathered first: a store to one component may touch the whole vector.
    if (!this.#vectors) this.say("{", `var gathered: array<vec4<f32>, ${this.quads}>;`);
    const to = (piece: string) =>
      this.#vectors ? `${tile}[r * ${this.quads}u + ${piece}]` : `gathered[(${piece}) / 4u][(${piece}) % 4u]`;
    this.#row(
      row,
      position,
      1,
      (piece) => `${buffer}[at + ${piece}]`,
      (piece, value) => `${to(piece)} = select(${this.#type}(0.0), ${value}, seen);`,
      "u.zero",
    );
    if (this.#vectors) return;
    this.say(`for (var i = u.zero; i < ${this.quads}u + u.zero; i++) {`);
    this.say(`${tile}[r * ${this.quads}u + i] = gathered[i];`, "}", "}");
  }

  /**
   * Writes a kept row, from `first`, times `scale`, to a row of a buffer, turned back from a position where one is
   * given. Where `accumulate` holds it is added to what is there, times `earlier`.
   */
  store(
    first: number,
    buffer: string,
    row: string,
    how: {
      readonly scale: string;
      readonly position?: string | null;
      readonly accumulate: string;
      readonly earlier?: string;
    },
  ): void {
    const there = (piece: string) => `${buffer}[at + ${piece}]${how.earlier ? ` * ${how.earlier}` : ""}`;
    const element = (piece: string) =>
      this.#vectors
        ? four((i) => `kept[${4 * first + i}u + 4u * (${piece})]`)
        : `kept[${4 * first}u + ${piece}]`;
    this.#row(
      row,
      how.position ?? null,
      -1,
      element,
      (piece, value) =>
        `{ var value = ${how.scale} * (${value}); ` +
        `if (${how.accumulate}) { value += ${there(piece)}; } ${buffer}[at + ${piece}] = value; }`,
    );
  }

  /** Defines `product`, that of a row of each of two buffers. */
  productOfRows(a: string, b: string, row: string): void {
    this.say("var product = 0.0;");
    const value = (piece: string) => `${a}[at + ${piece}] * ${b}[at + ${piece}]`;
    this.#row(
      row,
      null,
      1,
      value,
      (_, text) => `product += ${this.#vectors ? `dot(vec4(1.0), ${text})` : text};`,
      "u.zero",
    );
  }

  /**
   * A loop over the pieces of a row: vectors or elements, or pairs of them that are turned (-1: back) together.
   *
   * It counts `from` 0 where it meets `kept`, so that the compiler unrolls it: dynamic indices there made a forward
   * and backward pass 1.4 times as slow. Elsewhere it counts from and to what the compiler does not know, which is as
   * fast and sooner compiled.
   */
  #row(
    row: string,
    position: string | null,
    direction: 1 | -1,
    piece: (at: string) => string,
    text: (at: string, value: string) => string,
    from = "0u",
  ): void {
    const count = this.#vectors ? this.quads : this.#size, pairs = count / 2;
    this.say("{", `let at = (${row}) * ${count}u;`);
    if (position === null) {
      this.say(`for (var i = ${from}; i < ${count}u + ${from}; i++) { ${text("i", piece("i"))} }`, "}");
      return;
    }
    this.say(`for (var i = ${from}; i < ${pairs}u + ${from}; i++) {`);
    if (this.#vectors) {
      this.say(
        `let a = angles[(${position}) * ${count}u + 2u * i];`,
        `let b = angles[(${position}) * ${count}u + 2u * i + 1u];`,
        "let cosine = vec4(a.xz, b.xz);",
        "let sine = vec4(a.yw, b.yw);",
      );
    } else {
      this.say(
        `let angle = angles[(${position}) * ${pairs}u + i];`,
        "let cosine = angle.x;",
        "let sine = angle.y;",
      );
    }
    const [minus, plus] = direction === 1 ? ["-", "+"] : ["+", "-"], partner = `i + ${pairs}u`;
    this.say(
      `let x = ${piece("i")};`,
      `let y = ${piece(partner)};`,
      text("i", `x * cosine ${minus} y * sine`),
      text(partner, `y * cosine ${plus} x * sine`),
      "}",
      "}",
    );
  }

  get #type(): string {
    return this.#vectors ? "vec4<f32>" : "f32";
  }

  /** Puts values into consecutive places of `kept`. */
  keep(first: number, values: readonly string[]): void {
    this.say("{");
    values.forEach((value, i) => {
      this.say(`let t${i} = ${value};`);
      for (const j of FOUR) this.say(`kept[${4 * (first + i) + j}] = t${i}.${"xyzw"[j]};`);
    });
    // One of them at an index that the compiler does not know: the array stays in memory.
    this.say(`kept[u.zero + ${4 * first}u] = t0.x; }`);
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
      this.say(`let ${name}_row${q} = ${kept(at + q)};`);
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
        this.say(`let w${block} = ${kept(weights + block)};`);
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
}
