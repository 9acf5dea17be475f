// Gradients of silu(gate) up for both factors.
struct Uniforms {
  count: u32,
}

@group(0) @binding(0) var<storage, read> gate: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> up: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> g: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> gate_gradient: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> up_gradient: array<vec4<f32>>;
@group(0) @binding(5) var<uniform> u: Uniforms;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * 64u + lane;
  if (i >= u.count) {
    return;
  }
  let z = gate[i];
  let s = 1.0 / (1.0 + exp(-z));
  let d = g[i];
  gate_gradient[i] = d * up[i] * s * (1.0 + z * (1.0 - s));
  up_gradient[i] = d * z * s;
}
