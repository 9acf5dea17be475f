import { runInChromium, testInChromium } from "../../tests/support/browsers/chromium.ts";

testInChromium("the watcher's page in Chromium", async () => {
  await runInChromium("tests/support/browsers/watch_in_chromium.ts");
});
