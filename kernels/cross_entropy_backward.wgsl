// out = scale g[0] (softmax(x) - one at the target), 0 in rows whose target is negative.
struct Uniforms {
  count: u32,
  columns: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<i32>;
@group(0) @binding(2) var<storage, read> normalizers: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read> g: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;
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
  let row = i / u.columns;
  let wanted = targets[row];
  var d = 0.0;
  if (wanted >= 0) {
    d = exp((x[i] - normalizers[row].x) - normalizers[row].y);
    if (u32(wanted) == i % u.columns) {
      d -= 1.0;
    }
    d *= u.scale * g[0];
  }
  out[i] = d;
}
