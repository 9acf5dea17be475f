// Multiplies scales so that the norm, whose square is the sum of `squares`, is at most `growth` times the last one, which becomes
// this one. There is no limit where `growth` is 0, where the last norm is 0, as before the first step, and where this one is not
// finite: a run that diverged must not look like one that is limited. One workgroup.
struct Uniforms {
  channels: u32,
  growth: f32,
}

#use is_finite

@group(0) @binding(0) var<storage, read> squares: array<f32>;
@group(0) @binding(1) var<storage, read_write> scales: array<f32>;
@group(0) @binding(2) var<storage, read_write> last: array<f32>;
@group(0) @binding(3) var<uniform> u: Uniforms;

var<workgroup> partial: array<f32, 64>;

#use sum_of_lanes f32 64

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) {
  var sum = 0.0;
  for (var j = lane; j < u.channels; j += 64u) {
    sum += squares[j];
  }
  #use put sum
  workgroupBarrier();
  let norm = sqrt(sum_of_lanes());
  let most = u.growth * last[0];
  var factor = 1.0;
  if (most > 0.0 && norm > most && is_finite(norm)) {
    factor = most / norm;
  }
  for (var j = lane; j < u.channels; j += 64u) {
    scales[j] *= factor;
  }
  // All lanes have read the last norm.
  storageBarrier();
  if (lane == 0u) {
    last[0] = factor * norm;
  }
}
