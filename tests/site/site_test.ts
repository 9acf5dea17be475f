import { assertStringIncludes } from "@std/assert";
import { runInChromium, testInChromium } from "../support/chromium.ts";

testInChromium(
  "the site trains in Chromium what Deno trains: equal names, losses and report, offline and over a reload",
  async () => {
    assertStringIncludes(await runInChromium("tests/site/in_chromium.ts"), "ok | 1 passed");
  },
);
