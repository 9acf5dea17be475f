// out = scale * (part 0 + part 1 + ...) (+ out): the end of a product that was split along its inner axis.
struct Uniforms {
  count: u32,
  parts: u32,
  scale: f32,
  accumulate: u32,
}

@group(0) @binding(0) var<storage, read> parts: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<uniform> u: Uniforms;

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
  var sum = 0.0;
  for (var part = 0u; part < u.parts; part++) {
    sum += parts[part * u.count + i];
  }
  sum *= u.scale;
  if (u.accumulate != 0u) {
    sum += out[i];
  }
  out[i] = sum;
}
