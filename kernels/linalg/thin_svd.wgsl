// Singular value decomposition of many tall matrices X = U diag(s) V^T, one workgroup each.
//
// Gram-Schmidt, with a second pass for a column that the first one shortened much, gives X = Q R; one-sided Jacobi
// rotations of R's columns give R V = U' diag(s); U = Q U'. Nothing forms X^T X, whose condition number is the square of
// X's. Columns that depend on earlier ones become 0 in Q, and singular values below 1e-6 of the largest become 0 with a
// zero column in U: the caller's inverse is then a pseudo-inverse. Sources: Daniel et al., Math. Comp. 30, 1976; Demmel
// and Veselic, SIAM J. Matrix Anal. Appl. 13, 1992; Hestenes, 1958.
//
// A row of Q and a column of V or R is `blocks` vectors of four, zeros behind the rank. Two of them are a panel: the panel
// at work stays in registers, so that up to rank 8 a pass reads each row once.
//
// A store to one component may touch the whole vector, so lanes never share one: each writes whole vectors.
struct Uniforms {
  rank: u32,
  // Vectors of one matrix's block in `small`, and where V, R and s lie in it.
  block: u32,
  v_at: u32,
  r_at: u32,
  s_at: u32,
  // Always 0, which the compiler does not know: a loop whose end depends on it is not unrolled, and sooner compiled.
  zero: u32,
}

#use matrix

override LANES = 64u;
// U is wanted: else `left` is not written.
override LEFT = true;

@group(0) @binding(0) var<storage, read> matrices: array<Matrix>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> q: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> left: array<f32>;
@group(0) @binding(4) var<storage, read_write> small: array<vec4<f32>>;
@group(0) @binding(5) var<uniform> u: Uniforms;

const SMALL = 1e-6;
const SWEEPS = 10u;
// Cosine of two columns that counts as 0: a few units of 2^-24.
const ORTHOGONAL = 2e-7;

var<workgroup> partial: array<vec4<f32>, LANES * 4u>;
// Dot products of a column of Q with all columns, then from `next0` on those of the column after it.
var<workgroup> dots: array<vec4<f32>, 64>;
var<workgroup> again: u32;

const NONE = vec4<f32>(0.0);
const ONE = vec4<f32>(1.0);

// Columns of block b.
fn columns_of(b: u32) -> vec4<u32> {
  return vec4(4u * b) + vec4(0u, 1u, 2u, 3u);
}

