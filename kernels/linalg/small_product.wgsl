// Products c L diag(f(s)) R^T of r x r matrices, one a layer; a lane forms four rows of four columns of one of them. An
// identity in the place of L or R is not read.
struct Uniforms {
  rank: u32,
  left_at: u32,
  left_block: u32,
  left_row: u32,
  left_column: u32,
  right_at: u32,
  right_block: u32,
  right_row: u32,
  right_column: u32,
  values_at: u32,
  values_block: u32,
  // Where the result begins, and elements from one matrix and from one row of it to the next; those behind the rank become 0.
  out_at: u32,
  out_block: u32,
  out_row: u32,
  damping: f32,
  scale: f32,
  // Share of a layer's largest s that its smallest must reach: below it the product is 0.
  min_share: f32,
  // Share of it below which a single s counts as 0.
  each_share: f32,
  // Always 0, which the compiler does not know: a loop whose end depends on it is not unrolled, and sooner compiled.
  zero: u32,
}

// 0: f = 1. 1: 1 / (s^2 + damping). 2: s / (s^2 + damping). 3: s. 4: 1 / (c s + damping), with no c before the product.
// Each but the first is 0 where s is 0: a pseudo-inverse.
override FUNCTION = 0u;
override LEFT = true;
override RIGHT = true;

@group(0) @binding(0) var<storage, read> left: array<f32>;
@group(0) @binding(1) var<storage, read> right: array<f32>;
@group(0) @binding(2) var<storage, read> values: array<f32>;
// Of each layer: c is this times `scale`.
@group(0) @binding(3) var<storage, read> factors: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;
@group(0) @binding(5) var<uniform> u: Uniforms;

fn value_of(layer: u32, l: u32) -> f32 {
  return values[u.values_at + layer * u.values_block + l];
}

// A layer's, where shares are asked for.
var<private> largest: f32 = 0.0;

fn weight(layer: u32, l: u32, factor: f32) -> f32 {
  if (FUNCTION == 0u) {
    return 1.0;
  }
  let s = value_of(layer, l);
  if (s == 0.0 || abs(s) < u.each_share * largest) {
    return 0.0;
  }
  if (FUNCTION == 1u) {
    return 1.0 / (s * s + u.damping);
  }
  if (FUNCTION == 2u) {
    // Without damping this is 1 / s, whose square may be too small for a float.
    return 1.0 / (s + u.damping / s);
  }
  if (FUNCTION == 3u) {
    return s;
  }
  return 1.0 / (factor * s + u.damping);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let tile = group.x * 64u + lane;
  let tiles = (u.out_row + 3u) / 4u;
  let i0 = tile / tiles * 4u;
  let j0 = tile % tiles * 4u;
  if (i0 >= u.rank) {
    return;
  }
  let layer = group.y;
  let factor = u.scale * factors[layer];
  var is_whole = true;
  if (max(u.min_share, u.each_share) > 0.0) {
    var smallest = value_of(layer, 0u);
    largest = smallest;
    for (var l = 1u; l < u.rank; l++) {
      smallest = min(smallest, value_of(layer, l));
      largest = max(largest, value_of(layer, l));
    }
    is_whole = smallest >= u.min_share * largest;
  }
  // Rows and columns behind the last one repeat it, and are not stored.
  let rows = min(vec4(i0) + vec4(0u, 1u, 2u, 3u), vec4(u.rank - 1u));
  let columns = min(vec4(j0) + vec4(0u, 1u, 2u, 3u), vec4(u.rank - 1u));
  let left0 = u.left_at + layer * u.left_block + rows * u.left_row;
  let right0 = u.right_at + layer * u.right_block + columns * u.right_row;
  // A row of the tile each.
  var sums = mat4x4<f32>();
  if (is_whole && LEFT && RIGHT) {
    for (var l = 0u; l < u.rank; l++) {
      let ls = left0 + l * u.left_column;
      let rs = right0 + l * u.right_column;
      let weighted = vec4(left[ls.x], left[ls.y], left[ls.z], left[ls.w]) * weight(layer, l, factor);
      let others = vec4(right[rs.x], right[rs.y], right[rs.z], right[rs.w]);
      sums += mat4x4<f32>(weighted.x * others, weighted.y * others, weighted.z * others, weighted.w * others);
    }
  }
  var lines = array<vec4<f32>, 4>(sums[0], sums[1], sums[2], sums[3]);
  for (var a = 0u; a < min(u.rank - i0, 4u) + u.zero; a++) {
    for (var b = 0u; b < min(u.out_row - j0, 4u) + u.zero; b++) {
      let i = i0 + a;
      let j = j0 + b;
      var sum = 0.0;
      if (is_whole && j < u.rank) {
        if (!LEFT) {
          sum = weight(layer, i, factor) * right[right0[b] + i * u.right_column];
        } else if (!RIGHT) {
          sum = weight(layer, j, factor) * left[left0[a] + j * u.left_column];
        } else {
          sum = lines[a][b];
        }
      }
      out[u.out_at + layer * u.out_block + i * u.out_row + j] = select(factor * sum, sum, FUNCTION == 4u);
    }
  }
}
