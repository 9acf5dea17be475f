// scales[j] = |N_j| / (|R_j| + 1e-8) for each channel j of two low-rank matrices, and squares[j] = |scales[j] G_j|² of a matrix of
// full size. Channels are rows or columns; LANES lanes share one.
struct Uniforms {
  rows: u32,
  rank: u32,
  // Numbers of a channel of G.
  length: u32,
  // From one channel to the next, and from one number of a channel to the next: of N and R, and of G.
  low_channel: u32,
  low_step: u32,
  channel: u32,
  step: u32,
}

#use is_finite

override LANES = 1u;

@group(0) @binding(0) var<storage, read> n: array<f32>;
@group(0) @binding(1) var<storage, read> r: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read_write> scales: array<f32>;
@group(0) @binding(4) var<storage, read_write> squares: array<f32>;
@group(0) @binding(5) var<uniform> u: Uniforms;

var<workgroup> partial: array<f32, 64>;

#use row_sum f32

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  #use row_of_lane
  var squares_n = 0.0;
  var squares_r = 0.0;
  for (var k = 0u; k < u.rank; k++) {
    let at = row * u.low_channel + k * u.low_step;
    squares_n += n[at] * n[at];
    squares_r += r[at] * r[at];
  }
  let scale = sqrt(squares_n) / (sqrt(squares_r) + 1e-8);
  var sum = 0.0;
  for (var i = within; i < u.length; i += LANES) {
    let value = scale * g[row * u.channel + i * u.step];
    sum += value * value;
  }
  let total = row_sum(lane, sum);
  if (place >= u.rows || within != 0u) {
    return;
  }
  // A norm that overflows gives a NaN: by an infinite one the step would quietly be 0.
  let quiet = is_finite(squares_r) && is_finite(squares_n);
  scales[row] = select(bitcast<f32>(bitcast<u32>(scale) | 0x7fffffffu), scale, quiet);
  squares[row] = total;
}
