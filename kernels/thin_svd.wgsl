// Singular value decomposition of many tall matrices X = U diag(s) V^T, one workgroup each.
//
// Gram-Schmidt twice gives X = Q R; one-sided Jacobi rotations of R's columns give R V = U' diag(s); U = Q U'. Nothing
// forms X^T X, whose condition number is the square of X's. Columns that depend on earlier ones become 0 in Q, and
// singular values below 1e-6 of the largest become 0 with a zero column in U: the caller's inverse is then a
// pseudo-inverse. Source: Demmel and Veselic, SIAM J. Matrix Anal. Appl. 13, 1992; Hestenes, 1958.
struct Uniforms {
  rank: u32,
  // Words of one matrix's block in `small`, and where V, R and s lie in it.
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
}

@group(0) @binding(0) var<storage, read> matrices: array<Matrix>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> q: array<f32>;
@group(0) @binding(3) var<storage, read_write> left: array<f32>;
@group(0) @binding(4) var<storage, read_write> small: array<f32>;
@group(0) @binding(5) var<uniform> u: Uniforms;

const LANES = 64u;
// Dot products that are reduced together: 32 x 64 x 4 = 8 KiB.
const BLOCK = 32u;
const SMALL = 1e-6;
const SWEEPS = 10u;

var<workgroup> partial: array<f32, 2048>;
var<workgroup> dots: array<f32, 128>;
var<workgroup> largest: f32;

fn both_barriers() {
  workgroupBarrier();
  storageBarrier();
}

