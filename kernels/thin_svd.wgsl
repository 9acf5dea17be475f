// Singular value decomposition of many tall matrices X = U diag(s) V^T, one workgroup each.
//
// Gram-Schmidt, with a second pass for a column that the first one shortened much, gives X = Q R; one-sided Jacobi
// rotations of R's columns give R V = U' diag(s); U = Q U'. Nothing forms X^T X, whose condition number is the square of
// X's. Columns that depend on earlier ones become 0 in Q, and singular values below 1e-6 of the largest become 0 with a
// zero column in U: the caller's inverse is then a pseudo-inverse. Sources: Daniel et al., Math. Comp. 30, 1976; Demmel
// and Veselic, SIAM J. Matrix Anal. Appl. 13, 1992; Hestenes, 1958.
//
// A row of Q and a column of V or R is BLOCKS vectors of four, zeros behind the rank. All loops over BLOCKS unroll.
struct Uniforms {
  rank: u32,
  // Vectors of one matrix's block in `small`, and where V, R and s lie in it.
  block: u32,
  v_at: u32,
  r_at: u32,
  s_at: u32,
}

// Where a matrix lies: element (t, j) of X is x[offset + t * row_stride + j * column_stride]; U has the same layout.
struct Matrix {
  offset: u32,
  rows: u32,
  row_stride: u32,
  column_stride: u32,
  // Of Q, in vectors.
  q_at: u32,
}

override LANES = 64u;
override BLOCKS = 1u;
// Vectors that are reduced together.
override CHUNK = 2u;

@group(0) @binding(0) var<storage, read> matrices: array<Matrix>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> q: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> left: array<f32>;
@group(0) @binding(4) var<storage, read_write> small: array<vec4<f32>>;
@group(0) @binding(5) var<uniform> u: Uniforms;

const MOST_BLOCKS = 32u;
const SMALL = 1e-6;
const SWEEPS = 10u;
// Cosine of two columns that counts as 0: a few units of 2^-24.
const ORTHOGONAL = 2e-7;

var<workgroup> partial: array<vec4<f32>, LANES * CHUNK>;
// Dot products of a column of Q, and of the column after it, with all columns.
var<workgroup> dots: array<vec4<f32>, 2u * BLOCKS>;
var<workgroup> again: u32;
// 1 / norm of Q's last column.
var<workgroup> last_scale: f32;

// Columns of block b.
fn columns_of(b: u32) -> vec4<u32> {
  return vec4(4u * b) + vec4(0u, 1u, 2u, 3u);
}

fn sum4(v: vec4<f32>) -> f32 {
  return (v.x + v.y) + (v.z + v.w);
}

