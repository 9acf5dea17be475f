/** @file The snippets that kernels of several rooms share. */
import { type Snippets, wgsl } from "./compose.ts";

const zero = (type: string) => type === "f32" ? "0.0" : `${type}(0.0)`;

/**
 * Puts what each subgroup has of each row, which `own` says, into `partial`: `parts` of them for a row, from `first` on. However
 * lanes are dealt out to subgroups, and however many those have: a row's lanes may lie in several, and one may have several rows.
 */
const rowParts = (own: string) =>
  wgsl`
    var parts = LANES;
    workgroupBarrier();
    if (LANES < 32u) {
      // Rows times subgroups may be more than there is room for.
      partial[lane] = value;
    } else {
      parts = subgroups;
      for (var row = 0u; row < 64u / LANES; row++) {
        let part = ${own};
        if (subgroupElect()) {
          partial[row * parts + subgroup] = part;
        }
      }
    }
    workgroupBarrier();
    let first = lane / LANES * parts;
  `;

/** For `#use` in any kernel. */
export const snippets = {
  /** Where one of many tall matrices lies: see `tallMatrices`. */
  matrix: wgsl`
    // Where a matrix lies: element (t, j) of X is x[offset + t * row_stride + j * column_stride].
    struct Matrix {
      offset: u32,
      rows: u32,
      row_stride: u32,
      column_stride: u32,
      // Of Q in thin_svd.wgsl, in vectors.
      q_at: u32,
    }
  `,

  sum4: wgsl`
    fn sum4(v: vec4<f32>) -> f32 {
      return (v.x + v.y) + (v.z + v.w);
    }
  `,

  is_finite: wgsl`
    // By its bits, since software adapters fold comparisons with NaN.
    fn is_finite(value: f32) -> bool {
      return (bitcast<u32>(value) & 0x7f800000u) != 0x7f800000u;
    }
  `,

  /**
   * A `main` that calls the text's own `each(i)` for every vector of four, i, of as many workgroups as `groupsToShare` says: "vectors"
   * or "elements" are what `u.count` counts.
   */
  main_for_each: (counted: string) =>
    wgsl`
      // A workgroup takes neighbours, so many a lane as all workgroups together need.
      @compute @workgroup_size(64)
      fn main(
        @builtin(workgroup_id) group: vec3<u32>,
        @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32,
      ) {
        let count = ${counted === "vectors" ? "u.count" : "(u.count + 3u) / 4u"};
        let lanes = 64u * groups.x * groups.y;
        let stretch = 64u * ((count + lanes - 1u) / lanes);
        let first = (group.x + group.y * groups.x) * stretch;
        let end = min(first + stretch, count);
        for (var i = first + lane; i < end; i += 64u) {
          each(i);
        }
      }
    `,

  /** A `main` that calls the text's own `each(i, c)` for every value i of each row, c being its place there. Needs LANES. */
  main_for_rows: wgsl`
    @compute @workgroup_size(64)
    fn main(
      @builtin(workgroup_id) group: vec3<u32>,
      @builtin(num_workgroups) groups: vec3<u32>,
      @builtin(local_invocation_index) lane: u32,
    ) {
      // LANES lanes share a row.
      let row = (group.x + group.y * groups.x) * (64u / LANES) + lane / LANES;
      if (row >= u.rows) {
        return;
      }
      let columns = u.columns / WIDTH;
      for (var c = lane % LANES; c < columns; c += LANES) {
        each(row * columns + c, c);
      }
    }
  `,

  /** In `main`, for LANES that share a row: `row`, and which of its lanes this is; `place` tells rows that are not there. */
  row_of_lane: wgsl`
    // LANES lanes share a row; rows beyond the end repeat the last one, since every lane must meet every barrier.
    let place = (group.x + group.y * groups.x) * (64u / LANES) + lane / LANES;
    let row = min(place, u.rows - 1u);
    let within = lane % LANES;
  `,

  /** Needs `partial`, an array of 64 of the type, and LANES that share a row. */
  row_sum: {
    lanes: (type: string) =>
      wgsl`
        // Sum over the lanes of a row; every lane gets it, in the same order.
        fn row_sum(lane: u32, value: ${type}) -> ${type} {
          if (LANES == 1u) {
            return value;
          }
          workgroupBarrier();
          partial[lane] = value;
          workgroupBarrier();
          let first = lane / LANES * LANES;
          var sum = ${zero(type)};
          for (var i = 0u; i < LANES; i++) {
            sum += partial[first + i];
          }
          return sum;
        }
      `,
    subgroups: (type: string) =>
      wgsl`
        // Sum over the lanes of a row; every lane gets it, in the same order.
        fn row_sum(lane: u32, value: ${type}) -> ${type} {
          if (LANES == 1u) {
            return value;
          }
          ${rowParts(`subgroupAdd(select(${zero(type)}, value, lane / LANES == row))`)}
          var sum = ${zero(type)};
          for (var i = 0u; i < parts; i++) {
            sum += partial[first + i];
          }
          return sum;
        }
      `,
  },

  /** Needs what `row_sum` of f32 needs. */
  row_maximum: {
    lanes: wgsl`
      // Largest over the lanes of a row; every lane gets it.
      fn row_maximum(lane: u32, value: f32) -> f32 {
        if (LANES == 1u) {
          return value;
        }
        workgroupBarrier();
        partial[lane] = value;
        workgroupBarrier();
        let first = lane / LANES * LANES;
        var largest = partial[first];
        for (var i = 1u; i < LANES; i++) {
          largest = max(largest, partial[first + i]);
        }
        return largest;
      }
    `,
    subgroups: wgsl`
      // Largest over the lanes of a row; every lane gets it.
      fn row_maximum(lane: u32, value: f32) -> f32 {
        if (LANES == 1u) {
          return value;
        }
        ${rowParts("subgroupMax(select(-3.4028234e38, value, lane / LANES == row))")}
        var largest = partial[first];
        for (var i = 1u; i < parts; i++) {
          largest = max(largest, partial[first + i]);
        }
        return largest;
      }
    `,
  },

  /** In `main`, before a barrier and `sum_of_lanes`: what this lane adds. */
  put: {
    lanes: (value: string) => `partial[lane] = ${value};`,
    subgroups: (value: string) =>
      wgsl`
        let part = subgroupAdd(${value});
        if (subgroupElect()) {
          partial[subgroup] = part;
        }
      `,
  },

  /** Needs `partial`, an array of the type with a place for each lane. */
  sum_of_lanes: {
    lanes: (type: string, lanes: string) =>
      wgsl`
        // Sum of what the workgroup's lanes have put into \`partial\`, in their order.
        fn sum_of_lanes() -> ${type} {
          var sum = ${zero(type)};
          for (var lane = 0u; lane < ${lanes}; lane++) {
            sum += partial[lane];
          }
          return sum;
        }
      `,
    subgroups: (type: string, _lanes: string) =>
      wgsl`
        // Sum of what the workgroup's subgroups have put into \`partial\`, in their order.
        fn sum_of_lanes() -> ${type} {
          var sum = ${zero(type)};
          for (var i = 0u; i < subgroups; i++) {
            sum += partial[i];
          }
          return sum;
        }
      `,
  },
} as const satisfies Snippets;
