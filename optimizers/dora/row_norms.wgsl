// out[o] = |W_o + scale B_o A|, the norm of each row of an adapted weight; the sum is never stored. A lane takes four
// rows, so that it loads A once for all of them, and LANES lanes share them.
struct Uniforms {
  rows: u32,
  columns: u32,
  rank: u32,
  scale: f32,
}

#use value
#use stored
#use width

#use total

override LANES = 1u;

@group(0) @binding(0) var<storage, read> weight: array<Stored>;
@group(0) @binding(1) var<storage, read> a: array<Value>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
@group(0) @binding(4) var<uniform> u: Uniforms;

#use read

var<workgroup> partial: array<vec4<f32>, 64>;

#use row_sum vec4<f32>

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  // Rows beyond the end repeat the last one, since every lane must meet every barrier.
  let place = ((group.x + group.y * groups.x) * (64u / LANES) + lane / LANES) * 4u;
  let row = min(vec4(place) + vec4(0u, 1u, 2u, 3u), vec4(u.rows - 1u));
  let within = lane % LANES;
  let columns = u.columns / WIDTH;
  let w = row * columns;
  let f = row * u.rank;
  var squares0 = Value(0.0);
  var squares1 = Value(0.0);
  var squares2 = Value(0.0);
  var squares3 = Value(0.0);
  for (var c = within; c < columns; c += LANES) {
    var v0 = Value(0.0);
    var v1 = Value(0.0);
    var v2 = Value(0.0);
    var v3 = Value(0.0);
    for (var k = 0u; k < u.rank; k++) {
      let values = a[k * columns + c];
      v0 += b[f.x + k] * values;
      v1 += b[f.y + k] * values;
      v2 += b[f.z + k] * values;
      v3 += b[f.w + k] * values;
    }
    v0 = weight_at(w.x + c) + u.scale * v0;
    v1 = weight_at(w.y + c) + u.scale * v1;
    v2 = weight_at(w.z + c) + u.scale * v2;
    v3 = weight_at(w.w + c) + u.scale * v3;
    squares0 += v0 * v0;
    squares1 += v1 * v1;
    squares2 += v2 * v2;
    squares3 += v3 * v3;
  }
  let all = row_sum(lane, vec4(total(squares0), total(squares1), total(squares2), total(squares3)));
  if (within != 0u) {
    return;
  }
  // A norm that overflows becomes NaN: divided by infinity a row would quietly be 0, and a run that diverges look sound.
  var norms = bitcast<vec4<u32>>(sqrt(all));
  norms = select(norms, norms | vec4(0x7fffffffu), (norms & vec4(0x7f800000u)) == vec4(0x7f800000u));
  for (var i = 0u; i < 4u; i++) {
    if (place + i < u.rows) {
      out[place + i] = bitcast<f32>(norms[i]);
    }
  }
}
