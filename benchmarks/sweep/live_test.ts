import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Point } from "../../training/run.ts";
import { fakePlan } from "../../tests/support/fakes/sweep.ts";
import { PROGRAMS, testNeeding } from "../../tests/support/test_needing.ts";
import { Live, openLive, type Pulse, readPulses } from "./live.ts";
import { inFolder } from "../../tests/support/in_folder.ts";

const test = testNeeding(PROGRAMS);

const repository = new URL("../../", import.meta.url).pathname;
const run = (await fakePlan()).runs[1]!;

const worker = { name: "here", host: null };

/** The first of a folder's processes. */
async function readPulse(out: string): Promise<Pulse> {
  return (await readPulses(out, worker))[0] ?? { live: null, isAlive: false, fault: null };
}

const validate = (sentence: string) => {
  throw new Error(sentence);
};

test("openLive() writes the stage, the running run with its curves so far, and how it ended", async () => {
  await inFolder(async (out) => {
    const writer = await openLive(out, validate, worker);
    const read = async () => {
      await writer.write();
      return (await readPulse(out)).live!;
    };
    assertEquals((await read()).stage, "base checkpoints");
    const { display } = writer;
    display.begin({ done: 0, total: 2 });
    display.start(run);
    const loading = await read();
    assertEquals([loading.stage, loading.run?.id, loading.run?.phase], ["runs", run.id, "loading"]);
    const trainLoss: Point[] = [{ step: 1, value: 1 / 3 }], validationLoss: Point[] = [];
    display.update({
      phase: "training",
      step: 1,
      steps: 40,
      loss: 1 / 3,
      trainLoss,
      validationLoss,
      discrepancies: [],
    }, 5000);
    assertEquals((await read()).run?.trainLoss, [0.333333]);
    // The lists grow without another call.
    trainLoss.push({ step: 2, value: 2e-9 }, { step: 3, value: 12345678 });
    validationLoss.push({ step: 0, value: 2.5 });
    const later = await read();
    assertEquals([later.run?.trainLoss, later.toGoMs], [[0.333333, 2e-9, 12345700], 5000]);
    assertEquals(later.run?.validationLoss, [{ step: 0, value: 2.5 }]);
    display.start(run);
    assertEquals((await read()).run?.trainLoss, []);
    display.end();
    writer.enter("report");
    assertEquals([(await read()).stage, (await read()).run], ["report", null]);
    await writer.end({ status: "failed", error: "Cannot go on" });
    const { live, isAlive } = await readPulse(out);
    assertEquals([live?.ending, isAlive], [{ status: "failed", error: "Cannot go on" }, false]);
    assertEquals(Array.from(Deno.readDirSync(`${out}/live`), ({ name }) => name).sort(), [
      "here.json",
      "here.lock",
    ]);
  });
});

test("openLive() removes what one left that was killed before its first word, and nothing of one that lives", async () => {
  await inFolder(async (out) => {
    await Deno.mkdir(`${out}/live`);
    for (const name of ["killed.lock", "killed.json.0123abcd.part", "starting.lock"]) {
      await Deno.writeTextFile(`${out}/live/${name}`, "");
    }
    using starting = await Deno.open(`${out}/live/starting.lock`, { read: true, write: true });
    await starting.lock(true);
    const writer = await openLive(out, validate, worker);
    const names = () => Array.from(Deno.readDirSync(`${out}/live`), ({ name }) => name).sort();
    assertEquals(names(), ["here.json", "here.lock", "starting.lock"]);
    await writer.end({ status: "done" });
  });
});