// Element j of dots [first, first + BLOCKS).
fn dot_at(first: u32, j: u32) -> f32 {
  return dots[first + j / 4u][j % 4u];
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let matrix = matrices[group.x];
  let rank = u.rank;
  let block = group.x * u.block;
  let v0 = block + u.v_at;
  let r0 = block + u.r_at;
  let s0 = block + u.s_at;
  for (var i = lane; i < rank * BLOCKS; i += LANES) {
    small[v0 + i] = select(vec4<f32>(0.0), vec4<f32>(1.0), columns_of(i % BLOCKS) == vec4(i / BLOCKS));
  }

  // X = Q R, column by column. A lane owns the rows t = lane, lane + LANES, ..., so Q needs no barrier. A pass over the
  // rows changes column j, scales the column before it, and leaves the dot products of columns j and j + 1.
  var sums: array<vec4<f32>, 64>;
  for (var t = lane; t < matrix.rows; t += LANES) {
    let row = matrix.offset + t * matrix.row_stride;
    let first = x[row];
    for (var b = 0u; b < BLOCKS; b++) {
      var values = vec4<f32>(0.0);
      for (var k = 0u; k < 4u; k++) {
        if (4u * b + k < rank) {
          values[k] = x[row + (4u * b + k) * matrix.column_stride];
        }
      }
      q[matrix.q_at + t * BLOCKS + b] = values;
      sums[BLOCKS + b] += values * first;
    }
  }
  reduce(lane, &sums);
  var scale = 1.0;
  for (var j = 0u; j < rank; j++) {
    // Of column j as X has it, with the columns of Q before it.
    let before = dot_at(BLOCKS, j);
    var length = before;
    var from_ = BLOCKS;
    for (var pass_ = 0u; pass_ < 2u; pass_++) {
      // Column j of Q is Q times `coefficients`.
      var coefficients: array<vec4<f32>, MOST_BLOCKS>;
      var factors: array<vec4<f32>, MOST_BLOCKS>;
      for (var b = 0u; b < BLOCKS; b++) {
        let columns = columns_of(b);
        factors[b] = select(vec4<f32>(1.0), vec4<f32>(scale), columns + 1u == vec4(j));
        let shares = select(vec4<f32>(0.0), dots[from_ + b], columns < vec4(j));
        // Until it is scaled, the column before is 1 / scale too long.
        let projected = shares * factors[b];
        coefficients[b] = select(-projected, vec4<f32>(1.0), columns == vec4(j));
        if (lane == 0u) {
          let at = r0 + j * BLOCKS + b;
          if (pass_ == 0u) {
            small[at] = projected;
          } else {
            small[at] += projected;
          }
        }
        sums[b] = vec4<f32>(0.0);
        sums[BLOCKS + b] = vec4<f32>(0.0);
      }
      for (var t = lane; t < matrix.rows; t += LANES) {
        let row = matrix.q_at + t * BLOCKS;
        var values: array<vec4<f32>, MOST_BLOCKS>;
        var value = vec4<f32>(0.0);
        for (var b = 0u; b < BLOCKS; b++) {
          values[b] = q[row + b] * factors[b];
          value += values[b] * coefficients[b];
        }
        let changed = sum4(value);
        var next = vec4<f32>(0.0);
        for (var b = 0u; b < BLOCKS; b++) {
          let columns = columns_of(b);
          values[b] = select(values[b], vec4(changed), columns == vec4(j));
          next += select(vec4<f32>(0.0), values[b], columns == vec4(j + 1u));
          if (b == j / 4u || 4u * b + 4u == j) {
            q[row + b] = values[b];
          }
        }
        for (var b = 0u; b < BLOCKS; b++) {
          sums[b] += values[b] * changed;
          sums[BLOCKS + b] += values[b] * sum4(next);
        }
      }
      reduce(lane, &sums);
      scale = 1.0;
      let shorter = dot_at(0u, j);
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
    if (lane == 0u) {
      small[r0 + j * BLOCKS + j / 4u][j % 4u] = select(0.0, norm, kept);
      last_scale = scale;
    }
  }
  storageBarrier();

  // R V = U' diag(s): each lane turns one pair of columns a round, in the order of a round-robin tournament.
  let players = rank + rank % 2u;
  for (var sweep = 0u; sweep < SWEEPS; sweep++) {
    partial[lane] = vec4<f32>(0.0);
    for (var round = 0u; round + 1u < players; round++) {
      for (var pair = lane; pair < players / 2u; pair += LANES) {
        let other = players - 1u - pair;
        let a = select((pair - 1u + round) % (players - 1u) + 1u, 0u, pair == 0u);
        let b = (other - 1u + round) % (players - 1u) + 1u;
        if (a < rank && b < rank) {
          turn(lane, r0, v0, a, b);
        }
      }
      storageBarrier();
    }
    workgroupBarrier();
    if (lane == 0u) {
      var turned = 0.0;
      for (var l = 0u; l < LANES; l++) {
        turned += partial[l].x;
      }
      again = u32(turned > 0.0);
    }
    if (workgroupUniformLoad(&again) == 0u) {
      break;
    }
  }

  for (var j = lane; j < 4u * BLOCKS; j += LANES) {
    var squares = vec4<f32>(0.0);
    if (j < rank) {
      for (var b = 0u; b < BLOCKS; b++) {
        let values = small[r0 + j * BLOCKS + b];
        squares += values * values;
      }
    }
    small[s0 + j / 4u][j % 4u] = sqrt(sum4(squares));
  }
  storageBarrier();
  var largest = vec4<f32>(0.0);
  for (var b = 0u; b < BLOCKS; b++) {
    largest = max(largest, small[s0 + b]);
  }
  let least = SMALL * max(max(largest.x, largest.y), max(largest.z, largest.w));
  storageBarrier();
  for (var j = lane; j < rank; j += LANES) {
    let value = small[s0 + j / 4u][j % 4u];
    let kept = value > least;
    for (var b = 0u; b < BLOCKS; b++) {
      small[r0 + j * BLOCKS + b] *= select(0.0, 1.0 / value, kept);
    }
    if (!kept) {
      small[s0 + j / 4u][j % 4u] = 0.0;
    }
  }
  storageBarrier();

  // U = Q U', four columns at a time; Q's last column is scaled on the way.
  for (var first = 0u; first < rank; first += 4u) {
    var c0: array<vec4<f32>, MOST_BLOCKS>;
    var c1: array<vec4<f32>, MOST_BLOCKS>;
    var c2: array<vec4<f32>, MOST_BLOCKS>;
    var c3: array<vec4<f32>, MOST_BLOCKS>;
    for (var b = 0u; b < BLOCKS; b++) {
      let at = r0 + first * BLOCKS + b;
      let factor = select(vec4<f32>(1.0), vec4(last_scale), columns_of(b) + 1u == vec4(rank));
      // Beyond the last column lies something else, which `left` does not get.
      c0[b] = factor * small[at];
      c1[b] = factor * small[at + BLOCKS];
      c2[b] = factor * small[at + 2u * BLOCKS];
      c3[b] = factor * small[at + 3u * BLOCKS];
    }
    for (var t = lane; t < matrix.rows; t += LANES) {
      var out0 = vec4<f32>(0.0);
      var out1 = vec4<f32>(0.0);
      var out2 = vec4<f32>(0.0);
      var out3 = vec4<f32>(0.0);
      for (var b = 0u; b < BLOCKS; b++) {
        let values = q[matrix.q_at + t * BLOCKS + b];
        out0 += values * c0[b];
        out1 += values * c1[b];
        out2 += values * c2[b];
        out3 += values * c3[b];
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

// dots = sums over the lanes of `sums`.
fn reduce(lane: u32, sums: ptr<function, array<vec4<f32>, 64>>) {
  for (var first = 0u; first < 2u * BLOCKS; first += CHUNK) {
    workgroupBarrier();
    for (var i = 0u; i < CHUNK; i++) {
      partial[i * LANES + lane] = (*sums)[first + i];
    }
    workgroupBarrier();
    for (var i = lane; i < CHUNK; i += LANES) {
      var sum = vec4<f32>(0.0);
      for (var l = 0u; l < LANES; l++) {
        sum += partial[i * LANES + l];
      }
      if (first + i < 2u * BLOCKS) {
        dots[first + i] = sum;
      }
    }
  }
  workgroupBarrier();
}

// Turns columns a and b of R, and of V with them, so that R's are orthogonal.
fn turn(lane: u32, r0: u32, v0: u32, a: u32, b: u32) {
  let at_a = r0 + a * BLOCKS;
  let at_b = r0 + b * BLOCKS;
  var xs: array<vec4<f32>, MOST_BLOCKS>;
  var ys: array<vec4<f32>, MOST_BLOCKS>;
  var alphas = vec4<f32>(0.0);
  var betas = vec4<f32>(0.0);
  var gammas = vec4<f32>(0.0);
  for (var i = 0u; i < BLOCKS; i++) {
    xs[i] = small[at_a + i];
    ys[i] = small[at_b + i];
    alphas += xs[i] * xs[i];
    betas += ys[i] * ys[i];
    gammas += xs[i] * ys[i];
  }
  let alpha = sum4(alphas);
  let beta = sum4(betas);
  let gamma = sum4(gammas);
  if (abs(gamma) <= ORTHOGONAL * sqrt(alpha) * sqrt(beta)) {
    return;
  }
  partial[lane].x = 1.0;
  let zeta = (beta - alpha) / (2.0 * gamma);
  let t = select(-1.0, 1.0, zeta >= 0.0) / (abs(zeta) + sqrt(1.0 + zeta * zeta));
  let c = inverseSqrt(1.0 + t * t);
  let s = c * t;
  for (var i = 0u; i < BLOCKS; i++) {
    small[at_a + i] = c * xs[i] - s * ys[i];
    small[at_b + i] = s * xs[i] + c * ys[i];
    let v = small[v0 + a * BLOCKS + i];
    let w = small[v0 + b * BLOCKS + i];
    small[v0 + a * BLOCKS + i] = c * v - s * w;
    small[v0 + b * BLOCKS + i] = s * v + c * w;
  }
}