#use sum4

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let matrix = matrices[group.x];
  let rank = u.rank;
  let block = group.x * u.block;
  let v0 = block + u.v_at;
  let r0 = block + u.r_at;
  let s0 = block + u.s_at;
  let blocks = (rank + 3u) / 4u;
  let next0 = (blocks + 1u) / 2u * 2u;
  for (var i = lane; i < rank * blocks; i += LANES) {
    small[v0 + i] = select(NONE, ONE, columns_of(i % blocks) == vec4(i / blocks));
  }

  // X = Q R, column by column. A lane owns the rows t = lane, lane + LANES, ..., so Q needs no barrier. A pass over the
  // rows changes column j, scales the column before it, and leaves the dot products of columns j and j + 1.
  var squares = 0.0;
  for (var t = lane; t < matrix.rows; t += LANES) {
    let row = matrix.offset + t * matrix.row_stride;
    for (var b = 0u; b < blocks; b++) {
      var values = NONE;
      let inside = min(rank - 4u * b, 4u);
      for (var k = 0u; k < inside + u.zero; k++) {
        values[k] = x[row + (4u * b + k) * matrix.column_stride];
      }
      q[matrix.q_at + t * blocks + b] = values;
    }
    squares += x[row] * x[row];
  }
  reduce(lane, 0u, next0, NONE, NONE, vec4(squares, 0.0, 0.0, 0.0), NONE);
  var scale = 1.0;
  for (var j = 0u; j < rank; j++) {
    let panel = j / 8u * 2u;
    let has_second = panel + 1u < blocks;
    let columns0 = columns_of(panel);
    let columns1 = columns0 + 4u;
    // The column after j, and the last panel with columns up to it.
    let next = min(j + 1u, rank - 1u);
    let last_panel = next / 8u * 2u;
    // Of column j as X has it, with the columns of Q before it.
    let before = dots[next0 + j / 4u][j % 4u];
    // All lanes have read it before one overwrites it.
    workgroupBarrier();
    var length = before;
    var from_ = next0;
    for (var pass_ = 0u; pass_ < 2u + u.zero; pass_++) {
      // Shares of the columns before j in it. The one just before is 1 / scale too long until this pass scales it.
      for (var b = lane; b < blocks; b += LANES) {
        let columns = columns_of(b);
        let shares = select(NONE, dots[from_ + b], columns < vec4(j)) * select(ONE, vec4(scale), columns + 1u == vec4(j));
        dots[from_ + b] = shares;
        let at = r0 + j * blocks + b;
        if (pass_ == 0u) {
          small[at] = shares;
        } else {
          small[at] += shares;
        }
      }
      workgroupBarrier();
      let factors0 = select(ONE, vec4(scale), columns0 + 1u == vec4(j));
      let factors1 = select(ONE, vec4(scale), columns1 + 1u == vec4(j));
      let coefficients0 = select(-dots[from_ + panel], ONE, columns0 == vec4(j));
      let coefficients1 = select(-dots[from_ + panel + 1u], ONE, columns1 == vec4(j));
      var own0 = NONE;
      var own1 = NONE;
      var next_0 = NONE;
      var next_1 = NONE;
      for (var t = lane; t < matrix.rows; t += LANES) {
        let row = matrix.q_at + t * blocks;
        var values0 = q[row + panel] * factors0;
        var values1 = NONE;
        if (has_second) {
          values1 = q[row + panel + 1u] * factors1;
        }
        var value = values0 * coefficients0 + values1 * coefficients1;
        for (var b = 0u; b < panel; b++) {
          value -= q[row + b] * dots[from_ + b];
        }
        let changed = sum4(value);
        values0 = select(values0, vec4(changed), columns0 == vec4(j));
        values1 = select(values1, vec4(changed), columns1 == vec4(j));
        q[row + panel] = values0;
        if (j % 8u > 3u) {
          q[row + panel + 1u] = values1;
        }
        own0 += values0 * changed;
        own1 += values1 * changed;
        var after = select(NONE, values0, columns0 == vec4(next)) + select(NONE, values1, columns1 == vec4(next));
        if (last_panel != panel) {
          after.x = q[row + last_panel].x;
        }
        next_0 += values0 * sum4(after);
        next_1 += values1 * sum4(after);
      }
      reduce(lane, panel, next0 + panel, own0, own1, next_0, next_1);
      for (var other = 0u; other <= last_panel; other += 2u) {
        if (other != panel) {
          own0 = NONE;
          own1 = NONE;
          next_0 = NONE;
          next_1 = NONE;
          for (var t = lane; t < matrix.rows; t += LANES) {
            let row = matrix.q_at + t * blocks;
            let values0 = q[row + other];
            var values1 = NONE;
            if (other + 1u < blocks) {
              values1 = q[row + other + 1u];
            }
            let value = q[row + j / 4u][j % 4u];
            let after = q[row + next / 4u][next % 4u];
            own0 += values0 * value;
            own1 += values1 * value;
            next_0 += values0 * after;
            next_1 += values1 * after;
          }
          reduce(lane, other, next0 + other, own0, own1, next_0, next_1);
        }
      }
      scale = 1.0;
      let shorter = dots[j / 4u][j % 4u];
      if (lane == 0u) {
        again = select(0u, 1u, shorter < 0.5 * length);
      }
      length = shorter;
      from_ = 0u;
      if (workgroupUniformLoad(&again) == 0u) {
        break;
      }
    }
    let norm = sqrt(length);
    let kept = norm > SMALL * sqrt(before);
    scale = select(0.0, 1.0 / norm, kept);
    if (lane == (j / 4u) % LANES) {
      let at = r0 + j * blocks + j / 4u;
      small[at] = select(small[at], vec4(select(0.0, norm, kept)), columns_of(j / 4u) == vec4(j));
    }
    // No later pass reads this panel's columns to scale them.
    if (j % 8u == 7u || j + 1u == rank) {
      let scales = select(ONE, vec4(scale), columns_of(j / 4u) == vec4(j));
      for (var t = lane; t < matrix.rows; t += LANES) {
        q[matrix.q_at + t * blocks + j / 4u] *= scales;
      }
    }
  }
  storageBarrier();

  // R V = U' diag(s): each lane rotates one pair of columns a round, in the order of a round-robin tournament.
  let players = rank + rank % 2u;
  for (var sweep = 0u; sweep < SWEEPS; sweep++) {
    partial[lane] = NONE;
    for (var round = 0u; round + 1u < players; round++) {
      for (var pair = lane; pair < players / 2u; pair += LANES) {
        let other = players - 1u - pair;
        let a = select((pair - 1u + round) % (players - 1u) + 1u, 0u, pair == 0u);
        let b = (other - 1u + round) % (players - 1u) + 1u;
        if (a < rank && b < rank) {
          rotate(lane, blocks, r0, v0, a, b);
        }
      }
      storageBarrier();
    }
    workgroupBarrier();
    if (lane == 0u) {
      var rotations = 0.0;
      for (var l = 0u; l < LANES + u.zero; l++) {
        rotations += partial[l].x;
      }
      again = u32(rotations > 0.0);
    }
    if (workgroupUniformLoad(&again) == 0u) {
      break;
    }
  }

  for (var b = lane; b < blocks; b += LANES) {
    var values = NONE;
    for (var k = 0u; k < min(rank - 4u * b, 4u) + u.zero; k++) {
      var squares = NONE;
      for (var i = 0u; i < blocks; i++) {
        let part = small[r0 + (4u * b + k) * blocks + i];
        squares += part * part;
      }
      values[k] = sqrt(sum4(squares));
    }
    small[s0 + b] = values;
  }
  storageBarrier();
  var largest = NONE;
  for (var b = 0u; b < blocks; b++) {
    largest = max(largest, small[s0 + b]);
  }
  let threshold = SMALL * max(max(largest.x, largest.y), max(largest.z, largest.w));
  for (var j = lane; j < rank; j += LANES) {
    let value = small[s0 + j / 4u][j % 4u];
    for (var b = 0u; b < blocks; b++) {
      small[r0 + j * blocks + b] *= select(0.0, 1.0 / value, value > threshold);
    }
  }
  storageBarrier();
  for (var b = lane; b < blocks; b += LANES) {
    small[s0 + b] = select(NONE, small[s0 + b], small[s0 + b] > vec4(threshold));
  }
  storageBarrier();

  if (!LEFT) {
    return;
  }
  // U = Q U', four columns at a time. Beyond the last column lies something else, which `left` does not get.
  for (var first = 0u; first < rank; first += 4u) {
    let c0 = r0 + first * blocks;
    let c1 = c0 + blocks;
    let c2 = c1 + blocks;
    let c3 = c2 + blocks;
    let second = min(1u, blocks - 1u);
    let c00 = small[c0];
    let c10 = small[c1];
    let c20 = small[c2];
    let c30 = small[c3];
    let c01 = small[c0 + second];
    let c11 = small[c1 + second];
    let c21 = small[c2 + second];
    let c31 = small[c3 + second];
    for (var t = lane; t < matrix.rows; t += LANES) {
      let row = matrix.q_at + t * blocks;
      var values = q[row];
      var out0 = values * c00;
      var out1 = values * c10;
      var out2 = values * c20;
      var out3 = values * c30;
      if (blocks > 1u) {
        values = q[row + 1u];
        out0 += values * c01;
        out1 += values * c11;
        out2 += values * c21;
        out3 += values * c31;
      }
      for (var b = 2u; b < blocks; b++) {
        values = q[row + b];
        out0 += values * small[c0 + b];
        out1 += values * small[c1 + b];
        out2 += values * small[c2 + b];
        out3 += values * small[c3 + b];
      }
      let at = matrix.offset + t * matrix.row_stride + first * matrix.column_stride;
      left[at] = sum4(out0);
      if (first + 1u < rank) {
        left[at + matrix.column_stride] = sum4(out1);
      }
      if (first + 2u < rank) {
        left[at + 2u * matrix.column_stride] = sum4(out2);
      }
      if (first + 3u < rank) {
        left[at + 3u * matrix.column_stride] = sum4(out3);
      }
    }
  }
}

