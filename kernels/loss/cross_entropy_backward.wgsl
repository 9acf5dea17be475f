// out = scale g[0] (softmax(x) - one at the target), 0 in rows whose target is negative.
struct Uniforms {
  rows: u32,
  columns: u32,
  scale: f32,
}

#use value
#use width

#use one_at

override LANES = 64u;

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
  #use row_of_lane
  if (place >= u.rows) {
    return;
  }
  let columns = u.columns / WIDTH;
  let wanted = targets[row];
  let normalizer = normalizers[row];
  let factor = u.scale * g[0];
  for (var c = within; c < columns; c += LANES) {
    let i = row * columns + c;
    var d = Value(0.0);
    if (wanted >= 0) {
      d = exp((x[i] - normalizer.x) - normalizer.y);
      if (u32(wanted) / WIDTH == c) {
        d -= one_at(u32(wanted) % WIDTH);
      }
      d *= factor;
    }
    out[i] = d;
  }
}