test("readPulses() tells a sweep at work from one that was killed, and from none", async () => {
  await inFolder(async (out) => {
    assertEquals(await readPulse(out), { live: null, isAlive: false, fault: null });
    const source = `
      import { openLive } from "${repository}benchmarks/sweep/live.ts";
      await openLive(${JSON.stringify(out)}, console.error);
      console.log("begun");`;
    const child = new Deno.Command("deno", {
      args: ["run", "--no-prompt", `--allow-read`, `--allow-write=${out}`, "-"],
      cwd: repository,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(source));
    await writer.close();
    const reader = child.stdout.getReader();
    await reader.read();
    const alive = await readPulse(out);
    assertEquals([alive.isAlive, alive.live?.ending], [true, null]);
    child.kill("SIGKILL");
    await reader.cancel();
    await child.status;
    const dead = await readPulse(out);
    assertEquals([dead.isAlive, dead.live?.ending], [false, null]);
    // The next sweep in the folder takes over what the dead one left.
    const next = await openLive(out, validate);
    assert((await readPulse(out)).isAlive);
    await next.end({ status: "done" });
    assertEquals((await readPulse(out)).live?.ending, { status: "done" });
  });
});

test("readPulses() has all processes of a folder: those that live first, and of these the first", async () => {
  await inFolder(async (out) => {
    const first = await openLive(out, validate, { name: "b", host: null });
    const begun = Date.now();
    while (Date.now() === begun) await new Promise((resolve) => setTimeout(resolve, 1));
    const second = await openLive(out, validate, { name: "a", host: null });
    const found = async () =>
      (await readPulses(out, worker)).map(({ live, isAlive }) => [live?.worker, isAlive]);
    assertEquals(await found(), [["b", true], ["a", true]]);
    first.enter("report");
    await first.write();
    second.enter("runs");
    await second.end({ status: "interrupted" });
    const { live, isAlive } = await readPulse(out);
    assertEquals([live?.stage, live?.ending, isAlive], ["report", null, true]);
    assertEquals(await found(), [["b", true], ["a", false]]);
    await first.end({ status: "done" });
    // Whoever starts next removes what they said.
    const third = await openLive(out, validate, worker);
    assertEquals(await found(), [["here", true]]);
    await third.end({ status: "done" });
  });
});

test("openLive() never fails: where nothing can be written it says so, once", async () => {
  await inFolder(async (out) => {
    const said: string[] = [];
    await Deno.writeTextFile(`${out}/live`, "in the way");
    const writer = await openLive(out, (sentence) => said.push(sentence), worker);
    await writer.write();
    await writer.end({ status: "done" });
    assertEquals(said.length, 1);
    assertStringIncludes(said[0]!, "./run watch cannot follow this sweep live: ");
    assertEquals((await readPulse(`${out}/none`)).live, null);
  });
});

test("readPulses() names a file that is cut short, of another form, or no file", async () => {
  await inFolder(async (out) => {
    const writer = await openLive(out, validate, worker);
    await writer.end({ status: "done" });
    const path = `${out}/live/here.json`, text = await Deno.readTextFile(path);
    const cases: [string, string][] = [
      ["", "it is not whole JSON"],
      [text.slice(0, 40), "it is not whole JSON"],
      ["null", "null"],
      [text.replace('"report"', '"tea"').replace('"base checkpoints"', '"tea"'), 'field "stage"'],
      [text.replace('"schema":1', '"schema":2'), 'field "schema"'],
      [JSON.stringify({ ...Live.parse(JSON.parse(text)), toGoMs: -1 }), 'field "toGoMs"'],
    ];
    for (const [content, sentence] of cases) {
      await Deno.writeTextFile(path, content);
      const { live, fault } = await readPulse(out);
      assertEquals(live, null);
      assertStringIncludes(fault ?? "", path);
      assertStringIncludes(fault ?? "", sentence);
    }
    await Deno.remove(path);
    await Deno.mkdir(path);
    assertEquals((await readPulse(out)).fault, `Cannot read ${path}: it is a folder, a file is needed`);
  });
});

test("readPulses() goes by silence where a process is on another machine", async () => {
  await inFolder(async (out) => {
    const writer = await openLive(out, validate, { name: "there", host: "elsewhere" });
    await writer.write();
    const text = await Deno.readTextFile(`${out}/live/there.json`);
    await writer.end({ status: "done" });
    const isAlive = async (updatedAt: number) => {
      const live = { ...Live.parse(JSON.parse(text)), updatedAt: new Date(updatedAt).toISOString() };
      await Deno.writeTextFile(`${out}/live/there.json`, JSON.stringify(live));
      return (await readPulse(out)).isAlive;
    };
    assertEquals(await isAlive(Date.now()), true);
    assertEquals(await isAlive(Date.now() - 20 * 60_000), false);
  });
});

test("readPulses() waits for no named pipe", async () => {
  await inFolder(async (out) => {
    await new Deno.Command("sh", {
      args: ["-c", 'mkdir "$0/live"; mkfifo "$0/live/a.json" "$0/live/a.lock"', out],
    }).output();
    assertEquals(await readPulse(out), {
      live: null,
      isAlive: false,
      fault: `Cannot use ${out}/live/a.lock: it is a named pipe, a file is needed`,
    });
    await Deno.remove(`${out}/live/a.lock`);
    assertEquals(
      (await readPulse(out)).fault,
      `Cannot read ${out}/live/a.json: it is a named pipe, a file is needed`,
    );
  });
});
