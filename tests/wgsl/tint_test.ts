import { assertStringIncludes } from "@std/assert";
import { runInChromium, testInChromium } from "../support/browsers/chromium.ts";

testInChromium(
  "Tint, the compiler of Chromium and Dawn, takes every kernel's WGSL without a word",
  async () => {
    assertStringIncludes(await runInChromium("tests/wgsl/in_tint.ts"), "ok | 1 passed");
  },
);
