/** @file How two tensors compare: their norms, their product and their distance, in one pass. */
import type { Gpu } from "../../gpu/gpu.ts";
import { elementCount, type Tensor } from "../../gpu/tensor.ts";
import { composeKernel } from "../wgsl/compose.ts";
import { snippets } from "../wgsl/snippets.ts";
import source from "./compare.wgsl" with { type: "text" };

const kernel = composeKernel({
  name: "compare",
  source,
  buffers: { x: "read", y: "read", parts: "read_write" },
  uniforms: { count: "u32", stretch: "u32", place: "u32" },
  constants: {},
  workgroupBytes: () => 64 * 16,
}, { snippets });

/** Most parts of one comparison: what is added up on the host, in float64. */
const MAX_PARTS = 64;
/** Elements that are worth a workgroup. */
const MIN_STRETCH = 4096;

/** How two tensors compare. */
export interface Comparison {
  /** Σ x². */
  readonly xx: number;
  /** Σ y². */
  readonly yy: number;
  /** Σ x y. */
  readonly xy: number;
  /** Σ (x − y)². */
  readonly distance: number;
}

/** Comparisons that are read with one wait; in the scope that it was created in. */
export interface Comparisons {
  /** Compares two tensors of the same element count, now. Returns the result's place in what `read` gives. */
  add(x: Tensor, y: Tensor): number;
  /** Waits for the GPU. */
  read(): Promise<Comparison[]>;
}

/** Room for `count` comparisons. */
export function createComparisons(gpu: Gpu, count: number): Comparisons {
  const parts = gpu.empty([Math.max(count, 1), MAX_PARTS, 4], "comparisons");
  const used: number[] = [];
  return {
    add(x, y) {
      const size = elementCount(x.shape);
      if (size !== elementCount(y.shape)) {
        throw new RangeError(
          `Cannot compare "${x.label}" [${x.shape}] with "${y.label}" [${y.shape}]: element counts differ`,
        );
      }
      if (used.length === count) {
        throw new RangeError(`Cannot compare more than ${count} pairs of tensors here`);
      }
      const stretch = Math.max(MIN_STRETCH, Math.ceil(size / MAX_PARTS / 4) * 4);
      const groups = Math.ceil(size / stretch);
      gpu.launch(kernel, {
        buffers: { x, y, parts },
        uniforms: { count: size, stretch, place: used.length * MAX_PARTS },
        workgroups: [groups],
      });
      return used.push(groups) - 1;
    },
    async read() {
      const sums = await gpu.download(parts);
      return used.map((groups, place) => {
        const total = (component: number) => {
          let sum = 0;
          for (let part = 0; part < groups; part++) sum += sums[(place * MAX_PARTS + part) * 4 + component]!;
          return sum;
        };
        return { xx: total(0), yy: total(1), xy: total(2), distance: total(3) };
      });
    },
  };
}
