/** @file What of the site and of reports works in Firefox, where one is. */
import { assertEquals, assertMatch } from "@std/assert";
import { buildReport } from "../../benchmarks/report/build.ts";
import { toHtml } from "../../benchmarks/report/html.ts";
import { buildSite } from "../../site/build.ts";
import { fakeRegistries } from "../support/fakes/registries.ts";
import { fakeDone } from "../support/fakes/results.ts";
import { fakePlan } from "../support/fakes/sweep.ts";
import { Firefox, testInFirefox } from "../support/browsers/firefox.ts";
import { inFolder } from "../support/in_folder.ts";
import { serve } from "./serve.ts";

testInFirefox("the site says in Firefox that WebGPU is switched off, and how to switch it on", async () => {
  await inFolder(async (folder) => {
    await buildSite(folder);
    await using server = serve(folder);
    await using firefox = await Firefox.open({ "dom.webgpu.enabled": false });
    await firefox.goto(server.address);
    await firefox.until("!document.querySelector('#problem').hidden");
    assertMatch(
      await firefox.evaluate("document.querySelector('#problem').textContent"),
      /^Firefox [\d.]+ has WebGPU switched off on this system: set dom\.webgpu\.enabled to true in about:config/,
    );
    assertEquals(firefox.complaints, []);
  });
});

testInFirefox("a report opens in Firefox, draws its charts, and its filters act", async () => {
  const plan = await fakePlan(), stored = await Promise.all(plan.runs.map(({ config }) => fakeDone(config)));
  const report = buildReport({ plan, stored, faults: [], setAside: [] }, fakeRegistries);
  const stills = report.charts.map(() => `<svg class="marks" width="100" height="50"></svg>`);
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/index.html`, await toHtml(report, stills));
    await using firefox = await Firefox.open({});
    await firefox.goto(`file://${folder}/index.html`);
    await firefox.until("document.documentElement.dataset.ready !== undefined");
    const chart = "document.querySelector('#score-by-rank')";
    await firefox.evaluate(`${chart}.scrollIntoView()`);
    await firefox.until(`${chart}.querySelector(".plot.drawn:not([aria-busy]) .role-mark path")`);
    const shown =
      "[...document.querySelectorAll('#runs tbody tr')].filter((row) => row.checkVisibility()).length";
    assertEquals(await firefox.evaluate(shown), report.runs.length);
    const menu =
      "[...document.querySelectorAll('#filters details')].find((menu) => menu.textContent.startsWith('Seed'))";
    await firefox.evaluate(`${menu}.querySelector("input").click()`);
    await firefox.until(`${shown} < ${report.runs.length}`);
    assertEquals(firefox.complaints, []);
  });
});
