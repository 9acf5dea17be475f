/** @file WGSL that reads numbers, whatever type a tensor keeps them in. */
import type { LowPrecision } from "../../gpu/tensor.ts";
import { INT8_BLOCK } from "../../numerics/int8.ts";
import { NF4_BLOCK, NF4_OUTER_BLOCK, nf4Layout } from "../../numerics/nf4.ts";
import { wgsl } from "./compose.ts";

/** Types of numbers that kernels read as f32. */
export type StoredType = "f32" | LowPrecision;

/** How a tensor's numbers lie in memory. */
export interface Stored {
  /** True where its rows start at multiples of four elements, so that four are read at once. */
  readonly vector: boolean;
  /** f32 where absent. */
  readonly type?: StoredType;
  /** WGSL: how many numbers there are. Quantized ones need it, since their sizes lie behind them. */
  readonly count?: string;
}

/** Kernels whose text depends on a type: each is made when it is first asked for, and once. */
export function kernelsByType<T extends StoredType, K>(declare: (type: T) => K): (type: T) => K {
  const known = new Map<T, K>();
  return (type) => {
    let kernel = known.get(type);
    if (!kernel) known.set(type, kernel = declare(type));
    return kernel;
  };
}

/** The type of a binding's elements. */
export function elementType({ vector, type = "f32" }: Stored): string {
  if (type === "f32") return vector ? "vec4<f32>" : "f32";
  return type === "f16" && vector ? "vec2<u32>" : "u32";
}

/**
 * WGSL of `name_4(at, end)`: four neighbouring numbers from `at`, of which those at `end` and beyond count as zero unless
 * rows are aligned; of `name_1(at)`, which reads one of rows that are not; and of what both need.
 */
export function readRows(name: string, stored: Stored): string {
  return wgsl`
    ${readScale(name, stored)}

    ${!stored.vector && readOne(name, stored)}

    ${readFour(name, stored)}
  `;
}

/** WGSL of `name_1(at)` alone, and of what it needs. */
export function readElements(name: string, stored: Stored): string {
  return wgsl`
    ${readScale(name, stored)}

    ${readOne(name, stored)}
  `;
}

function readFour(name: string, { vector, type = "f32" }: Stored): string {
  if (!vector) {
    return wgsl`
      fn ${name}_4(at: u32, end: u32) -> vec4<f32> {
        return vec4(
          ${name}_1(at),
          ${[1, 2, 3].map((i) => `select(0.0, ${name}_1(at + ${i}u), at + ${i}u < end),`)}
        );
      }
    `;
  }
  const bodies: Readonly<Record<StoredType, string>> = {
    f32: `return ${name}[at / 4u];`,
    f16: wgsl`
      let words = ${name}[at / 4u];
      return vec4(unpack2x16float(words.x), unpack2x16float(words.y));
    `,
    int8: wgsl`
      let codes = vec4<i32>(bitcast<i32>(${name}[at / 4u])) << vec4(24u, 16u, 8u, 0u);
      return vec4<f32>(codes >> vec4(24u)) * ${name}_scale(at);
    `,
    nf4: wgsl`
      let codes = ${name}[${nf4Layout(0).codes}u + at / 8u] >> (at / 4u % 2u * 16u);
      return vec4(
        ${[4, 0, 12, 8].map((shift) => `bitcast<f32>(${name}[(codes >> ${shift}u) & 15u]),`)}
      ) * ${name}_scale(at);
    `,
  };
  return wgsl`
    fn ${name}_4(at: u32, end: u32) -> vec4<f32> {
      ${bodies[type]}
    }
  `;
}

function readOne(name: string, { type = "f32" }: Stored): string {
  const bodies: Readonly<Record<StoredType, string>> = {
    f32: `return ${name}[at];`,
    f16: wgsl`
      // A row may start in the middle of a word.
      let pair = unpack2x16float(${name}[at / 2u]);
      return select(pair.x, pair.y, at % 2u == 1u);
    `,
    int8: wgsl`
      let code = bitcast<i32>(${name}[at / 4u] << (24u - at % 4u * 8u)) >> 24u;
      return f32(code) * ${name}_scale(at);
    `,
    nf4: wgsl`
      // Of two in a byte the first is the upper one.
      let code = (${name}[${nf4Layout(0).codes}u + at / 8u] >> (((at % 8u) ^ 1u) * 4u)) & 15u;
      return bitcast<f32>(${name}[code]) * ${name}_scale(at);
    `,
  };
  return wgsl`
    fn ${name}_1(at: u32) -> f32 {
      ${bodies[type]}
    }
  `;
}

/** WGSL of `name_scale(at)`: what the codes around a number are multiplied by. See `int8Layout` and `nf4Layout`. */
function readScale(name: string, { type = "f32", count }: Stored): string | null {
  if (type !== "int8" && type !== "nf4") return null;
  if (count === undefined) {
    throw new Error(`Cannot read "${name}" as ${type}: how many numbers it has is needed`);
  }
  if (type === "int8") {
    return wgsl`
      fn ${name}_scale(at: u32) -> f32 {
        return bitcast<f32>(${name}[(${count} + 3u) / 4u + at / ${INT8_BLOCK}u]);
      }
    `;
  }
  const { codes, sizeValues, mean } = nf4Layout(0);
  return wgsl`
    fn ${name}_scale(at: u32) -> f32 {
      let sizes = ${codes}u + (${count} + 7u) / 8u;
      let block = at / ${NF4_BLOCK}u;
      let factors = sizes + ((${count} + ${NF4_BLOCK - 1}u) / ${NF4_BLOCK}u + 3u) / 4u;
      let code = (${name}[sizes + block / 4u] >> (block % 4u * 8u)) & 255u;
      let factor = bitcast<f32>(${name}[factors + block / ${NF4_OUTER_BLOCK}u]);
      return bitcast<f32>(${name}[${sizeValues}u + code]) * factor + bitcast<f32>(${name}[${mean}u]);
    }
  `;
}
