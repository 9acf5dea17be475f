/** @file WGSL that writes the result of a matrix product. */
import { wgsl } from "../wgsl/compose.ts";
import { elementType } from "../wgsl/stored.ts";

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
