import { assertEquals } from "@std/assert";
import type { Gpu } from "../../gpu/gpu.ts";
import { defineKernel, type Kernel, type KernelSpec, type Launch } from "../../gpu/kernel.ts";
import { SUBGROUPS_HEAD } from "../../gpu/subgroups.ts";
import { createRandom } from "../../numerics/random.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { map, randomMatrix } from "../../tests/reference/matrix.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { upload } from "../../tests/support/upload.ts";
import { rowLosses } from "../loss/cross_entropy.ts";
import { norm } from "../norm/norm.ts";
import { createComparisons } from "../reduce/compare.ts";
import { dot } from "../reduce/reduce.ts";
import { wgsl } from "./compose.ts";

/** Ways of dealing 64 lanes out to subgroups: which one a lane is in, and how many there are. */
const DEALS = {
  ...Object.fromEntries(
    [4, 32, 128].map((size) => [size, [`lane / ${size}u`, Math.ceil(64 / size)]]),
  ),
  "8, 32 and 24": ["select(select(2u, 1u, lane < 40u), 0u, lane < 8u)", 3],
  "four by turns": ["lane % 4u", 4],
  "sixteen, lanes turned about": ["(63u - lane) * 5u % 16u", 16],
} as Readonly<Record<string, readonly [of: string, count: number]>>;

/** A text with subgroups, which these functions stand in for: an adapter that has none shows what any size of them would. */
function standIns(source: string, [of, count]: readonly [of: string, count: number]): string {
  const type = /var<workgroup> partial: array<(.+), 64>;/.exec(source)![1]!;
  const combined = (name: string, none: string, by: string) =>
    wgsl`
      fn ${name}(value: ${type}) -> ${type} {
        workgroupBarrier();
        of_lanes[own_lane] = value;
        workgroupBarrier();
        var all = ${none};
        for (var lane = 0u; lane < 64u; lane++) {
          if (subgroup_of(lane) == subgroup) {
            all = ${by};
          }
        }
        return all;
      }
    `;
  return [
    wgsl`
      var<workgroup> of_lanes: array<${type}, 64>;
      var<private> own_lane: u32;

      fn subgroup_of(lane: u32) -> u32 {
        return ${of};
      }

      fn is_first() -> bool {
        for (var lane = 0u; lane < own_lane; lane++) {
          if (subgroup_of(lane) == subgroup) {
            return false;
          }
        }
        return true;
      }

      ${combined("added", `${type}(0.0)`, "all + of_lanes[lane]")}
      ${type === "f32" && combined("largest_of", "-3.4e38", "max(all, of_lanes[lane])")}
    `,
    source.replace(SUBGROUPS_HEAD, "")
      .replace(
        /,\s*@builtin\(subgroup_id\) subgroup_id: u32,\s*@builtin\(num_subgroups\) num_subgroups: u32/,
        "",
      )
      .replace("= subgroup_id;", "= subgroup_of(lane);\n  own_lane = lane;").replace(
        "= num_subgroups;",
        `= ${count}u;`,
      )
      .replaceAll("subgroupAdd(", "added(").replaceAll("subgroupMax(", "largest_of(")
      .replaceAll("subgroupElect(", "is_first("),
  ].join("\n");
}

/** Launches of `work` with stand-ins for subgroups that are dealt out so; how many there were. */
async function withDeal<T>(
  gpu: Gpu,
  deal: string,
  work: () => Promise<T>,
): Promise<{ out: T; count: number }> {
  const { launch } = gpu;
  let count = 0;
  gpu.launch = <S extends KernelSpec>(kernel: Kernel<S>, how: Launch<S>) => {
    const { spec } = kernel.inSubgroups ?? kernel;
    if (!kernel.inSubgroups) return launch.call(gpu, kernel as Kernel, how as Launch<KernelSpec>);
    count++;
    const made = defineKernel({ ...spec, source: standIns(spec.source, DEALS[deal]!) });
    launch.call(gpu, made as Kernel, how as Launch<KernelSpec>);
  };
  try {
    return { out: await work(), count };
  } finally {
    gpu.launch = launch;
  }
}

Deno.test("Sums over lanes by subgroups are those over lanes, whatever size subgroups have and however lanes lie in them", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("subgroups");
  const rows = 7, columns = 195, random = createRandom(1);
  const draw = (name: string) => upload(gpu, randomMatrix(rows, columns, random.fork(name)), name);
  const x = draw("x"), y = draw("y");
  const weight = upload(gpu, randomMatrix(1, columns, random.fork("weight")), "weight", [columns]);
  // All far below 0: what stands for no value must be lower.
  const low = upload(
    gpu,
    map(randomMatrix(rows, columns, random.fork("low")), (value) => value - 200),
    "low",
  );
  const targets = gpu.upload(Int32Array.from({ length: rows }, (_, i) => i), "i32", [rows], "targets");
  const work = async () => {
    const found: Float32Array[] = [];
    for (const lanes of [4, 32]) {
      found.push(await gpu.download(norm(gpu, x, weight, null, { epsilon: 1e-5, center: true, lanes }).out));
    }
    for (const lanes of [32, 64]) {
      const losses = gpu.empty([rows], "losses");
      rowLosses(gpu, low, targets, losses, { lanes });
      found.push(await gpu.download(losses));
    }
    const comparisons = createComparisons(gpu, 1);
    comparisons.add(x, y);
    const [compared] = await comparisons.read();
    return [...found, await gpu.download(dot(gpu, x, y)), Float64Array.from(Object.values(compared!))];
  };
  const wanted = await work();
  for (const deal of Object.keys(DEALS)) {
    const { out, count } = await withDeal(gpu, deal, work);
    assertEquals(count, 2 + 2 + 2, deal);
    out.forEach((values, i) => {
      assertClose(values, wanted[i]!, { relative: 2e-6, absolute: 2e-6 }, `${deal}: ${i}`);
    });
  }
});
