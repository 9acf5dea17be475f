/** @file Writes the WGSL of one-sided Jacobi rotations, eight columns at a time: what it holds in registers is unrolled. */
import type { KernelSpec } from "../../gpu/kernel.ts";
import { wgsl } from "../wgsl/compose.ts";
import { declarations } from "../wgsl/declarations.ts";
import { MAX_RANK } from "./layout.ts";

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const EIGHT = range(8), FOUR = range(4);
const AXES = "xyzw";
/** Where each of eight players of a round-robin tournament comes from after a round: 0 stays, 0 to 3 meet 4 to 7. */
const FROM = [0, 4, 1, 2, 5, 6, 7, 3] as const;

/** Largest rank whose columns fit into workgroup memory. */
export const STAGED_RANK = 64;

/**
 * WGSL that finds V and s of Y = V diag(s) J^T for many square matrices Y, one workgroup each: rotations of Y's columns, J,
 * until they are orthogonal. J itself is not wanted, and not formed.
 *
 * A block is four columns. A lane takes two blocks: their Gram matrix of 8 x 8 says which rotations make all eight
 * orthogonal, which happens in registers, in seven rounds of four pairs; then the eight columns are read and written once
 * for all 28. On a software adapter reads and writes are what costs. Blocks meet as players of a tournament do.
 *
 * With `staged`, columns are rotated in workgroup memory, 16 KiB, which has room for ranks to 64: on llvmpipe a load from
 * there takes half the time.
 *
 * With `min_share`, a matrix whose least s is surely below that share of its largest is not rotated: V's columns are rows of
 * R over their lengths, which are s, so that diag(s) V^T is a root of X^T X all the same, and one of s, with its column, is negative.
 *
 * Sources: Hestenes, 1958; Drmac and Veselic, SIAM J. Matrix Anal. Appl. 29, 2008, for Y = R^T, whose columns need about
 * half as many sweeps as R's.
 */
