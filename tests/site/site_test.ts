import { assertStringIncludes } from "@std/assert";
import { runInChromium, testInChromium } from "../support/browsers/chromium.ts";

testInChromium(
  "the site trains, settles and judges programs in Chromium as Deno does: names, losses, verdicts, reports, over a reload",
  async () => {
    assertStringIncludes(await runInChromium("tests/site/in_chromium.ts"), "ok | 1 passed");
  },
);
