import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fakeRegistries } from "../../tests/support/fakes/registries.ts";
import { fakeDone } from "../../tests/support/fakes/results.ts";
import { fakePlan, fakeSweep } from "../../tests/support/fakes/sweep.ts";
import { putFake } from "../../tests/support/fakes/store.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import { openLive } from "../sweep/live.ts";
import { runIds } from "../../training/run.ts";
import { joinEntries } from "../../training/registry.ts";
import { describe } from "../sweep/described.ts";
import { writePlan } from "../sweep/plan.ts";
import { expand, override } from "../sweep/sweep.ts";
import { createAnswerer } from "./answer_request.ts";
import { serveWatcher } from "./serve.ts";

const test = testNeeding({ ...FILES, net: ["127.0.0.1"] });

const plan = await fakePlan({ ...fakeSweep, name: "<img src=x>", question: "Is </h1> escaped?" });

interface Place {
  /** The watched folder. */
  readonly folder: string;
  readonly get: (path: string, init?: RequestInit) => Promise<Response>;
  /** A sweep's output folder with so many runs. */
  readonly sweep: (name: string, runs: number) => Promise<string>;
}

/** A watcher that is asked as a server asks it. */
async function watching(work: (place: Place) => Promise<void>, below = ""): Promise<void> {
  const folder = await Deno.makeTempDir();
  using answerer = createAnswerer(`${folder}${below}`, fakeRegistries);
  try {
    await work({
      folder,
      get: (path, init = {}) =>
        answerer.answer(
          new Request(`http://127.0.0.1${path}`, { headers: { Host: "127.0.0.1:8377" }, ...init }),
        ),
      async sweep(name, runs) {
        const out = `${folder}/${name}`;
        await Deno.mkdir(`${out}/runs`, { recursive: true });
        await writePlan(out, plan);
        for (const { config } of plan.runs.slice(0, runs)) await putFake(out, await fakeDone(config));
        return out;
      },
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

test("A watcher waits for sweeps, lists them, and leads to the page of each", async () => {
  await watching(async ({ get, sweep, folder }) => {
    assertStringIncludes(await (await get("/")).text(), "There is no sweep here yet");
    await Deno.remove(folder);
    assertStringIncludes(await (await get("/")).text(), "There is no such folder yet: this page waits");
    await sweep("a", 2);
    await sweep("b/c & d", 0);
    const list = await (await get("/")).text();
    assertStringIncludes(list, `<a href="/sweep/a/">a</a>`);
    assertStringIncludes(list, `<a href="/sweep/b%2Fc%20%26%20d/">b/c &amp; d</a>`);
    assertStringIncludes(list, "28 runs, 2 done, 26 left");
    const page = await (await get("/sweep/b%2Fc%20%26%20d/")).text();
    assertStringIncludes(page, "There is nothing to report on before the first run is stored");
    assertEquals((await get("/sweep/a")).headers.get("Location"), "/sweep/a/");
    await Deno.remove(`${folder}/a`, { recursive: true });
    assertEquals((await get("/sweep/a/")).status, 404);
  });
});

test("A watcher calls methods from files by their titles, and needs the files as little as reports do", async () => {
  await watching(async ({ get, sweep, folder }) => {
    await sweep("a", 0);
    const lora = Object.values(fakeRegistries.optimizers).find(({ id }) => id === "lora")!;
    const known = joinEntries(
      fakeRegistries,
      { optimizers: { mine: { ...lora, id: "mine", title: "Mine" } } } as never,
    );
    const { configs } = expand(
      override(fakeSweep, { tasks: ["digits"], optimizers: ["mine"] }, known),
      known,
    );
    const ids = await runIds(configs), runs = configs.map((config, i) => ({ id: ids[i]!, config }));
    await writePlan(`${folder}/a`, { ...plan, runs, described: describe(configs, known)! });
    await putFake(`${folder}/a`, await fakeDone(configs[0]!));
    const page = await (await get("/sweep/a/")).text();
    assertStringIncludes(page, "Mine");
  });
});

test("A watcher of one sweep's own folder leads to its page, and to no list", async () => {
  await watching(async ({ get, sweep }) => {
    await sweep("a", 1);
    assertEquals((await get("/")).headers.get("Location"), "/sweep/a/");
    assert(!(await (await get("/sweep/a/")).text()).includes("All sweeps"));
  }, "/a");
});

test("A sweep's page shows the running run's curve beside those of its task, and the stored runs", async () => {
  await watching(async ({ get, sweep }) => {
    const out = await sweep("a", 9), running = plan.runs[9]!;
    const live = await openLive(out, () => {});
    live.display.start(running);
    const curves = {
      trainLoss: [{ step: 1, value: 2.25 }],
      validationLoss: [{ step: 0, value: 2.5 }],
      discrepancies: [],
    };
    live.display.update(
      { phase: "training", step: 1, steps: running.config.steps, loss: 2.25, ...curves },
      9000,
    );
    await live.write();
    const page = await (await get("/sweep/a/")).text();
    assertMatch(page, /<title>Running 9\/28: /);
    // Every run of the plan is a square of the grid, by how it stands.
    const [grid] = /<section id="grid".*?<\/section>/s.exec(page)!;
    const squares = (standing: string) =>
      grid.match(new RegExp(`<rect class="${standing}"`, "g"))?.length ?? 0;
    assertEquals(["done", "running", "failed", "left"].map(squares), [9, 1, 0, 18]);
    assertStringIncludes(grid, 'aria-label="1 running, 1 left"');
    assertMatch(page, /<dt>Ends about<\/dt><dd>(\d{4}-\d\d-\d\d )?\d\d:\d\d<\/dd>/);
    assertStringIncludes(page, "<dt>Most memory of a run</dt>");
    assertStringIncludes(page, `Step 1 of ${running.config.steps}`);
    assertStringIncludes(page, "<dd>2.25</dd>");
    const { id: task } = running.config.task;
    const others = plan.runs.slice(0, 9).filter(({ config }) => config.task.id === task).length;
    // Two charts.
    assertEquals(page.match(/<g class="live">/g)?.length, 2);
    assertEquals(page.match(/<g class="past">/g)?.length, 2 * others);
    assertEquals(page.match(/<tr><td>/g)?.length, 9);
    const other = plan.runs.find(({ config }) => config.task.id !== task)!.config.task.id;
    assert(!(await (await get(`/sweep/a/?task=${other}`)).text()).includes('<g class="live">'));
    assertStringIncludes(await (await get("/sweep/a/?task=%3Cb%3E")).text(), `Losses on ${task}`);
    await live.end({ status: "done" });
    assertMatch(await (await get("/sweep/a/")).text(), /<title>Done 9\/28: /);
  });
});

test("A watcher escapes what files say, and forbids its pages all scripts but its own", async () => {
  await watching(async ({ get, sweep }) => {
    const out = await sweep("a", 1);
    await Deno.writeTextFile(`${out}/runs/<script>alert(1).json`, "{");
    const response = await get("/sweep/a/"), page = await response.text();
    assert(!page.includes("<img src=x>") && !page.includes("<script>alert") && !page.includes("Is </h1>"));
    assertStringIncludes(page, "&lt;script&gt;alert(1)");
    const policy = response.headers.get("Content-Security-Policy")!;
    assertStringIncludes(policy, "default-src 'none'; script-src 'self'");
    assertStringIncludes(policy, "frame-ancestors 'none'");
    assertEquals(response.headers.get("X-Content-Type-Options"), "nosniff");
    for (const [path, type] of [["/page.js", "text/javascript"], ["/page.css", "text/css"]] as const) {
      assertStringIncludes((await get(path)).headers.get("Content-Type")!, type);
    }
  });
});

test("A watcher lists the latest runs, and all where it is asked to", async () => {
  await watching(async ({ get, sweep }) => {
    const long = await fakePlan({ ...fakeSweep, seeds: [0, 1, 2, 3] });
    const out = await sweep("a", 0);
    await writePlan(out, long);
    for (const { config } of long.runs.slice(0, 44)) await putFake(out, await fakeDone(config));
    let page: string;
    // Files are read by and by.
    do page = await (await get("/sweep/a/")).text(); while (!page.includes('data-unread="0"'));
    assertStringIncludes(page, `<a href="?runs=all">Show the other 4 too</a>`);
    assertEquals(page.match(/<tr><td>/g)?.length, 40);
    assertEquals((await (await get("/sweep/a/?runs=all")).text()).match(/<tr><td>/g)?.length, 44);
  });
});

test("A watcher takes GET and HEAD alone, from its own names alone", async () => {
  await watching(async ({ get, sweep }) => {
    await sweep("a", 0);
    for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
      const response = await get("/sweep/a/", { method, headers: { Host: "localhost" } });
      assertEquals([response.status, response.headers.get("Allow")], [405, "GET, HEAD"]);
    }
    const statusFor = async (host: string) => (await get("/sweep/a/", { headers: { Host: host } })).status;
    for (const host of ["localhost", "localhost:9000", "127.0.0.1:8377", "[::1]:8377"]) {
      assertEquals(await statusFor(host), 200, host);
    }
    for (
      const host of [
        "evil.example",
        "evil.example:8377",
        "127.0.0.1.evil.example",
        "localhost:1:2",
        "0.0.0.0",
      ]
    ) {
      assertEquals(await statusFor(host), 403, host);
    }
    assertEquals((await get("/", { headers: {} })).status, 403);
  });
});

test("A watcher says when nothing changed", async () => {
  await watching(async ({ get, sweep }) => {
    const out = await sweep("a", 1);
    const tag = (await get("/sweep/a/")).headers.get("ETag")!;
    const again = () => get("/sweep/a/", { headers: { Host: "localhost", "If-None-Match": tag } });
    const same = await again();
    assertEquals([same.status, await same.text()], [304, ""]);
    await putFake(out, await fakeDone(plan.runs[1]!.config));
    assertEquals((await again()).status, 200);
  });
});

test("A watcher serves a report's files from disk and none beside them, whatever the path says", async () => {
  await watching(async ({ get, sweep, folder }) => {
    const out = await sweep("a", 1);
    assertEquals((await get("/sweep/a/written/")).status, 404);
    await Deno.mkdir(`${out}/report/charts`, { recursive: true });
    await Deno.writeTextFile(`${out}/report/index.html`, "<p>As written</p>");
    await Deno.writeTextFile(`${out}/report/charts/x.svg`, "<svg/>");
    await Deno.writeTextFile(`${folder}/secret`, "secret");
    await Deno.symlink(`${folder}/secret`, `${out}/report/link.html`);
    await Deno.mkdir(`${out}/report-other`);
    await Deno.writeTextFile(`${out}/report-other/x.html`, "secret");
    const page = await get("/sweep/a/written/");
    assertEquals([page.status, await page.text()], [200, "<p>As written</p>"]);
    assertMatch(
      page.headers.get("Content-Security-Policy")!,
      /^sandbox allow-scripts [^;]*; default-src 'none'/,
    );
    const chart = await get("/sweep/a/written/charts/x.svg");
    assertEquals([chart.status, chart.headers.get("Content-Type")], [200, "image/svg+xml"]);
    assertEquals(await chart.text(), "<svg/>");
    const elsewhere = [
      "/sweep/a/written/../sweep.json",
      "/sweep/a/written/%2e%2e/sweep.json",
      "/sweep/a/written/..%2fsweep.json",
      "/sweep/a/written/%2e%2e%2fsweep.json",
      "/sweep/a/written/..%5csweep.json",
      "/sweep/a/written/%2fetc%2fpasswd",
      "/sweep/a/written//etc/passwd",
      "/sweep/a/written/..%2freport-other%2fx.html",
      "/sweep/a/written/link.html",
      "/sweep/a/written/charts",
      "/sweep/a/written/charts/",
      "/sweep/a/written/x%00.html",
      "/sweep/a/written/%ff",
      "/sweep/a/written/index.html/x",
      "/sweep/..%2f..%2fetc/written/passwd",
      "/sweep.json",
      "/sweep/a/runs/",
      "//etc/passwd",
      "/page.js/x",
      "/none",
    ];
    for (const path of elsewhere) {
      const response = await get(path), text = await response.text();
      assert(response.status === 404 || response.status === 400, `${path}: ${response.status}`);
      assert(!text.includes("secret") && !text.includes("root:") && !text.includes("schema"), path);
    }
  });
});

test("A watcher builds the report of what is stored, again where that changed, and writes nothing", async () => {
  await watching(async ({ get, sweep }) => {
    const out = await sweep("a", 7);
    const files = () => Array.from(Deno.readDirSync(out), ({ name }) => name).sort();
    const before = files();
    const [page, same] = await Promise.all([get("/sweep/a/report/"), get("/sweep/a/report/index.html")]);
    const text = await page.text();
    assertEquals([page.status, await same.text()], [200, text]);
    assertStringIncludes(text, "21 runs are missing");
    assertEquals((await get("/sweep/a/report")).headers.get("Location"), "/sweep/a/report/");
    assertEquals((await (await get("/sweep/a/report/results.csv")).text()).trim().split("\n").length, 8);
    await putFake(out, await fakeDone(plan.runs[7]!.config));
    // Belongs to the page that was sent last.
    assertEquals((await (await get("/sweep/a/report/results.csv")).text()).trim().split("\n").length, 8);
    assertStringIncludes(await (await get("/sweep/a/report/")).text(), "20 runs are missing");
    assertEquals((await (await get("/sweep/a/report/results.csv")).text()).trim().split("\n").length, 9);
    assertEquals((await get("/sweep/a/report/none.csv")).status, 404);
    assertEquals(files(), before);
  });
});

test("serveWatcher() serves over loopback until it is stopped", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const stopping = new AbortController();
    const { promise: address, resolve } = Promise.withResolvers<string>();
    const served = serveWatcher(folder, fakeRegistries, {
      port: 0,
      signal: stopping.signal,
      onListen: resolve,
      complain: (sentence) => {
        throw new Error(sentence);
      },
    });
    assertMatch(await address, /^http:\/\/127\.0\.0\.1:\d+\/$/);
    const [got, head] = [await fetch(await address), await fetch(await address, { method: "HEAD" })];
    const text = await got.text();
    assertEquals([got.status, head.status, await head.text()], [200, 200, ""]);
    assertEquals(head.headers.get("Content-Length"), String(text.length));
    stopping.abort();
    await served;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** What a connection is sent until it is ended from the other side, while it sends parts of a request. */
async function said(address: string, parts: Iterable<string>): Promise<string> {
  const { port } = new URL(address);
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
  let isOpen = true;
  const sending = (async () => {
    for (const part of parts) {
      if (!isOpen) return;
      await connection.write(new TextEncoder().encode(part));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })().catch(() => {});
  let text = "";
  try {
    for await (const part of connection.readable.pipeThrough(new TextDecoderStream())) text += part;
    return text;
  } catch (error) {
    // What we still sent once the other side had ended it.
    if (error instanceof Deno.errors.ConnectionReset) return text;
    throw error;
  } finally {
    isOpen = false;
    await sending;
  }
}

test("serveWatcher() ends connections that send no whole header in time, and stops with some open", async () => {
  const folder = await Deno.makeTempDir();
  const serve = async (headerMilliseconds: number, work: (address: string) => Promise<unknown>) => {
    const stopping = new AbortController();
    const { promise: address, resolve } = Promise.withResolvers<string>();
    const served = serveWatcher(folder, fakeRegistries, {
      port: 0,
      signal: stopping.signal,
      onListen: resolve,
      complain: (sentence) => {
        throw new Error(sentence);
      },
      headerMilliseconds,
    });
    await work(await address);
    stopping.abort();
    await served;
  };
  function* drip() {
    yield "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ";
    for (;;) yield "x";
  }
  try {
    await serve(300, async (address) => {
      const timedOut = "HTTP/1.1 408 ";
      for (const parts of [[], ["GET / HT"], ["GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"], drip()]) {
        assertStringIncludes(await said(address, parts), timedOut);
      }
    });
    const silent: Deno.Conn[] = [];
    await serve(10 ** 8, async (address) => {
      // In time, if in two parts.
      const answered = await said(address, [
        "GET / HTTP/1.1\r\n",
        "Host: 127.0.0.1\r\nConnection: close\r\n\r\n",
      ]);
      assertStringIncludes(answered, "HTTP/1.1 200 OK");
      assertStringIncludes(answered, "There is no sweep here yet");

      const { port } = new URL(address);
      silent.push(await Deno.connect({ hostname: "127.0.0.1", port: Number(port) }));
      await silent[0]!.write(new TextEncoder().encode("GET / HT"));
      // Once this is answered the other was accepted.
      await (await fetch(address)).text();
    });
    silent[0]!.close();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

test("serveWatcher() answers to whatever target and host it is asked for", async () => {
  const folder = await Deno.makeTempDir(), stopping = new AbortController(), complaints: string[] = [];
  const { promise: address, resolve } = Promise.withResolvers<string>();
  try {
    const served = serveWatcher(folder, fakeRegistries, {
      port: 0,
      signal: stopping.signal,
      onListen: resolve,
      complain: (sentence) => complaints.push(sentence),
    });
    const status = async (line: string, host = "127.0.0.1") => {
      const head = `${line} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
      return (await said(await address, [head])).split(" ")[1];
    };
    assertEquals(await status("GET /"), "200");
    assertEquals(await status("GET http://127.0.0.1/"), "200");
    assertEquals(await status("GET http://["), "400");
    assertEquals(await status("GET //x/y"), "404");
    assertEquals(await status("GET /", "elsewhere"), "403");
    assertEquals(await status("POST /"), "405");
    assertEquals(await status("OPTIONS *"), "405");
    assertEquals(complaints, []);
    stopping.abort();
    await served;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
