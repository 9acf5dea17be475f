// H = x^T g block by block: x and g [rows, blocks * size], H [blocks, size, size]. PARTS lanes share a tile of four by four and
// sum every PARTS-th row.
struct Uniforms {
  rows: u32,
  blocks: u32,
  size: u32,
}

override PARTS = 8u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> g: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> u: Uniforms;

var<workgroup> partial: array<vec4<f32>, 256>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = (group.x + group.y * groups.x) * (64u / PARTS) + lane / PARTS;
  let quads = (u.size + 3u) / 4u;
  let block = min(tile / (quads * quads), u.blocks - 1u);
  let row0 = tile / quads % quads * 4u;
  let column0 = tile % quads * 4u;
  let width = u.blocks * u.size;
  let rows = min(vec4(row0) + vec4(0u, 1u, 2u, 3u), vec4(u.size - 1u)) + block * u.size;
  let columns = min(vec4(column0) + vec4(0u, 1u, 2u, 3u), vec4(u.size - 1u)) + block * u.size;
  var sums = mat4x4<f32>();
  for (var t = lane % PARTS; t < u.rows; t += PARTS) {
    let at = t * width;
    let left = vec4(x[at + rows.x], x[at + rows.y], x[at + rows.z], x[at + rows.w]);
    let right = vec4(g[at + columns.x], g[at + columns.y], g[at + columns.z], g[at + columns.w]);
    sums += mat4x4<f32>(left.x * right, left.y * right, left.z * right, left.w * right);
  }
  for (var i = 0u; i < 4u; i++) {
    partial[4u * lane + i] = sums[i];
  }
  workgroupBarrier();
  if (tile >= u.blocks * quads * quads) {
    return;
  }
  for (var i = lane % PARTS; i < min(u.size - row0, 4u); i += PARTS) {
    var sum = vec4<f32>(0.0);
    for (var part = 0u; part < PARTS; part++) {
      sum += partial[4u * (lane / PARTS * PARTS + part) + i];
    }
    for (var j = 0u; j < min(u.size - column0, 4u); j++) {
      out[(block * u.size + row0 + i) * u.size + column0 + j] = sum[j];
    }
  }
}