export function jacobiSource(spec: Pick<KernelSpec, "buffers" | "uniforms">, staged = false): string {
  // Columns that are rotated, where the first of them lies, and what tells lanes of each other's.
  const [work, first, barrier] = staged
    ? ["work", "0u", "workgroupBarrier();"] as const
    // Shares of rotations lie in workgroup memory all the same, which a storage barrier does not order.
    : ["y", "y0", "storageBarrier();\nworkgroupBarrier();"] as const;
  const copied = (to: string, from: string) =>
    wgsl`
      for (var e = lane; e < 4u * blocks * blocks; e += LANES) {
        ${to} = ${from};
      }
    `;
  const element = (i: number, j: number) => `${i < 4 ? "lo" : "hi"}${j}.${AXES[i % 4]}`;
  const value = (i: number, j: number) => i <= j ? `g${i}${j}` : `g${j}${i}`;
  const columns = (name: string) => (j: number) => `${name}${j}`;
  const parts = ["lo", "hi", "to", "un"].map(columns);
  const turned = (part: (j: number) => string) =>
    FOUR.flatMap((i) => [
      `let ${part(i)}_turned = c.${AXES[i]} * ${part(i)} - s.${AXES[i]} * ${part(i + 4)};`,
      `${part(i + 4)} = s.${AXES[i]} * ${part(i)} + c.${AXES[i]} * ${part(i + 4)};`,
      `${part(i)} = ${part(i)}_turned;`,
    ]);
  const moved = (part: (j: number) => string, how: (j: number) => string) => [
    ...EIGHT.slice(1).map((j) => `let ${part(j)}_next = ${how(FROM[j]!)};`),
    ...how(0) === part(0) ? [] : [`${part(0)} = ${how(0)};`],
    ...EIGHT.slice(1).map((j) => `${part(j)} = ${part(j)}_next;`),
  ];
  const rows = (first: number) => (j: number) =>
    `vec4(${
      FOUR.map((i) => `${FROM[first + i]! < 4 ? "lo" : "hi"}${j}.${AXES[FROM[first + i]! % 4]}`).join(", ")
    })`;

  return wgsl`
    // One-sided Jacobi rotations of the columns of many square matrices, eight at a time.
    ${declarations(spec, { y: "vec4<f32>", small: "vec4<f32>" })}

    override LANES = 64u;
    // Any orthonormal basis will do: of a matrix Y^T = R whose condition number is bounded, R^-1 is V and s is 1.
    override BASIS = false;

    const SMALL = 1e-6;
    // Bound of the condition number, squared: R's and its inverse's Frobenius norms.
    const MOST = 1e10;
    const SWEEPS = 15u;
    // Cosine of two columns that counts as 0, a few units of 2^-24; and one that rounding of the next sweep may leave.
    const ORTHOGONAL = 2e-7;
    const NEARLY = 5e-7;
    // What a sweep may leave between columns that it made orthogonal once, beside rounding, to be the last one.
    const LEFT = 3e-7;
    const NONE = vec4<f32>(0.0);

    var<workgroup> partial: array<f32, LANES>;
    var<workgroup> cosines: array<f32, LANES>;
    // Sums of a block's largest shares, one a round.
    var<workgroup> shares_of: array<f32, ${MAX_RANK / 4}>;
    var<workgroup> again: u32;
    ${staged && `var<workgroup> work: array<vec4<f32>, ${STAGED_RANK ** 2 / 4}>;`}

    fn sum4(v: vec4<f32>) -> f32 {
      return (v.x + v.y) + (v.z + v.w);
    }

    @compute @workgroup_size(LANES)
    fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
      let blocks = u.blocks;
      let y0 = group.x * 4u * blocks * blocks;
      // A block without another one rests for a round; a single one meets itself, as all zeros.
      let players = max(blocks + blocks % 2u, 2u);
      let v0 = group.x * u.block + u.v_at;
      let s0 = group.x * u.block + u.s_at;
      let w0 = group.x * u.block + u.w_at;
      let is_inverse = BASIS && is_inverted(lane, y0, v0);
      let short = short_row(lane, y0);
      let sweeps = select(SWEEPS, 0u, is_inverse || short < u.rank);
      ${staged && copied("work[e]", "y[y0 + e]")}
      ${staged && "workgroupBarrier();"}
      for (var sweep = 0u; sweep < sweeps; sweep++) {
        for (var b = lane; b < blocks; b += LANES) {
          shares_of[b] = 0.0;
        }
        cosines[lane] = NEARLY;
        workgroupBarrier();
        for (var round = 0u; round + 1u < players; round++) {
          for (var pair = lane; pair < players / 2u; pair += LANES) {
            let other = players - 1u - pair;
            let a = select((pair - 1u + round) % (players - 1u) + 1u, 0u, pair == 0u);
            let b = (other - 1u + round) % (players - 1u) + 1u;
            if (max(a, b) < blocks || blocks == 1u) {
              turn(lane, ${first}, min(a, b), min(max(a, b), blocks - 1u));
            }
          }
          ${barrier}
        }
        workgroupBarrier();
        if (lane == 0u) {
          var cosine = 0.0;
          for (var l = 0u; l < LANES + u.zero; l++) {
            cosine = max(cosine, cosines[l]);
          }
          var turned = 0.0;
          for (var b = 0u; b < blocks; b++) {
            turned = max(turned, shares_of[b]);
          }
          // Once a pair is orthogonal, a later rotation of one of the two brings back at most its share of a third column
          // times the cosine of that one with the other.
          again = select(1u, 0u, 2.0 * turned * cosine < LEFT);
        }
        if (workgroupUniformLoad(&again) == 0u) {
          break;
        }
      }

      ${staged && copied("y[y0 + e]", "work[e]")}
      ${staged && "storageBarrier();"}

      for (var b = lane; b < blocks; b += LANES) {
        var values = NONE;
        for (var k = 0u; k < 4u + u.zero; k++) {
          var squares = NONE;
          for (var i = 0u; i < blocks; i++) {
            let part = y[y0 + (4u * b + k) * blocks + i];
            squares += part * part;
          }
          values[k] = sqrt(sum4(squares));
        }
        if (is_inverse) {
          values = vec4<f32>(vec4(4u * b) + vec4(0u, 1u, 2u, 3u) < vec4(u.rank));
        }
        small[s0 + b] = values;
      }
      storageBarrier();
      var largest = NONE;
      for (var b = 0u; b < blocks; b++) {
        largest = max(largest, small[s0 + b]);
      }
      let most = max(max(largest.x, largest.y), max(largest.z, largest.w));
      let threshold = SMALL * most;
      // s of a short row: negative, by which others know it, and too small a share of the largest.
      let of_short = -0.5 * u.min_share * most;
      for (var j = lane; j < u.rank && !is_inverse; j += LANES) {
        let value = select(small[s0 + j / 4u][j % 4u], of_short, j == short);
        let inverse = select(0.0, 1.0 / value, value > threshold || j == short);
        for (var i = 0u; i < blocks; i++) {
          small[v0 + j * blocks + i] = inverse * y[y0 + j * blocks + i];
        }
      }
      storageBarrier();
      // V diag(1 / s), by rows.
      for (var i = lane; i < u.rank; i += LANES) {
        for (var b = 0u; b < blocks; b++) {
          let values = small[s0 + b];
          let columns = min(vec4(4u * b) + vec4(0u, 1u, 2u, 3u), vec4(u.rank - 1u)) * blocks + v0 + i / 4u;
          let part = i % 4u;
          let row = vec4(small[columns.x][part], small[columns.y][part], small[columns.z][part], small[columns.w][part]);
          small[w0 + i * blocks + b] = select(NONE, row / values, values > vec4(threshold));
        }
      }
      storageBarrier();
      for (var b = lane; b < blocks; b += LANES) {
        let found = select(NONE, small[s0 + b], small[s0 + b] > vec4(threshold));
        small[s0 + b] = select(found, vec4(of_short), vec4(4u * b) + vec4(0u, 1u, 2u, 3u) == vec4(short));
      }
    }

    // A row of R whose diagonal element is below \`min_share\` of the largest one, and the rank where there is none: R's
    // least singular value is at most as large as the former, and its largest at least as large as the latter.
    fn short_row(lane: u32, y0: u32) -> u32 {
      if (lane == 0u) {
        var least = 0.0;
        var largest = 0.0;
        var at = 0u;
        for (var i = 0u; i < u.rank && u.min_share > 0.0; i++) {
          let value = y[y0 + i * u.blocks + i / 4u][i % 4u];
          largest = max(largest, value);
          if (i == 0u || value < least) {
            least = value;
            at = i;
          }
        }
        again = select(u.rank, at, least < u.min_share * largest);
      }
      return workgroupUniformLoad(&again);
    }

    // R^-1 by columns, four at a time, by substitution from the last row up; true where that is to be used.
    fn is_inverted(lane: u32, y0: u32, v0: u32) -> bool {
      let blocks = u.blocks;
      var squares = vec2<f32>(0.0);
      var least = 1.0;
      for (var b = lane; b < blocks; b += LANES) {
        for (var rest = blocks; rest > 0u; rest--) {
          let p = rest - 1u;
          let row = y0 + 4u * p * blocks;
          // Columns of what is solved for, rows 4 p to 4 p + 3.
          var found = mat4x4<f32>();
          if (p <= b) {
            var right = mat4x4<f32>();
            if (p == b) {
              right = mat4x4<f32>(1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0);
            }
            for (var q = p + 1u; q <= b; q++) {
              let line0 = y[row + q];
              let line1 = y[row + blocks + q];
              let line2 = y[row + 2u * blocks + q];
              let line3 = y[row + 3u * blocks + q];
              right -= transpose(mat4x4<f32>(line0, line1, line2, line3)) * four_columns(v0, b, q);
              squares.x += dot(line0, line0) + dot(line1, line1) + dot(line2, line2) + dot(line3, line3);
            }
            let r0 = y[row + p];
            let r1 = y[row + blocks + p];
            let r2 = y[row + 2u * blocks + p];
            let r3 = y[row + 3u * blocks + p];
            if (p == b) {
              squares.x += dot(r0, r0) + dot(r1, r1) + dot(r2, r2) + dot(r3, r3);
              let pivots = vec4(r0.x, r1.y, r2.z, r3.w);
              let some = vec4(4u * p) + vec4(0u, 1u, 2u, 3u) < vec4(u.rank);
              least = select(0.0, least, all((pivots > NONE) | !some));
            }
            let by_row = transpose(right);
            let x3 = quotient(by_row[3], r3.w);
            let x2 = quotient(by_row[2] - r2.w * x3, r2.z);
            let x1 = quotient(by_row[1] - r1.z * x2 - r1.w * x3, r1.y);
            let x0 = quotient(by_row[0] - r0.y * x1 - r0.z * x2 - r0.w * x3, r0.x);
            found = transpose(mat4x4<f32>(x0, x1, x2, x3));
          }
          for (var k = 0u; k < min(u.rank - 4u * b, 4u) + u.zero; k++) {
            small[v0 + (4u * b + k) * blocks + p] = found[k];
            squares.y += dot(found[k], found[k]);
          }
        }
      }
      let norm = sum_of(lane, squares.x);
      let inverse_norm = sum_of(lane, squares.y);
      let lacks = sum_of(lane, 1.0 - least);
      if (lane == 0u) {
        again = select(0u, 1u, lacks == 0.0 && norm * inverse_norm < MOST);
      }
      return workgroupUniformLoad(&again) == 1u;
    }

    fn four_columns(v0: u32, b: u32, q: u32) -> mat4x4<f32> {
      let columns = v0 + min(vec4(4u * b) + vec4(0u, 1u, 2u, 3u), vec4(u.rank - 1u)) * u.blocks + q;
      return mat4x4<f32>(small[columns.x], small[columns.y], small[columns.z], small[columns.w]);
    }

    fn quotient(values: vec4<f32>, by: f32) -> vec4<f32> {
      return select(NONE, values / by, by > 0.0);
    }

    // Sum over the lanes; all get it.
    fn sum_of(lane: u32, value: f32) -> f32 {
      workgroupBarrier();
      partial[lane] = value;
      workgroupBarrier();
      var sum = 0.0;
      for (var l = 0u; l < LANES + u.zero; l++) {
        sum += partial[l];
      }
      return sum;
    }

    // Makes the four columns of one block and the four of another one orthogonal; of a block that meets itself, the four.
    fn turn(lane: u32, begin: u32, one: u32, two: u32) {
      let blocks = u.blocks;
      let a = begin + 4u * one * blocks;
      let b = begin + 4u * two * blocks;
      let other = select(0.0, 1.0, a != b);
      // Gram matrix of the eight columns.
      ${EIGHT.flatMap((j) => range(j + 1).map((i) => `var ${value(i, j)} = 0.0;`))}
      for (var q = 0u; q < blocks; q++) {
        ${FOUR.map((j) => `let y${j} = ${work}[a + ${j}u * blocks + q];`)}
        ${FOUR.map((j) => `let y${j + 4} = other * ${work}[b + ${j}u * blocks + q];`)}
        ${EIGHT.flatMap((j) => range(j + 1).map((i) => `${value(i, j)} += dot(y${i}, y${j});`))}
      }
      // Its columns, rows 0 to 3 and 4 to 7; and the columns of the rotations, likewise.
      ${
    EIGHT.flatMap((j) => [
      `var lo${j} = vec4(${FOUR.map((i) => value(i, j)).join(", ")});`,
      `var hi${j} = vec4(${FOUR.map((i) => value(i + 4, j)).join(", ")});`,
      `var to${j} = vec4<f32>(${FOUR.map((i) => i === j ? "1.0" : "0.0").join(", ")});`,
      `var un${j} = vec4<f32>(${FOUR.map((i) => i + 4 === j ? "1.0" : "0.0").join(", ")});`,
    ])
  }
      var furthest = 0.0;
      var shares = 0.0;
      var most = NONE;
      for (var round = 0u; round < 7u + u.zero; round++) {
        // Players 0 to 3 meet players 4 to 7.
        let alpha = max(vec4(${FOUR.map((i) => element(i, i)).join(", ")}), NONE);
        let beta = max(vec4(${FOUR.map((i) => element(i + 4, i + 4)).join(", ")}), NONE);
        let gamma = vec4(${FOUR.map((i) => element(i, i + 4)).join(", ")});
        let size = sqrt(alpha) * sqrt(beta);
        let turns = abs(gamma) > ORTHOGONAL * size;
        let far = select(NONE, vec4(1.0), abs(gamma) > NEARLY * size);
        let some = select(NONE, vec4(1.0), turns);
        furthest = max(max(furthest, max(far.x, far.y)), max(far.z, far.w));
        let zeta = (beta - alpha) / (2.0 * select(vec4(1.0), gamma, turns));
        let t = some * select(vec4(-1.0), vec4(1.0), zeta >= NONE) / (abs(zeta) + sqrt(1.0 + zeta * zeta));
        let c = inverseSqrt(1.0 + t * t);
        let s = c * t;
        let per_size = select(NONE, 1.0 / size, turns);
        let share = abs(s) * max(alpha, beta) * per_size;
        shares += max(max(share.x, share.y), max(share.z, share.w));
        most = max(most, abs(gamma) * per_size);
        ${parts.flatMap(turned)}
        ${
    EIGHT.flatMap((j) => [
      `let lo${j}_turned = c * lo${j} - s * hi${j};`,
      `hi${j} = s * lo${j} + c * hi${j};`,
      `lo${j} = lo${j}_turned;`,
    ]).map((line) => line.replaceAll("_turned", "_row"))
  }
        // All players but one move on, with their rows.
        ${
    EIGHT.flatMap((j) => [
      `let lo${j}_moved = ${rows(0)(j)};`,
      `let hi${j}_moved = ${rows(4)(j)};`,
    ])
  }
        ${moved(columns("lo"), (j) => `lo${j}_moved`)}
        ${moved(columns("hi"), (j) => `hi${j}_moved`)}
        ${moved(columns("to"), (j) => `to${j}`)}
        ${moved(columns("un"), (j) => `un${j}`)}
      }
      if (furthest == 0.0) {
        return;
      }
      // c² + s² is a little above 1, which a column would take along from each of many rotations.
      ${
    EIGHT.flatMap((j) => [
      `let scale${j} = 1.5 - 0.5 * (dot(to${j}, to${j}) + dot(un${j}, un${j}));`,
      `to${j} *= scale${j};`,
      `un${j} *= scale${j};`,
    ])
  }
      shares_of[one] += shares;
      shares_of[two] += shares;
      cosines[lane] = max(cosines[lane], max(max(most.x, most.y), max(most.z, most.w)));
      for (var q = 0u; q < blocks; q++) {
        ${FOUR.map((j) => `let y${j} = ${work}[a + ${j}u * blocks + q];`)}
        ${FOUR.map((j) => `let y${j + 4} = other * ${work}[b + ${j}u * blocks + q];`)}
        ${
    FOUR.map((j) =>
      `${work}[a + ${j}u * blocks + q] = ${
        EIGHT.map((i) => `${i < 4 ? "to" : "un"}${j}.${AXES[i % 4]} * y${i}`).join(" + ")
      };`
    )
  }
        if (a != b) {
          ${
    FOUR.map((j) =>
      `${work}[b + ${j}u * blocks + q] = ${
        EIGHT.map((i) => `${i < 4 ? "to" : "un"}${j + 4}.${AXES[i % 4]} * y${i}`).join(" + ")
      };`
    )
  }
        }
      }
    }
  `;
}
