// Adam's moments of the equivalent gradient s (B gA + gB A) = s (U S (V_B^T gA) + (gB V_A) T L), which is never stored: a
// lane forms a tile of 4 x 8 of it.
struct Uniforms {
  #use shape
  beta1: f32,
  beta2: f32,
  // 1 - beta, rounded once.
  rest1: f32,
  rest2: f32,
}

// The factors hold K and H in the place of S^-1 K and H T^-1: see wide_pair.wgsl.
override PLAIN = false;

#use layer

@group(0) @binding(0) var<storage, read> layers: array<Layer>;
@group(0) @binding(1) var<storage, read> a_left: array<f32>;
@group(0) @binding(2) var<storage, read> b_left: array<f32>;
@group(0) @binding(3) var<storage, read> small: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> a_coordinates: array<f32>;
@group(0) @binding(5) var<storage, read> b_coordinates: array<f32>;
@group(0) @binding(6) var<storage, read_write> m: array<f32>;
@group(0) @binding(7) var<storage, read_write> v: array<f32>;
@group(0) @binding(8) var<uniform> u: Uniforms;

#use load a_left
#use load b_left
#use load a_coordinates
#use load b_coordinates
#use load m
#use load v
#use store m
#use store v

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let layer = layers[group.y];
  // y counts layers; a line of groups that is too long goes on along z.
  let i = (group.x + group.z * groups.x) * 64u + lane;
  let tiles = (layer.columns + 7u) / 8u;
  let row0 = i / tiles * 4u;
  let column0 = i % tiles * 8u;
  if (row0 >= layer.rows) {
    return;
  }
  let r = u.rank;
  let blocks = (r + 3u) / 4u;
  let inside = layer.columns - column0;
  let rows = min(vec4(row0) + vec4(0u, 1u, 2u, 3u), vec4(layer.rows - 1u)) * r + layer.b;
  let t0 = group.y * u.block + 6u * r * blocks;
  // A row of the tile each, of the first four columns and of the next four.
  var near = mat4x4<f32>();
  var far = mat4x4<f32>();
  for (var j = 0u; j < r; j += 4u) {
    // Elements of B's rows behind their ends are loaded as zeros.
    let h = mat4x4<f32>(
      load_b_coordinates(rows.x + j, r - j),
      load_b_coordinates(rows.y + j, r - j),
      load_b_coordinates(rows.z + j, r - j),
      load_b_coordinates(rows.w + j, r - j),
    );
    let l = mat4x4<f32>(
      load_b_left(rows.x + j, r - j),
      load_b_left(rows.y + j, r - j),
      load_b_left(rows.z + j, r - j),
      load_b_left(rows.w + j, r - j),
    );
    let counts = vec4(1.0 - small[t0 + 2u * blocks].z);
    let t = select(small[t0 + j / 4u], counts, PLAIN);
    let s = select(small[t0 + blocks + j / 4u], vec4(1.0), PLAIN);
    let lines = layer.a + column0 + min(vec4(j) + vec4(0u, 1u, 2u, 3u), vec4(r - 1u)) * layer.columns;
    near += left_of(lines, inside, t) * h + coordinates_of(lines, inside, s) * l;
    if (inside > 4u) {
      far += left_of(lines + 4u, inside - 4u, t) * h + coordinates_of(lines + 4u, inside - 4u, s) * l;
    }
  }
  var sums = array<vec4<f32>, 8>(near[0], near[1], near[2], near[3], far[0], far[1], far[2], far[3]);
  for (var k = 0u; k < 8u + u.zero; k++) {
    let row = row0 + k % 4u;
    let column = column0 + k / 4u * 4u;
    if (row < layer.rows && column < layer.columns) {
      let at = layer.moments + row * layer.columns + column;
      let inside = layer.columns - column;
      let g = layer.scale * sums[k];
      store_m(at, inside, u.beta1 * load_m(at, inside) + u.rest1 * g);
      store_v(at, inside, u.beta2 * load_v(at, inside) + u.rest2 * g * g);
    }
  }
}

// Four lines of T L and of S hA, at four columns.
fn left_of(lines: vec4<u32>, inside: u32, t: vec4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(
    t.x * load_a_left(lines.x, inside),
    t.y * load_a_left(lines.y, inside),
    t.z * load_a_left(lines.z, inside),
    t.w * load_a_left(lines.w, inside),
  );
}

fn coordinates_of(lines: vec4<u32>, inside: u32, s: vec4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(
    s.x * load_a_coordinates(lines.x, inside),
    s.y * load_a_coordinates(lines.y, inside),
    s.z * load_a_coordinates(lines.z, inside),
    s.w * load_a_coordinates(lines.w, inside),
  );
}
