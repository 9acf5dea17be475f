// out (+)= x magnitude / norm, along the columns of x (stride 1) or along its rows (stride: a row's length); 0 where the
// norm is 0.
struct Uniforms {
  // In values.
  count: u32,
  stride: u32,
  // Magnitudes.
  period: u32,
  accumulate: u32,
}

// Elements that a lane takes at once: `rows.ts` makes this text's twin for rows of whole vectors of four.
alias Value = f32;

@group(0) @binding(0) var<storage, read> x: array<Value>;
@group(0) @binding(1) var<storage, read> magnitude: array<Value>;
@group(0) @binding(2) var<storage, read> norms: array<Value>;
@group(0) @binding(3) var<storage, read_write> out: array<Value>;
@group(0) @binding(4) var<uniform> u: Uniforms;

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
  let j = i / u.stride % u.period;
  let none = norms[j] == Value(0.0);
  var y = x[i] * (select(magnitude[j], Value(0.0), none) / select(norms[j], Value(1.0), none));
  if (u.accumulate != 0u) {
    y += out[i];
  }
  out[i] = y;
}
