/** @file Writes the WGSL of attention's gradients: as in the forward pass, probabilities never lie in a buffer. */
import { wgsl } from "../wgsl/compose.ts";
import {
  type AttentionShape,
  type AttentionText,
  attentionText,
  bent,
  biasHead,
  causally,
  CONSTANTS,
  declareKept,
  four,
  keep,
  kept,
  keyMemory,
  knownOfKey,
  loadQuery,
  optionalBuffers,
  phases,
  placesOf,
  rowsOfHeads,
  scaled,
  scoresOfKeys,
  seen,
  stageKeys,
} from "./text.ts";

/**
 * Gathers what the gradients know: of each row (its normalizer, its product of output and gradient), and then of each key,
 * where there is a mask, whether it takes part. As one buffer, since an adapter may allow no more than 8 in a kernel.
 */
export function knownText({ size, masked }: Pick<AttentionShape, "size" | "masked">): AttentionText {
  const shape = { size, rotary: false };
  const known = wgsl`
    if (row < u.keys) {
      known[u.first_key + row] = vec2(f32(mask[row] != 0u), 0.0);
    }
  `;
  return attentionText(shape, "What the gradients know of each row, and of each key.", {
    buffers: [
      ["out", "read"],
      ["gradient", "read"],
      ["statistics", "read", "vec2<f32>"],
      ...(masked ? [["mask", "read", "u32"] as const] : []),
      ["known", "read_write", "vec2<f32>"],
    ],
    main: wgsl`
      @compute @workgroup_size(64)
      fn main(
        @builtin(workgroup_id) group: vec3<u32>,
        @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32,
      ) {
        let row = (group.x + group.y * groups.x) * 64u + lane;
        ${masked && known}
        if (row >= u.queries * u.heads) {
          return;
        }
        ${rowsOfHeads(shape).productOfRows("out", "gradient", "row")}
        known[row] = vec2(statistics[row].x, product);
      }
    `,
  });
}

/**
 * One chunk of keys for all queries: adds to the gradient of the queries, or to that of the bias, one batch at a time
 * where all share it.
 */
export function queryGradientText(shape: AttentionShape, of: "queries" | "bias"): AttentionText {
  const { chunk, lanes, rotary, causal, capped, bias } = shape, heads = rowsOfHeads(shape), { quads } = heads;
  // `kept` has the query, its gradient from above, the gradients of scores, and what is known of the row.
  const scores = 2 * quads, state = scores + chunk / 4;
  const products = phases(chunk / 4, 8 * 4 * quads, (block) => {
    const within = causal ? causally(shape, "score", 4 * block, "state.z") : "score";
    const products = four((i) => `s${i}`), gradients = `p * (${four((i) => `d${i}`)} - state.y)`;
    // A bias is added beyond the cap.
    const bends = capped && of === "queries";
    return wgsl`
      {
        let state = ${kept(state)};
        ${heads.products("s", "tile_k", 4 * block, 4, 0)}
        ${heads.products("d", "tile_v", 4 * block, 4, quads)}
        ${bends && `let bent = ${bent(products)};`}
        let score = ${
      scoresOfKeys(shape, 4 * block, scores + block, bends ? "u.cap * bent" : scaled(shape, products))
    };
        let p = exp2(${within} - state.x);
        ${keep(scores + block, [bends ? `${gradients} * (1.0 - bent * bent)` : gradients])}
      }
    `;
  });
  const storeQuery = heads.store(0, "q_gradient", "row", {
    scale: "u.gradient_scale",
    position: rotary ? "u32(i32(place) + ahead)" : null,
    accumulate: "u.accumulate != 0u",
  });
  const storeBias = wgsl`
    let to = (${biasHead(shape)} * u.queries + place) * u.keys + u.first;
    let count = min(${chunk}u, u.keys - u.first);
    for (var j = 0u; j < count; j++) {
      bias_gradient[to + j] += kept[${4 * scores}u + j];
    }
  `;
  const about = of === "queries"
    ? "One chunk of keys for all queries: their part of the queries' gradient."
    : "One chunk of keys for all queries of a batch: their part of the bias's gradient.";
  return attentionText(shape, about, {
    buffers: [
      ["q", "read"],
      ["k", "read"],
      ["v", "read"],
      ...optionalBuffers({ ...shape, masked: false }),
      ["gradient", "read"],
      ["known", "read", "vec2<f32>"],
      of === "queries" ? ["qGradient", "read_write"] : ["biasGradient", "read_write", "f32"],
    ],
    memory: keyMemory(shape),
    constants: [
      CONSTANTS.masked,
      bias !== "none" && CONSTANTS.log2E,
      capped && CONSTANTS.softBound,
    ],
    main: wgsl`
      @compute @workgroup_size(${lanes})
      fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
        ${placesOf("queries", lanes)}

        ${stageKeys(shape, knownOfKey("key"))}

        ${loadQuery(shape, state + 1, scores)}
        ${heads.load(quads, "gradient", "row", null)}
        ${keep(state, ["vec4(known[row], f32(i32(place) + ahead - i32(u.first)), 0.0)"])}

        // Gradients of the scores.
        ${products}

        ${of === "queries" && heads.mix("tile_k", chunk, scores, 0)}
        if (own < u.queries) {
          ${of === "queries" ? storeQuery : storeBias}
        }
      }
    `,
  });
}

