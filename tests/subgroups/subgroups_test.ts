import { assertStringIncludes } from "@std/assert";
import { runInChromium, testInChromium } from "../support/browsers/chromium.ts";

testInChromium(
  "kernels that add up by subgroups agree with float64 in Chromium, whose adapter has them, and tuning may choose them",
  async () => {
    assertStringIncludes(await runInChromium("tests/subgroups/in_chromium.ts"), "ok | 1 passed");
  },
);
