/**
 * @file The site in Chromium on SwiftShader, beside Deno on SwiftShader: site_test.ts runs this in a process of its own, since
 * playwright-core asks for every permission.
 */
import { assert, assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { chromium, type Page } from "playwright-core";
import { siteLink } from "../../benchmarks/report/page/site_link.ts";
import { makeReport } from "../../benchmarks/report/write.ts";
import { createLines } from "../../benchmarks/command_line/display.ts";
import { askQuestion, specOf } from "../../benchmarks/settle/question.ts";
import { settle } from "../../benchmarks/settle/settle.ts";
import { FEWEST_PAIRS, LOOKS } from "../../benchmarks/statistics/looks.ts";
import { readPlan } from "../../benchmarks/sweep/plan.ts";
import type { SweepSpec } from "../../benchmarks/sweep/sweep.ts";
import { completeConfig } from "../../training/configuration.ts";
import type { RunConfig, RunResult } from "../../training/run.ts";
import { shipped } from "../../training/shipped.ts";
import { PROGRAM_LIMITS, runPrograms } from "../../tasks/code/javascript_sandbox.ts";
import { buildSite } from "../../site/build.ts";
import { CHROMIUM } from "../support/browsers/chromium.ts";
import { serve } from "./serve.ts";

/** What Debian's package has for Vulkan programs. */
const SWIFTSHADER = "/usr/lib/chromium/vk_swiftshader_icd.json";
/** What a page carries deflated, as a report's script and a link have it. */
const PACKED = /(?<=<script type="[\w/-]+" id="[\w-]+">)[\w+/]+=*(?=<)|(?<=#(?:runs|question)=)[\w-]+/g;
/** The first visit loads less than this, gzipped, whatever is added. */
const MOST_BYTES = 3e6;

/** What runs are like. */
const base = {
  targetModules: ["*.q_proj"],
  batchSize: 8,
  accumulate: 1,
  schedule: { kind: "cosine" as const, warmup: 1, floor: 0 },
  clip: 1,
  telemetryEvery: 0,
  scoreOn: "test" as const,
};

/** A run of the report's link: what it writes is run. */
const configs: RunConfig[] = [completeConfig({
  ...{ ...base, schema: 1, batchSize: 2, steps: 1, validateEvery: 1, seed: 5 },
  task: { id: "code", trainExamples: 2, validationExamples: 1, testExamples: 1 },
  model: { id: "decoder-tiny-code" },
  optimizer: { id: "lora", options: { rank: 2 } },
  schedule: { ...base.schedule, learningRate: 0.004 },
}, shipped)];

/** The question of another link. Three runs choose LoRA-Pro's rate, and four pairs settle so wide a margin. */
const asked = {
  methods: ["lora-pro"],
  against: "lora",
  tasks: ["digits"],
  ranks: [2],
  within: 1,
  budget: "10h",
};
const spec: SweepSpec = {
  ...specOf(asked, shipped),
  base: { ...base, steps: 3, validateEvery: 3 },
  tasks: [{
    task: { id: "digits", trainExamples: 24, validationExamples: 8, testExamples: 8 },
    model: { id: "vit-tiny" },
  }],
  optimizers: [
    { id: "lora-pro", learningRates: [0.032, 0.064, 0.128] },
    { id: "lora", learningRates: [0.064] },
  ],
  seeds: [900],
};

/** Programs with whatever can come of them. */
const programs = [
  "(x,y)=>2*(x-y)",
  "(x,y)=>x<y",
  "x=>'a'+x",
  "x=>1/0*-x",
  "()=>{try{for(;;);}finally{for(;;);}}",
  "(function f(){return f()+1})",
  "()=>'a'.repeat(2**29)",
  "()=>{let a=null;for(;;)a={a}}",
  "()=>fetch('/')",
  "()=>import('./x.js')",
  "()=>6n",
  "x=>",
].map((source) => ({ source, calls: [[2, 3], [5, 1]] }));

Deno.test("the site in Chromium", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const deno = trainInDeno(folder);
    const site = `${folder}/site`, { firstBytes } = await buildSite(site);
    assertLess(firstBytes, MOST_BYTES);
    await assertKnownToSafari(site);
    await using server = serve(site);
    const { address } = server;
    const linked = { name: "one", question: "What does it write?", configs };
    const link = (await siteLink(address, linked))!;
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

    await assertAsked(page, address);
    await page.goto(link);
    await page.locator("#linked-start:enabled").click();
    await page.locator("#answer:visible").waitFor();
    const ran = await download(page, folder);
    await assertReported(ran, address);

    await page.goto((await siteLink(address, linked, spec))!);
    await page.locator("#linked-outlook", { hasText: "the first 4 do" }).waitFor();
    await page.locator("#linked-start:enabled").click();
    // The page goes while a pair is made: rates, and the runs before, are stored and stay.
    await page.locator("#counts", { hasText: /^[1-6] of 8 runs/ }).waitFor();
    await context.setOffline(true);
    await page.reload();
    await page.getByRole("button", { name: "Go on" }).click();
    await page.locator("#answer:visible").waitFor();
    assertLess(await page.locator("#losses polyline").count(), 8, "runs are made again that were stored");
    const out = await download(page, folder);
    await assertReported(out, address);

    const shown = await context.newPage();
    const served = await shown.goto(
      new URL((await page.locator("#report").getAttribute("href"))!, address).href,
    );
    assertEquals([served?.status(), await shown.title()], [200, `${spec.name}: ${spec.question}`]);
    assertEquals(wrong, []);
    await assertJudged(page);

    for (const result of await deno) await assertMade(ran, result);
    await assertSettled(out, `${folder}/settled`, await page.locator("#sentences p").allTextContents());
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** Safari's engine, which is not here, refuses a program with `using`. */
async function assertKnownToSafari(site: string): Promise<void> {
  for (const folder of [site, `${site}/tasks/code`]) {
    for await (const { name } of Deno.readDir(folder)) {
      if (!name.endsWith(".js")) continue;
      const [found] = /\busing [\w$]+ ?=.{0,40}|for ?\((?:await )?using .{0,40}/.exec(
        await Deno.readTextFile(`${folder}/${name}`),
      ) ?? [];
      assertEquals(found, undefined, name);
    }
  }
}

type Done = RunResult & { readonly status: "done" };

/** The form asks what an address fills in, and what is typed then: the command beside it says so. */
async function assertAsked(page: Page, address: string): Promise<void> {
  const asks = (command: string) =>
    page.locator("#outlook code").getByText(command, { exact: true }).waitFor();
  const settles = "./run settle lora-pro --against lora --task digits --rank 4 --within 0.05 --budget 45m";
  const fewest = page.getByLabel("Pairs at least");
  await page.goto(
    `${address}#kind=settle&task=digits&methods=lora-pro,lora&against=lora&rank=4&within=0.05&minutes=45&at-least=23`,
  );
  await asks(`${settles} --at-least 23`);
  for (const no of [FEWEST_PAIRS - 1, LOOKS.at(-1)! + 1]) {
    await fewest.fill(String(no));
    await page.locator("#outlook").getByText("numbers in range").waitFor();
    assert(await page.locator("#start").isDisabled());
  }
  for (const fits of [FEWEST_PAIRS, LOOKS.at(-1)!]) {
    await fewest.fill(String(fits));
    await asks(`${settles} --at-least ${fits}`);
  }
  // What another kind of comparison has no use for is not held to its range.
  await fewest.fill("3");
  await page.getByLabel("Compare over so many seeds").check();
  await asks("./run bench quick --tasks digits --optimizers lora,lora-pro --ranks 4 --seeds 200,201,202,203");
  await page.getByLabel("Go on until it is decided").check();
  await fewest.fill("");
  await asks(settles);
}

/** Unpacks the results that the page shows, and gives their folder. */
async function download(page: Page, folder: string): Promise<string> {
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
  return `${folder}/unpacked/${first!.split("/")[0]}`;
}

/** Results have the report that they would get here. */
async function assertReported(out: string, site: string): Promise<void> {
  const report = await makeReport(out, shipped, { site });
  assertEquals(report.faults, []);
  for (const [path, text] of report.files) {
    assertEquals(
      await comparable(await Deno.readTextFile(`${out}/report/${path}`)),
      await comparable(text),
      path,
    );
  }
}

/** Programs come there to what they come to here, where nothing of theirs could ask anybody for anything. */
async function assertJudged(page: Page): Promise<void> {
  const path = "tasks/code/javascript_worker.js";
  const requests = programs.map((program) => ({ program, limits: PROGRAM_LIMITS }));
  const [policy, outcomes] = await page.evaluate(async ({ path, requests }) => {
    const worker = new Worker(path, { type: "module" });
    const answer = () =>
      new Promise((resolve, reject) => {
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = ({ message }) => reject(new Error(message));
      });
    await answer();
    const outcomes = [];
    for (const request of requests) {
      worker.postMessage(request);
      outcomes.push(await answer());
    }
    worker.terminate();
    return [(await fetch(path)).headers.get("content-security-policy"), outcomes];
  }, { path, requests });
  assertEquals(policy, "default-src 'none'; script-src 'wasm-unsafe-eval'");
  assertEquals(outcomes, await runPrograms(programs));
}

/** A run was made there, to the bit. */
async function assertMade(out: string, { id, outcome, config }: Done): Promise<void> {
  const found = JSON.parse(await Deno.readTextFile(`${out}/runs/${id}.json`)) as Done;
  for (const field of ["trainLoss", "validationLoss", "testLoss", "scores", "measures", "kernels"] as const) {
    assertEquals(
      found.outcome[field],
      outcome[field],
      `${field} of ${config.optimizer.id}, seed ${config.seed}`,
    );
  }
  // What was made before on the same GPU left nothing there.
  assertEquals(found.outcome.cost.peakBytes, outcome.cost.peakBytes);
}

/** A question came there to what it came to here, by the same runs, and whoever goes on with it makes none. */
async function assertSettled(out: string, here: string, told: readonly string[]): Promise<void> {
  const runs = Array.from(Deno.readDirSync(`${here}/runs`), ({ name }) => name).sort();
  assertEquals(Array.from(Deno.readDirSync(`${out}/runs`), ({ name }) => name).sort(), runs);
  assertEquals(runs.length, 3 + 2 * 4);
  for (const name of runs) {
    await assertMade(out, JSON.parse(await Deno.readTextFile(`${here}/runs/${name}`)));
  }
  const [theirs, ours] = await Promise.all(
    [out, here].map(async (folder) => JSON.parse(await Deno.readTextFile(`${folder}/settle.json`))),
  );
  assertEquals([theirs.agreed, theirs.choices, theirs.answer[0]], [
    ours.agreed,
    ours.choices,
    ours.answer[0],
  ]);
  assertStringIncludes(theirs.answer[0], "LoRA-Pro and LoRA are the same within 1");
  assertEquals((await readPlan(out))!.settled!.pairs, (await readPlan(here))!.settled!.pairs);
  assertEquals(told, theirs.answer);
  const refuse = () => Promise.reject(new Error("a run is made again"));
  const { answer } = await settle(await askQuestion(spec, shipped, null, false), out, "", shipped, {
    deps: { open: refuse, train: refuse, scoreBase: refuse, environment: refuse },
    display: createLines(() => {}),
    signal: new AbortController().signal,
    checkpointEveryMs: Infinity,
    say: () => {},
  });
  assertEquals(answer, theirs.answer);
}

/** The same runs and question in Deno, on the adapter that Chromium has. */
async function trainInDeno(folder: string): Promise<Done[]> {
  const path = `${folder}/asked.json`;
  await Deno.writeTextFile(path, JSON.stringify({ configs, spec }));
  const { code, stdout, stderr } = await new Deno.Command("deno", {
    args: [
      ...["run", "--no-prompt", "--no-check", "--allow-read", `--allow-write=${folder}`],
      ...["tests/site/in_deno.ts", path, `${folder}/settled`],
    ],
    env: { VK_DRIVER_FILES: SWIFTSHADER, DENO_WEBGPU_BACKEND: "vulkan" },
    stdout: "piped",
    stderr: "piped",
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  const results = JSON.parse(new TextDecoder().decode(stdout));
  assert(/swiftshader/i.test(results[0].environment.adapter), results[0].environment.adapter);
  return results;
}

/**
 * A page, or a picture, as it is the same in both: with what it carries deflated told in full, since browsers deflate with
 * other bytes than Deno, and places in pictures to a millionth of a pixel, since two versions of V8 may differ in the last
 * bit of a logarithm.
 */
async function comparable(page: string): Promise<string> {
  const told = await Promise.all(
    page.match(PACKED)?.map(async (packed) => {
      const bytes = Uint8Array.fromBase64(packed.replaceAll("-", "+").replaceAll("_", "/"));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
      return await new Response(stream).text().catch(() => packed);
    }) ?? [],
  );
  return page.replaceAll(PACKED, () => told.shift()!).replaceAll(
    /<svg .*?<\/svg>/gs,
    (picture) => picture.replaceAll(/\d+\.\d{7,}/g, (place) => Number(place).toFixed(6)),
  );
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