// Two vectors of dots at `own` and two at `next`: sums over the lanes of the four given.
fn reduce(lane: u32, own: u32, next: u32, own0: vec4<f32>, own1: vec4<f32>, next_0: vec4<f32>, next_1: vec4<f32>) {
  workgroupBarrier();
  partial[lane] = own0;
  partial[LANES + lane] = own1;
  partial[2u * LANES + lane] = next_0;
  partial[3u * LANES + lane] = next_1;
  workgroupBarrier();
  for (var i = lane; i < 4u; i += LANES) {
    var sum = NONE;
    for (var l = 0u; l < LANES + u.zero; l++) {
      sum += partial[i * LANES + l];
    }
    dots[select(own, next, i > 1u) + i % 2u] = sum;
  }
  workgroupBarrier();
}

// Rotates columns a and b of R, and of V with them, so that R's are orthogonal.
fn rotate(lane: u32, blocks: u32, r0: u32, v0: u32, a: u32, b: u32) {
  let at_a = r0 + a * blocks;
  let at_b = r0 + b * blocks;
  let x0 = small[at_a];
  let y0 = small[at_b];
  var x1 = NONE;
  var y1 = NONE;
  if (blocks > 1u) {
    x1 = small[at_a + 1u];
    y1 = small[at_b + 1u];
  }
  var alphas = x0 * x0 + x1 * x1;
  var betas = y0 * y0 + y1 * y1;
  var gammas = x0 * y0 + x1 * y1;
  for (var i = 2u; i < blocks; i++) {
    let x = small[at_a + i];
    let y = small[at_b + i];
    alphas += x * x;
    betas += y * y;
    gammas += x * y;
  }
  let alpha = sum4(alphas);
  let beta = sum4(betas);
  let gamma = sum4(gammas);
  if (abs(gamma) <= ORTHOGONAL * sqrt(alpha) * sqrt(beta)) {
    return;
  }
  partial[lane] = ONE;
  let zeta = (beta - alpha) / (2.0 * gamma);
  let t = select(-1.0, 1.0, zeta >= 0.0) / (abs(zeta) + sqrt(1.0 + zeta * zeta));
  let c = inverseSqrt(1.0 + t * t);
  let s = c * t;
  small[at_a] = c * x0 - s * y0;
  small[at_b] = s * x0 + c * y0;
  if (blocks > 1u) {
    small[at_a + 1u] = c * x1 - s * y1;
    small[at_b + 1u] = s * x1 + c * y1;
  }
  for (var i = 2u; i < blocks; i++) {
    let x = small[at_a + i];
    let y = small[at_b + i];
    small[at_a + i] = c * x - s * y;
    small[at_b + i] = s * x + c * y;
  }
  for (var i = 0u; i < blocks; i++) {
    let x = small[v0 + a * blocks + i];
    let y = small[v0 + b * blocks + i];
    small[v0 + a * blocks + i] = c * x - s * y;
    small[v0 + b * blocks + i] = s * x + c * y;
  }
}
