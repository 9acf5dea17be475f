import { assertEquals } from "@std/assert";
import { type Gpu, openGpu } from "../../gpu/mod.ts";
import { composeKernel } from "./compose.ts";
import { groupsToShare } from "./groups.ts";
import { lanesAcross } from "./rows.ts";
import { snippets } from "./snippets.ts";

const kernel = (counted: "vectors" | "elements") =>
  composeKernel({
    name: "count_calls",
    source: `
      struct Uniforms {
        count: u32,
      }

      @group(0) @binding(0) var<storage, read_write> calls: array<u32>;
      @group(0) @binding(1) var<uniform> u: Uniforms;

      fn each(i: u32) {
        calls[i] += i % 7u + 1u;
      }

      #use main_for_each ${counted}
    `,
    buffers: { calls: "read_write" },
    uniforms: { count: "u32" },
    constants: {},
  }, { snippets });

Deno.test("main_for_each calls each() once for every vector: one a lane beyond 65,535 workgroups, and several a lane", async () => {
  for (
    const [path, counts] of [["gpu", [1, 64, 65, 65_535 * 64 + 77]], ["software", [
      1,
      1025,
      100_003,
    ]]] as const
  ) {
    await using gpu = await openGpu({ path });
    for (const count of counts) {
      for (const [counted, numbers] of [["vectors", count], ["elements", 4 * count - 3]] as const) {
        using _ = gpu.scope("calls");
        const calls = gpu.zeros([count + 9], "calls", "u32");
        gpu.launch(kernel(counted), {
          buffers: { calls },
          uniforms: { count: numbers },
          workgroups: groupsToShare(gpu, count),
        });
        const wanted = Uint32Array.from({ length: count + 9 }, (_, i) => i < count ? i % 7 + 1 : 0);
        assertEquals(await gpu.download(calls), wanted, `${path}, ${count} ${counted}`);
      }
    }
  }
});

Deno.test("lanesAcross() has few lanes idle: to 64 on a GPU, to four on a software adapter", () => {
  const lanes = (software: boolean) =>
    [1, 3, 10, 14, 16, 48, 64, 100, 1000].map((values) => lanesAcross({ info: { software } } as Gpu, values));
  assertEquals(lanes(false), [1, 1, 2, 16, 16, 16, 64, 16, 64]);
  assertEquals(lanes(true), [1, 1, 2, 4, 4, 4, 4, 4, 4]);
});
