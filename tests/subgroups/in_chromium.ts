/**
 * @file Kernels that add up by subgroups, in Chromium on SwiftShader, whose subgroups have four lanes: subgroups_test.ts runs
 * this in a process of its own, since playwright-core asks for every permission.
 */
import { assert, assertEquals, assertGreater } from "@std/assert";
import { chromium } from "playwright-core";
import { SUBGROUP_KERNELS } from "../../benchmarks/performance/subgroups.ts";
import { CHROMIUM } from "../support/browsers/chromium.ts";
import { serve } from "../site/serve.ts";
import type { Found } from "./page.ts";

Deno.test("kernels by subgroups pass the tests of kernels in Chromium, and are taken where they are chosen", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await bundle("tests/subgroups/page.ts", `${folder}/page.js`);
    await Deno.writeTextFile(
      `${folder}/index.html`,
      '<!doctype html><script type="module" src="page.js"></script>',
    );
    await using server = serve(folder);
    await using browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ["--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"],
    });
    const page = await browser.newPage(), wrong: string[] = [];
    page.setDefaultTimeout(600_000);
    page.on("pageerror", (error) => wrong.push(String(error)));
    await page.goto(server.address);
    await page.waitForFunction("globalThis.found !== undefined");
    const found: Found = await page.evaluate("found");
    assertEquals([found.failures, wrong], [[], []]);
    assertGreater(found.tests, 20);
    const bySubgroups = found.kernels.flatMap((name) => /^(.*)_in_subgroups$/.exec(name)?.[1] ?? []);
    assertEquals(bySubgroups.sort(), [
      ...["add_norm", "compare", "cross_entropy", "dot_parts", "magnitude_change", "norm", "norm_backward"],
      ...["row_norms", "row_norms_f16", "row_norms_int8", "row_norms_nf4", "skip_large"],
    ]);
    // Tuning leaves in use what was.
    assertEquals(found.kept.toSorted(), bySubgroups);
    assertEquals(found.unchosen, ["dot_parts", "sum_parts"]);
    assertEquals([Object.keys(found.tuned), found.progress], [[...SUBGROUP_KERNELS], [...SUBGROUP_KERNELS]]);
    for (const [kernel, { variant, microseconds }] of Object.entries(found.tuned)) {
      assertEquals(Object.keys(microseconds), ["lanes", "subgroups"], kernel);
      assert(variant === "lanes" || microseconds.subgroups! < microseconds.lanes!, kernel);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

async function bundle(from: string, to: string): Promise<void> {
  const { code, stderr } = await new Deno.Command("deno", {
    args: ["bundle", "--quiet", "--platform", "browser", "--output", to, from],
    stdout: "null",
    stderr: "piped",
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
}