// dots[i] for i in [first, first + count): sums of what the lanes left in `partial`.
fn reduce(lane: u32, first: u32, count: u32) {
  workgroupBarrier();
  if (lane < count) {
    var sum = 0.0;
    for (var l = 0u; l < LANES; l++) {
      sum += partial[lane * LANES + l];
    }
    dots[first + lane] = sum;
  }
  workgroupBarrier();
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let matrix = matrices[group.x];
  let rank = u.rank;
  let block = group.x * u.block;
  let v0 = block + u.v_at;
  let r0 = block + u.r_at;
  let s0 = block + u.s_at;
  for (var i = lane; i < rank * rank; i += LANES) {
    small[r0 + i] = 0.0;
    small[v0 + i] = select(0.0, 1.0, i / rank == i % rank);
  }
  both_barriers();

  // X = Q R, column by column. A lane owns the rows t = lane, lane + 64, ..., so Q needs no barrier.
  for (var j = 0u; j < rank; j++) {
    var before = 0.0;
    for (var t = lane; t < matrix.rows; t += LANES) {
      let at = matrix.offset + t * matrix.row_stride + j * matrix.column_stride;
      q[at] = x[at];
      before += x[at] * x[at];
    }
    partial[lane] = before;
    reduce(lane, 0u, 1u);
    let norm_before = sqrt(dots[0]);
    workgroupBarrier();
    for (var pass_ = 0u; pass_ < 2u; pass_++) {
      for (var first = 0u; first < j; first += BLOCK) {
        let count = min(BLOCK, j - first);
        for (var i = 0u; i < count; i++) {
          var sum = 0.0;
          for (var t = lane; t < matrix.rows; t += LANES) {
            let row = matrix.offset + t * matrix.row_stride;
            sum += q[row + (first + i) * matrix.column_stride] * q[row + j * matrix.column_stride];
          }
          partial[i * LANES + lane] = sum;
        }
        reduce(lane, first, count);
      }
      for (var t = lane; t < matrix.rows; t += LANES) {
        let row = matrix.offset + t * matrix.row_stride;
        var value = q[row + j * matrix.column_stride];
        for (var i = 0u; i < j; i++) {
          value -= dots[i] * q[row + i * matrix.column_stride];
        }
        q[row + j * matrix.column_stride] = value;
      }
      for (var i = lane; i < j; i += LANES) {
        small[r0 + i * rank + j] += dots[i];
      }
      workgroupBarrier();
    }
    var after = 0.0;
    for (var t = lane; t < matrix.rows; t += LANES) {
      let value = q[matrix.offset + t * matrix.row_stride + j * matrix.column_stride];
      after += value * value;
    }
    partial[lane] = after;
    reduce(lane, 0u, 1u);
    let norm_after = sqrt(dots[0]);
    workgroupBarrier();
    let kept = norm_after > SMALL * norm_before;
    let scale = select(0.0, 1.0 / norm_after, kept);
    for (var t = lane; t < matrix.rows; t += LANES) {
      q[matrix.offset + t * matrix.row_stride + j * matrix.column_stride] *= scale;
    }
    if (lane == 0u) {
      small[r0 + j * rank + j] = select(0.0, norm_after, kept);
    }
  }
  both_barriers();

  // R V = U' diag(s): each lane turns one pair of columns a round, in the order of a round-robin tournament.
  let players = rank + rank % 2u;
  for (var sweep = 0u; sweep < SWEEPS; sweep++) {
    for (var round = 0u; round + 1u < players; round++) {
      if (lane < players / 2u) {
        let other = players - 1u - lane;
        let a = select((lane - 1u + round) % (players - 1u) + 1u, 0u, lane == 0u);
        let b = (other - 1u + round) % (players - 1u) + 1u;
        if (a < rank && b < rank) {
          turn(r0, v0, rank, a, b);
        }
      }
      both_barriers();
    }
  }

  for (var j = lane; j < rank; j += LANES) {
    var sum = 0.0;
    for (var i = 0u; i < rank; i++) {
      let value = small[r0 + i * rank + j];
      sum += value * value;
    }
    small[s0 + j] = sqrt(sum);
  }
  both_barriers();
  if (lane == 0u) {
    var most = 0.0;
    for (var j = 0u; j < rank; j++) {
      most = max(most, small[s0 + j]);
    }
    largest = most;
  }
  both_barriers();
  for (var j = lane; j < rank; j += LANES) {
    let kept = small[s0 + j] > SMALL * largest;
    let scale = select(0.0, 1.0 / small[s0 + j], kept);
    for (var i = 0u; i < rank; i++) {
      small[r0 + i * rank + j] *= scale;
    }
    if (!kept) {
      small[s0 + j] = 0.0;
    }
  }
  both_barriers();

  for (var t = lane; t < matrix.rows; t += LANES) {
    let row = matrix.offset + t * matrix.row_stride;
    for (var j = 0u; j < rank; j++) {
      var sum = 0.0;
      for (var i = 0u; i < rank; i++) {
        sum += q[row + i * matrix.column_stride] * small[r0 + i * rank + j];
      }
      left[row + j * matrix.column_stride] = sum;
    }
  }
}

// Turns columns a and b of R, and of V with them, until R's are orthogonal.
fn turn(r0: u32, v0: u32, rank: u32, a: u32, b: u32) {
  var alpha = 0.0;
  var beta = 0.0;
  var gamma = 0.0;
  for (var i = 0u; i < rank; i++) {
    let x = small[r0 + i * rank + a];
    let y = small[r0 + i * rank + b];
    alpha += x * x;
    beta += y * y;
    gamma += x * y;
  }
  if (abs(gamma) <= 1e-9 * sqrt(alpha) * sqrt(beta)) {
    return;
  }
  let zeta = (beta - alpha) / (2.0 * gamma);
  let t = select(-1.0, 1.0, zeta >= 0.0) / (abs(zeta) + sqrt(1.0 + zeta * zeta));
  let c = inverseSqrt(1.0 + t * t);
  let s = c * t;
  for (var i = 0u; i < rank; i++) {
    let x = small[r0 + i * rank + a];
    let y = small[r0 + i * rank + b];
    small[r0 + i * rank + a] = c * x - s * y;
    small[r0 + i * rank + b] = s * x + c * y;
    let v = small[v0 + i * rank + a];
    let w = small[v0 + i * rank + b];
    small[v0 + i * rank + a] = c * v - s * w;
    small[v0 + i * rank + b] = s * v + c * w;
  }
}
