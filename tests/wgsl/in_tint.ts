/**
 * @file Every kernel's WGSL as Tint takes it, the compiler of Chromium and of Dawn: tint_test.ts runs this in a process of
 * its own, since playwright-core asks for every permission.
 */
import { assertEquals, assertGreater } from "@std/assert";
import { chromium } from "playwright-core";
import { openGpu } from "../../gpu/mod.ts";
import { CHROMIUM } from "../support/browsers/chromium.ts";
import { kernelsOf, launchAll } from "./every_kernel.ts";

/** What Chromium says of each text: nothing where it takes it. Pipelines would be SwiftShader's work, minutes of it. */
const compile = `async (modules) => {
  const device = await (await navigator.gpu.requestAdapter()).requestDevice({ requiredFeatures: ["subgroups"] });
  const said = [];
  for (const [name, code] of modules) {
    const { messages } = await device.createShaderModule({ code }).getCompilationInfo();
    for (const { type, message, lineNum } of messages) said.push(\`\${name}: \${type} in line \${lineNum}: \${message}\`);
  }
  return said;
}`;

Deno.test("Tint takes every kernel without a word", async () => {
  await using gpu = await openGpu({ path: "gpu" });
  const launched = [...kernelsOf(gpu, () => launchAll(gpu)), ...await onSoftware()];
  const texts = launched.flatMap(({ spec, inSubgroups }) => inSubgroups ? [spec, inSubgroups] : [spec]);
  const modules = new Map(texts.map(({ name, source }) => [source, [name, source]])).values().toArray();
  assertGreater(modules.length, 100);
  assertGreater(modules.filter(([name]) => name!.endsWith("_in_subgroups")).length, 20);
  // What must be refused, so that silence means something.
  const broken = ["broken", "@compute @workgroup_size(1) fn main() { let x: u32 = 1.5; }"];
  await using browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ["--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"],
  });
  const page = await browser.newPage();
  page.setDefaultTimeout(300_000);
  // WebGPU is there for pages of this machine.
  await page.route(
    "http://localhost/",
    (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html>" }),
  );
  await page.goto("http://localhost/");
  const said: string[] = await page.evaluate(
    `(${compile})(${JSON.stringify([...modules, broken])})`,
  );
  assertEquals(said.filter((one) => !one.startsWith("broken: ")), []);
  assertGreater(said.length, 0);
  console.log(`Tint took ${modules.length} texts`);
});

async function onSoftware() {
  await using gpu = await openGpu({ path: "software" });
  return kernelsOf(gpu, () => launchAll(gpu));
}
