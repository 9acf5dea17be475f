/** @file WGSL that reads an operand of a matrix product. */
import { wgsl } from "../wgsl/compose.ts";

/** How an operand lies in memory. */
export interface OperandShape {
  /** True where its rows start at multiples of four elements, so that four are read at once. */
  readonly vector: boolean;
  /** True where elements are 16-bit floats, two to a word. */
  readonly half?: boolean;
}

/** The type of a binding's elements. */
export function elementType({ vector, half = false }: OperandShape): string {
  if (vector) return half ? "vec2<u32>" : "vec4<f32>";
  return half ? "u32" : "f32";
}

/**
 * WGSL of `name_4(at, end)`: four neighbouring elements from `at`, of which those at `end` and beyond count as zero unless
 * rows are aligned. Where they are not it needs `name_1`.
 */
export function readFour(name: string, { vector, half = false }: OperandShape): string {
  const elements = wgsl`
    return vec4(
      ${name}_1(at),
      ${[1, 2, 3].map((i) => `select(0.0, ${name}_1(at + ${i}u), at + ${i}u < end),`)}
    );
  `;
  const halves = wgsl`
    let words = ${name}[at / 4u];
    return vec4(unpack2x16float(words.x), unpack2x16float(words.y));
  `;
  return wgsl`
    fn ${name}_4(at: u32, end: u32) -> vec4<f32> {
      ${!vector ? elements : half ? halves : `return ${name}[at / 4u];`}
    }
  `;
}

/** WGSL of `name_1(at)`, which reads one element of rows that are not aligned. */
export function readOne(name: string, { half = false }: OperandShape): string {
  const halves = wgsl`
    // A row may start in the middle of a word.
    let pair = unpack2x16float(${name}[at / 2u]);
    return select(pair.x, pair.y, at % 2u == 1u);
  `;
  return wgsl`
    fn ${name}_1(at: u32) -> f32 {
      ${half ? halves : `return ${name}[at];`}
    }
  `;
}

/** WGSL of `name_4`, and of `name_1` where that needs it. */
export function readRows(name: string, shape: OperandShape): string {
  return wgsl`
    ${!shape.vector && readOne(name, shape)}

    ${readFour(name, shape)}
  `;
}

/** WGSL of `store(at, value)`, which writes to C, or adds to what it holds. */
export function storeC(vector: boolean): string {
  return wgsl`
    fn store(at: u32, value: ${elementType({ vector })}) {
      var sum = value;
      if (u.accumulate != 0u) {
        sum += c[at];
      }
      c[at] = sum;
    }
  `;
}
