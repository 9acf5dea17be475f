/**
 * @file What the watcher's page does in a real browser: benchmarks/watch/page_test.ts runs this in a process of its own, since
 * playwright-core asks for every permission: `deno test --allow-all tests/support/browsers/watch_in_chromium.ts`.
 */
import { assertEquals, assertNotEquals } from "@std/assert";
import { chromium } from "playwright-core";
import { writePlan } from "../../../benchmarks/sweep/plan.ts";
import { openLive } from "../../../benchmarks/sweep/live.ts";
import { serveWatcher } from "../../../benchmarks/watch/serve.ts";
import { CHROMIUM } from "./chromium.ts";
import { fakeRegistries } from "../fakes/registries.ts";
import { fakeDone } from "../fakes/results.ts";
import { putFake } from "../fakes/store.ts";
import { fakePlan } from "../fakes/sweep.ts";
import { inFolder } from "../in_folder.ts";

Deno.test("the watcher's page follows a sweep, keeps what the reader opened, and says when nobody answers any more", async () => {
  await inFolder(async (folder) => {
    const plan = await fakePlan(), out = `${folder}/a`, ending = new AbortController();
    await Deno.mkdir(`${out}/runs`, { recursive: true });
    await writePlan(out, plan);
    const put = async (i: number) => putFake(out, await fakeDone(plan.runs[i]!.config));
    await put(0);
    const live = await openLive(out, () => {});
    const report = async (step: number) => {
      const curves = { trainLoss: [{ step, value: 2.25 }], validationLoss: [], discrepancies: [] };
      const steps = plan.runs[3]!.config.steps;
      live.display.update({ phase: "training", step, steps, loss: 2.25, ...curves }, null);
      await live.write();
    };
    live.display.start(plan.runs[3]!);
    await report(1);
    const { promise: address, resolve: onListen } = Promise.withResolvers<string>();
    const complaints: string[] = [];
    const serving = serveWatcher(folder, fakeRegistries, {
      port: 0,
      signal: ending.signal,
      onListen,
      complain: (sentence) => complaints.push(sentence),
    });
    await using browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
    const page = await browser.newPage();
    // Machines may be busy: no test is about how long something takes.
    page.setDefaultTimeout(300_000);
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(`${await address}sweep/a/`);
    const before = await page.title();

    // What the reader opened stays open.
    const config = page.locator("#config");
    await config.waitFor();
    // In one step: what a locator found is perhaps replaced before it is opened.
    await page.evaluate(`document.getElementById("config").open = true`);
    await put(1);
    await put(2);
    await report(7);
    await page.locator("main p", { hasText: "3 done" }).first().waitFor();
    await page.locator("dd", { hasText: "7 of " }).first().waitFor();
    assertNotEquals(await page.title(), before);
    assertEquals(await config.evaluate((details) => details.hasAttribute("open")), true);

    const lost = page.locator("#lost");
    assertEquals(await lost.isVisible(), false);
    await live.end({ status: "done" });
    ending.abort();
    await serving;
    await lost.waitFor({ state: "visible" });
    assertEquals(complaints, []);
  });
});
