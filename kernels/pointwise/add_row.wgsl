// out = a + b, where b is one row that repeats.
struct Uniforms {
  rows: u32,
  columns: u32,
}

#use value
#use width

override LANES = 64u;

@group(0) @binding(0) var<storage, read> a: array<Value>;
@group(0) @binding(1) var<storage, read> b: array<Value>;
@group(0) @binding(2) var<storage, read_write> out: array<Value>;
@group(0) @binding(3) var<uniform> u: Uniforms;

fn each(i: u32, c: u32) {
  out[i] = a[i] + b[c];
}

#use main_for_rows
