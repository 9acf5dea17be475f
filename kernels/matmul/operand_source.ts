/** @file Writes the WGSL that binds an operand of a matrix product and reads it. */

/** How an operand lies in memory. */
export interface OperandShape {
  /** True where its rows start at multiples of four elements, so that four are read at once. */
  readonly vector: boolean;
  /** True where elements are 16-bit floats, two to a word. */
  readonly half?: boolean;
}

/**
 * WGSL of a binding `name` and of the function `name_4(at, end)`: four neighbouring elements from `at`, of which those
 * at `end` and beyond count as zero unless rows are aligned. Where they are not, `name_1(at)` reads one.
 */
export function operandSource(binding: number, name: string, { vector, half = false }: OperandShape): string {
  const declare = (type: string) =>
    `@group(0) @binding(${binding}) var<storage, read> ${name}: array<${type}>;`;
  const four = `fn ${name}_4(at: u32, end: u32) -> vec4<f32>`;
  if (vector) {
    return half
      ? `${declare("vec2<u32>")}
${four} { let words = ${name}[at / 4u]; return vec4(unpack2x16float(words.x), unpack2x16float(words.y)); }`
      : `${declare("vec4<f32>")}
${four} { return ${name}[at / 4u]; }`;
  }
  const one = half
    // A row may start in the middle of a word.
    ? "let pair = unpack2x16float(NAME[at / 2u]); return select(pair.x, pair.y, at % 2u == 1u);"
    : "return NAME[at];";
  const later = (i: number) => `select(0.0, ${name}_1(at + ${i}u), at + ${i}u < end)`;
  return `${declare(half ? "u32" : "f32")}
fn ${name}_1(at: u32) -> f32 { ${one.replaceAll("NAME", name)} }
${four} { return vec4(${name}_1(at), ${later(1)}, ${later(2)}, ${later(3)}); }`;
}
