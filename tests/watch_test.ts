/** @file A real sweep that is watched: two processes, each with the permissions of its task and no more. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import config from "../deno.json" with { type: "json" };
import { PROGRAMS, testNeeding } from "./support/test_needing.ts";

const test = testNeeding({ ...PROGRAMS, net: ["127.0.0.1"] });

const repository = new URL("../", import.meta.url).pathname;
const tasks: Readonly<Record<string, string>> = config.tasks;

/** Starts a task of deno.json as `deno task` does. */
function start(task: string, args: readonly string[]): Deno.ChildProcess {
  const words = tasks[task]!.split(" ");
  return new Deno.Command(words[0]!, {
    args: [...words.slice(1), ...args],
    cwd: repository,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** A watcher that serves: its address, and how to end it. */
async function watch(folder: string, port: string) {
  const process = start("watch", [folder, "--port", port]);
  const reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value: said = "" } = await reader.read();
  const address = /at (http:\/\/127\.0\.0\.1:\d+)\/ /.exec(said)?.[1];
  assert(address !== undefined, said || await new Response(process.stderr).text());
  return {
    address,
    said,
    async end(signal: Deno.Signal) {
      process.kill(signal);
      let rest = "";
      for (let part = await reader.read(); !part.done; part = await reader.read()) rest += part.value;
      await process.stderr.cancel();
      return { rest, ...await process.status };
    },
  };
}

/** The page once it has what is waited for. */
async function pageWith(address: string, wanted: RegExp): Promise<string> {
  for (;;) {
    const page = await (await fetch(address)).text();
    if (wanted.test(page)) return page;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

test("watch follows a real sweep through kill -9 to its report, and the sweep goes on without watchers", async () => {
  const folder = await Deno.makeTempDir({ prefix: "watch" });
  const out = `${folder}/results/digits`;
  const sweep = ["smoke", "--tasks", "digits", "--optimizers", "lora", "--steps", "400", "--out", out];
  const killed: Deno.ChildProcess[] = [];
  try {
    const first = await watch(`${folder}/results`, "0");
    assertStringIncludes(first.said, `Watching ${folder}/results, which is not there yet, at http`);
    assertStringIncludes(await (await fetch(first.address)).text(), "There is no such folder yet");
    const { port } = new URL(first.address);
    const refused = await start("watch", [folder, "--port", port]).output();
    assertEquals(refused.code, 2);
    assertMatch(
      new TextDecoder().decode(refused.stderr),
      new RegExp(
        `^Cannot watch on port ${port}: something else listens there, [^\\n]*--port takes another\\n$`,
      ),
    );

    const dying = start("bench", sweep);
    killed.push(dying);
    // A curve of the running run: losses were read back, and no run is stored.
    const running = await pageWith(`${first.address}/sweep/digits/`, /<g class="live">/);
    assertMatch(running, /<title>Running 0\/1: smoke<\/title>/);
    assertStringIncludes(running, "1 run, 0 done, 1 running, 0 left");
    dying.kill("SIGKILL");
    await dying.output();
    const dead = await (await fetch(`${first.address}/sweep/digits/`)).text();
    assertMatch(dead, /<title>Killed 0\/1: smoke<\/title>/);
    assertMatch(
      dead,
      /It was at digits, lora r2, lr [\d.]+, seed 0, step \d+: that run goes on from its last checkpoint/,
    );

    const going = start("bench", sweep);
    killed.push(going);
    await pageWith(`${first.address}/sweep/digits/`, /<g class="live">/);
    assertEquals((await first.end("SIGKILL")).code, 137);
    const second = await watch(out, "0");
    const { code, stderr } = await going.output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    const done = await pageWith(second.address, /<title>Done/);
    assertMatch(done, /<title>Done 1\/1: smoke<\/title>/);
    assertEquals(done.match(/<tr><td>digits<\/td>/g)?.length, 1);
    const [built, written] = await Promise.all(
      ["report", "written"].map(async (place) =>
        await (await fetch(`${second.address}/sweep/digits/${place}/`)).text()
      ),
    );
    assertEquals(built, written);
    assertStringIncludes(built!, "Does everything run from the command line to the report?");
    const { code: ended, rest } = await second.end("SIGINT");
    assertEquals([ended, rest.trim()], [0, "Ended watching: sweeps go on"]);
  } finally {
    for (const process of killed) {
      try {
        process.kill("SIGKILL");
      } catch {
        // It has ended.
      }
    }
    await Deno.remove(folder, { recursive: true });
  }
});
