import { runInChromium, testInChromium } from "../../tests/support/chromium.ts";

testInChromium("the watcher's page in Chromium", async () => {
  await runInChromium("tests/support/watch_in_chromium.ts");
});
