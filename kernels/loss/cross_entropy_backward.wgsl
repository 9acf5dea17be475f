// out = scale g[0] (softmax(x) - one at the target), 0 in rows whose target is negative.
struct Uniforms {
  // Of Values, in all and in a row.
  count: u32,
  columns: u32,
  scale: f32,
}

#use value
#use width

#use one_at

@group(0) @binding(0) var<storage, read> x: array<Value>;
@group(0) @binding(1) var<storage, read> targets: array<i32>;
@group(0) @binding(2) var<storage, read> normalizers: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read> g: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<Value>;
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
  var d = Value(0.0);
  if (wanted >= 0) {
    let normalizer = normalizers[row];
    d = exp((x[i] - normalizer.x) - normalizer.y);
    let target_ = u32(wanted);
    if (target_ / WIDTH == i % u.columns) {
      d -= one_at(target_ % WIDTH);
    }
    d *= u.scale * g[0];
  }
  out[i] = d;
}
