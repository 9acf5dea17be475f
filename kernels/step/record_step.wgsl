// Notes a step's loss, and the first step whose loss or squared gradient norm is not finite.
struct Uniforms {
  slot: u32,
  step: u32,
}

@group(0) @binding(0) var<storage, read> loss: array<f32>;
@group(0) @binding(1) var<storage, read> squared_norm: array<f32>;
@group(0) @binding(2) var<storage, read_write> losses: array<f32>;
// 0, or the first step that diverged.
@group(0) @binding(3) var<storage, read_write> diverged: array<u32>;
@group(0) @binding(4) var<uniform> u: Uniforms;

#use is_finite

@compute @workgroup_size(1)
fn main() {
  losses[u.slot] = loss[0];
  if (diverged[0] == 0u && !(is_finite(loss[0]) && is_finite(squared_norm[0]))) {
    diverged[0] = u.step;
  }
}
