/**
 * @file The site in Chromium on SwiftShader, beside Deno on SwiftShader: site_test.ts runs this in a process of its own, since
 * playwright-core asks for every permission.
 */
import { assert, assertEquals, assertLess } from "@std/assert";
import { chromium, type Page } from "playwright-core";
import { siteLink } from "../../benchmarks/report/page/site_link.ts";
import { makeReport } from "../../benchmarks/report/write.ts";
import { completeConfig } from "../../training/configuration.ts";
import type { RunConfig, RunResult } from "../../training/run.ts";
import { shipped } from "../../training/shipped.ts";
import { buildSite } from "../../site/build.ts";
import { CHROMIUM } from "../support/chromium.ts";

/** What Debian's package has for Vulkan programs. */
const SWIFTSHADER = "/usr/lib/chromium/vk_swiftshader_icd.json";
const KINDS: Readonly<Record<string, string>> = {
  html: "text/html",
  js: "text/javascript",
  css: "text/css",
  json: "application/json",
};
/** What a page carries deflated, as a report's script and a link have it. */
const PACKED = /(?<=<script type="[\w/-]+" id="[\w-]+">)[\w+/]+=*(?=<)|(?<=#runs=)[\w-]+/g;
/** The first visit loads less than this, gzipped, whatever is added. */
const MOST_BYTES = 3e6;

const configs = ["lora", "lora-pro"].map((id): RunConfig =>
  completeConfig({
    schema: 1,
    task: { id: "digits", trainExamples: 24, validationExamples: 8, testExamples: 8 },
    model: { id: "vit-tiny" },
    targetModules: ["*.q_proj"],
    optimizer: { id, options: { rank: 2 } },
    steps: 3,
    batchSize: 8,
    accumulate: 1,
    schedule: { kind: "cosine", learningRate: 0.004, warmup: 1, floor: 0 },
    clip: 1,
    validateEvery: 3,
    telemetryEvery: 0,
    scoreOn: "test",
    seed: 5,
  }, shipped)
);

Deno.test("the site in Chromium", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const deno = trainInDeno(folder);
    const site = `${folder}/site`, { firstBytes } = await buildSite(site);
    assertLess(firstBytes, MOST_BYTES);
    await using server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen() {} },
      (request) => answer(site, request),
    );
    const address = `http://127.0.0.1:${server.addr.port}/`;
    const link = (await siteLink(address, { name: "two", question: "Which is better?", configs }))!;
    await using browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ["--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"],
    });
    const context = await browser.newContext(), page = await context.newPage();
    page.setDefaultTimeout(600_000);
    const wrong: string[] = [];
    context.on("request", (request) => {
      if (!request.url().startsWith(address) && !/^(data|blob):/.test(request.url())) {
        wrong.push(request.url());
      }
    });
    page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));
    page.on("pageerror", (error) => wrong.push(String(error)));

    await page.goto(link);
    await page.locator("#linked-start:enabled").click();
    // The page goes while the second run is made: the first is stored, and stays.
    await counts(page, 1);
    await context.setOffline(true);
    await page.reload();
    await page.getByRole("button", { name: "Go on" }).click();
    await page.locator("#answer:visible").waitFor();
    assertEquals(await page.locator("#legend li").count(), 1, "one run was left to be made");

    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Download the results" }).click(),
    ]);
    const files = filesIn(await Deno.readFile(await download.path())), [first] = files.keys();
    for (const [path, bytes] of files) {
      const whole = `${folder}/unpacked/${path}`;
      await Deno.mkdir(whole.slice(0, whole.lastIndexOf("/")), { recursive: true });
      await Deno.writeFile(whole, bytes);
    }
    const out = `${folder}/unpacked/${first!.split("/")[0]}`;
    const report = await makeReport(out, shipped, { site: address });
    assertEquals(report.faults, []);
    for (const [path, text] of report.files) {
      assertEquals(
        await withoutDeflated(await Deno.readTextFile(`${out}/report/${path}`)),
        await withoutDeflated(text),
        path,
      );
    }

    const shown = await context.newPage();
    const served = await shown.goto(
      new URL((await page.locator("#report").getAttribute("href"))!, address).href,
    );
    assertEquals([served?.status(), await shown.title()], [200, "two: Which is better?"]);
    assertEquals(wrong, []);

    const trained = await deno;
    for (const [i, { id, outcome }] of trained.entries()) {
      const found = JSON.parse(await Deno.readTextFile(`${out}/runs/${id}.json`)) as RunResult & {
        readonly status: "done";
      };
      for (const field of ["trainLoss", "validationLoss", "scores", "kernels"] as const) {
        assertEquals(found.outcome[field], outcome[field], `${field} of run ${i}`);
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** Waits until so many runs are made. */
async function counts(page: Page, made: number): Promise<void> {
  await page.locator("#counts", { hasText: `${made} of ${configs.length} runs` }).waitFor();
}

/** The same runs in Deno, on the adapter that Chromium has. */
async function trainInDeno(folder: string): Promise<(RunResult & { readonly status: "done" })[]> {
  const path = `${folder}/configs.json`;
  await Deno.writeTextFile(path, JSON.stringify(configs));
  const { code, stdout, stderr } = await new Deno.Command("deno", {
    args: ["run", "--no-prompt", "--allow-read", "tests/site/train_plainly.ts", path],
    env: { VK_DRIVER_FILES: SWIFTSHADER, DENO_WEBGPU_BACKEND: "vulkan" },
    stdout: "piped",
    stderr: "piped",
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  const results = JSON.parse(new TextDecoder().decode(stdout));
  assert(/swiftshader/i.test(results[0].environment.adapter), results[0].environment.adapter);
  return results;
}

/** A page with what it carries deflated told in full: browsers deflate with other bytes than Deno. */
async function withoutDeflated(page: string): Promise<string> {
  const told = await Promise.all(
    page.match(PACKED)?.map(async (packed) => {
      const bytes = Uint8Array.fromBase64(packed.replaceAll("-", "+").replaceAll("_", "/"));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
      return await new Response(stream).text().catch(() => packed);
    }) ?? [],
  );
  return page.replaceAll(PACKED, () => told.shift()!);
}

async function answer(site: string, request: Request): Promise<Response> {
  const path = decodeURIComponent(new URL(request.url).pathname).replace(/\/$/, "/index.html");
  try {
    const headers = { "content-type": KINDS[path.split(".").at(-1)!] ?? "application/octet-stream" };
    return new Response(await Deno.readFile(`${site}${path}`), { headers });
  } catch {
    return new Response("There is no such file.", { status: 404 });
  }
}

/** The files of an archive that is not compressed, by path. */
function filesIn(archive: Uint8Array): Map<string, Uint8Array> {
  const view = new DataView(archive.buffer, archive.byteOffset), files = new Map<string, Uint8Array>();
  for (let at = 0; view.getUint32(at, true) === 0x04034b50;) {
    const size = view.getUint32(at + 22, true), name = view.getUint16(at + 26, true), start = at + 30 + name;
    files.set(
      new TextDecoder().decode(archive.subarray(at + 30, start)),
      archive.subarray(start, start + size),
    );
    at = start + size;
  }
  return files;
}