/**
 * One chunk of the queries of a group of heads, counted head after head, for all keys: adds to the gradients of the
 * keys and the values.
 */
export function keyGradientText(shape: AttentionShape): AttentionText {
  const { chunk, lanes, rotary, causal, windowed, capped, masked, bias } = shape, biased = bias !== "none";
  const heads = rowsOfHeads(shape), { quads } = heads;
  // `kept` has the key, the value, weights, gradients of scores, and the key's place.
  const weights = 2 * quads, scores = weights + chunk / 4, state = scores + chunk / 4;
  // As in the other kernels, a key that takes no part is zeros.
  const part = masked ? "takes_part" : undefined;
  const biases = wgsl`
    for (var j = 0u; j < min(${chunk}u, u.queries * u.group - u.first); j++) {
      let of_group = u.first + j;
      let head = key_head * u.group + of_group / u.queries;
      let at = (${biasHead(shape)} * u.queries + of_group % u.queries) * u.keys + place;
      kept[${4 * weights}u + j] = LOG2_E * bias[at];
    }
  `;
  const products = phases(chunk / 4, 8 * 4 * quads, (block) => {
    const staged = (name: string) => four((i) => `${name}[${4 * block + i}]`);
    const products = four((i) => `s${i}`);
    const score = `${capped ? "u.cap * bent" : scaled(shape, products)} + state.y${
      biased ? ` + ${kept(weights + block)}` : ""
    }`;
    const within = causal
      ? `select(vec4(MASKED), score, ${seen(shape, "vec4(state.x)", windowed ? "ends" : staged("lasts"))})`
      : "score";
    const gradients = `p * (${four((i) => `d${i}`)} - ${staged("deltas")})`;
    return wgsl`
      {
        let state = ${kept(state)};
        ${heads.products("s", "tile_q", 4 * block, 4, 0)}
        ${heads.products("d", "tile_g", 4 * block, 4, quads)}
        ${capped && `let bent = ${bent(products)};`}
        let score = ${score};
        ${windowed && `let ends = ${staged("lasts")};`}
        let p = exp2(${within} - ${staged("normalizers")});
        ${keep(weights + block, ["p"])}
        ${keep(scores + block, [capped ? `${gradients} * (1.0 - bent * bent)` : gradients])}
      }
    `;
  });
  const storeV = heads.store(quads, "v_gradient", "row", { accumulate: "u.accumulate_v != 0u" });
  const storeK = heads.store(0, "k_gradient", "row", {
    scale: "u.gradient_scale",
    position: rotary ? "place" : null,
    accumulate: "u.accumulate != 0u",
  });
  return attentionText(
    shape,
    "One chunk of queries for all keys: their part of the keys' and values' gradients.",
    {
      buffers: [
        ["q", "read"],
        ["k", "read"],
        ["v", "read"],
        ...optionalBuffers({ ...shape, masked: false }),
        ["gradient", "read"],
        ["known", "read", "vec2<f32>"],
        ["kGradient", "read_write"],
        ["vGradient", "read_write"],
      ],
      memory: {
        chunk,
        tiles: ["tile_q", "tile_g"],
        numbers: ["normalizers", "deltas", ...(causal ? ["lasts"] : [])],
      },
      constants: [
        (causal || masked) && CONSTANTS.masked,
        CONSTANTS.nothing,
        biased && CONSTANTS.log2E,
        capped && CONSTANTS.softBound,
      ],
      main: wgsl`
      @compute @workgroup_size(${lanes})
      fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
        ${placesOf("keys", lanes)}

        let key_head = group.y;
        for (var r = lane; r < ${chunk}u; r += ${lanes}u) {
          // Rows beyond the end are zeros with no probability.
          let seen = u.first + r < u.queries * u.group;
          let of_group = min(u.first + r, u.queries * u.group - 1u);
          let query = of_group % u.queries;
          let head = key_head * u.group + of_group / u.queries;
          let from_row = (batch * u.queries + query) * u.heads + head;
          ${heads.stage("tile_q", "q", "from_row", rotary ? "u32(i32(query) + ahead)" : null)}
          ${heads.stage("tile_g", "gradient", "from_row", null)}
          let of_row = known[from_row];
          normalizers[r] = select(NOTHING, of_row.x, seen);
          deltas[r] = select(0.0, of_row.y, seen);
          ${causal && "lasts[r] = f32(i32(query) + ahead);"}
        }

        ${declareKept(state + 1)}
        let row = (batch * u.keys + place) * key_heads + key_head;
        ${masked && `let takes_part = ${knownOfKey("place")};`}
        ${heads.load(0, "k", "row", rotary ? "place" : null, part)}
        ${heads.load(quads, "v", "row", null, part)}
        ${biased && biases}
        ${keep(state, [`vec4(f32(place), ${masked ? "select(MASKED, 0.0, takes_part)" : "0.0"}, 0.0, 0.0)`])}

        // Probabilities, and gradients of the scores.
        ${products}

        ${heads.mix("tile_g", chunk, weights, quads)}

        ${heads.mix("tile_q", chunk, scores, 0)}
        if (own < u.keys) {
          ${storeV}
          ${storeK}
        }
      }
    `,
    },
  );
}
