/** @file Writes the WGSL of fused attention: scores live in a lane's own memory, never in a buffer. */
import { wgsl } from "../wgsl/compose.ts";
import {
  type AttentionShape,
  type AttentionText,
  attentionText,
  causally,
  CONSTANTS,
  four,
  keep,
  kept,
  keyMemory,
  loadQuery,
  optionalBuffers,
  phases,
  placesOf,
  range,
  rowsOfHeads,
  scaled,
  scoresOfKeys,
  stageKeys,
} from "./text.ts";

/** Rows of a tile whose scores grow side by side. */
const ROWS = 8;

/**
 * One chunk of keys for all queries.
 *
 * Adds to unnormalized sums in `out` and to (largest score, sum) in `statistics`. The last chunk that a workgroup's
 * queries see normalizes, and leaves (log2 of the sum of 2^score, 0).
 *
 * Lanes lie along the queries; each meets the keys and values of a chunk that its workgroup has staged. What makes
 * such a text fast on llvmpipe is told in `matmul/staged_source.ts`; here also values that live across barriers, such
 * as scores, lie in one array, `kept`, that a dynamic index keeps in memory: from there they are loaded.
 */
export function forwardText(shape: AttentionShape): AttentionText {
  const { chunk, lanes, masked, bias } = shape, heads = rowsOfHeads(shape), { quads } = heads;
  // `kept` has the query, in whose place the mixed values come, the scores, and the factors of both sums.
  const scores = quads, state = quads + chunk / 4;
  const products = phases(chunk / ROWS, 4 * quads * ROWS, (group) => {
    const blocks = range(ROWS / 4).map((i) =>
      scoresOfKeys(
        shape,
        group * ROWS + 4 * i,
        scores + group * ROWS / 4 + i,
        scaled(shape, four((j) => `s${4 * i + j}`)),
      )
    );
    return wgsl`
      {
        ${heads.products("s", "tile_k", group * ROWS, ROWS, 0)}
        ${keep(scores + group * ROWS / 4, blocks)}
      }
    `;
  });
  const store = heads.store(0, "out", "row", {
    ...{ scale: "state.y", accumulate: "u.first > 0u", earlier: "state.x" },
  });
  return attentionText(
    shape,
    "One chunk of keys for all queries: their part of softmax(scale Q K^T + bias) V.",
    {
      buffers: [
        ["q", "read"],
        ["k", "read"],
        ["v", "read"],
        ...optionalBuffers(shape),
        ["out", "read_write"],
        ["statistics", "read_write", "vec2<f32>"],
      ],
      memory: keyMemory(shape),
      constants: [
        CONSTANTS.masked,
        CONSTANTS.lowest,
        (shape.causal || masked) && CONSTANTS.nothing,
        bias !== "none" && CONSTANTS.log2E,
        shape.capped && CONSTANTS.softBound,
      ],
      main: wgsl`
      @compute @workgroup_size(${lanes})
      fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
        ${placesOf("queries", lanes)}

        ${stageKeys(shape, "mask[batch * u.keys + key] != 0u")}

        ${loadQuery(shape, state + 1, scores)}

        // Scores, in powers of 2.
        ${products}

        // Their powers, and what is known of the row so far.
        workgroupBarrier();
        ${softmax(shape, scores, state)}

        // Values times their weights.
        ${heads.mix("tile_v", chunk, scores, 0)}
        if (own < u.queries) {
          let state = ${kept(state)};
          ${store}
        }
      }
    `,
    },
  );
}

/** WGSL that makes weights of the scores, and keeps (the factor of earlier sums, that of this chunk's) at `state`. */
function softmax(shape: AttentionShape, scores: number, state: number): string {
  const { chunk, lanes, causal, windowed, masked } = shape;
  const blocks = range(chunk / 4);
  const anyOpen = wgsl`
    for (var key = ${windowed ? "max(count, u32(u.window)) - u32(u.window)" : "0u"}; key < count; key++) {
      any = any || mask[batch * u.keys + key] != 0u;
    }
  `;
  const emptyRow = wgsl`
    if (sum == 0.0) {
      // Either nothing is seen, which gives zeros, or every score is -infinity, which gives NaN.
      let count = ${causal ? "u32(max(i32(place) + ahead + 1, 0))" : "u.keys"};
      var any = ${masked ? "false" : "count > 0u"};
      ${masked && anyOpen}
      if (!any) {
        scale = 0.0;
        left = vec2(NOTHING, 0.0);
      }
    }
  `;
  const end = causal
    ? `min(i32(u.keys), i32((u.first_block + group.x + 1u) * ${lanes}u) + ahead)`
    : "i32(u.keys)";
  return wgsl`
    {
      var before = vec2(LOWEST, 0.0);
      if (u.first > 0u) {
        before = statistics[row];
      }
      ${causal && "let last = f32(i32(place) + ahead - i32(u.first));"}
      ${
    blocks.map((i) =>
      `let s${i} = ${causal ? causally(shape, kept(scores + i), 4 * i, "last") : kept(scores + i)};`
    )
  }
      // max() may drop a NaN, which then comes back as its own probability.
      var tops = s0;
      ${blocks.slice(1).map((i) => `tops = max(tops, s${i});`)}
      let top = max(max(before.x, max(tops.x, tops.y)), max(tops.z, tops.w));
      var sums = vec4(0.0);
      ${blocks.flatMap((i) => [`let p${i} = exp2(s${i} - top);`, `sums += p${i};`])}
      ${keep(scores, blocks.map((i) => `p${i}`))}
      let rescale = exp2(before.x - top);
      let sum = before.y * rescale + ((sums.x + sums.y) + (sums.z + sums.w));
      let end = ${end};
      var scale = 1.0;
      var left = vec2(top, sum);
      if (i32(u.first) + ${chunk} >= end) {
        scale = 1.0 / sum;
        left = vec2(top + log2(sum), 0.0);
        ${(causal || masked) && emptyRow}
      }
      if (own < u.queries) {
        statistics[row] = left;
      }
      ${keep(state, ["vec4(rescale * scale, scale, 0.0, 0.0)"])}
    }
  `;
}
