import { assert, assertEquals, assertRejects } from "@std/assert";
import { UserError } from "../../errors/user_error.ts";
import type { FetchRequest } from "../../hub/fetch.ts";
import type { CommandDeps } from "./command_deps.ts";
import { createLines } from "./display.ts";
import { describeProgress, fetchCommand } from "./fetch_command.ts";
import { plain } from "./terminal.ts";

/** Runs the command on made-up answers of the Hub: what it asked for, and what it said. */
async function run(args: string[], variables: Readonly<Record<string, string>> = { HOME: "/home/me" }) {
  const requests: FetchRequest[] = [], printed: string[] = [], complained: string[] = [];
  const deps: Pick<
    CommandDeps,
    "fetch" | "token" | "variable" | "display" | "print" | "complain" | "columns" | "style"
  > = {
    fetch(request) {
      requests.push(request);
      const files = request.repository === "o/adapter" ? ["adapter_config.json"] : ["config.json"];
      const offline = request.repository === "o/offline" ? "Cannot fetch o/offline: it rains" : null;
      const folder = `${request.cache}/x`, commit = "0123456789abcdef0123456789abcdef01234567";
      return Promise.resolve({ folder, commit, files, bytes: 2_500_000, received: 1, offline });
    },
    token: () => {
      const text = variables["HF_TOKEN"];
      return Promise.resolve(text === undefined ? null : { text, place: "HF_TOKEN" });
    },
    variable: (name) => variables[name],
    display: () => createLines(() => {}),
    print: (line) => printed.push(line),
    complain: (line) => complained.push(line),
    columns: 80,
    style: plain,
  };
  const code = await fetchCommand(args, deps as CommandDeps);
  return { code, requests, out: printed.join("\n"), err: complained.join("\n") };
}

Deno.test("fetch asks for what is named, where the environment says, and tells how it is used", async () => {
  const { code, requests: [model, data], out } = await run(["o/m@v1", "--data", "o/d", "--json"], {
    HOME: "/home/me",
    HF_HOME: "~/hf",
    HF_TOKEN: "t",
    HF_ENDPOINT: "http://mirror/",
  });
  assertEquals([code, JSON.parse(out).length], [0, 2]);
  const hub = { endpoint: "http://mirror", token: { text: "t", place: "HF_TOKEN" } },
    cache = "/home/me/hf/hub";
  assertEquals(model, { kind: "model", repository: "o/m", revision: "v1", only: [], cache, hub });
  assertEquals(data, { kind: "data set", repository: "o/d", revision: null, only: [], cache, hub });
  const plainly = await run(["--data=o/d", "--only", "a/*, b"]);
  assertEquals(plainly.requests[0]!.only, ["a/*", "b"]);
  assertEquals(plainly.requests[0]!.cache, "/home/me/.cache/huggingface/hub");
  assertEquals(plainly.requests[0]!.hub, { endpoint: "https://huggingface.co", token: null });
  assertEquals(plainly.out.split("\n").at(-1), "Use:    ./run bench quick --data o/d");
  assert((await run(["o/adapter"])).out.endsWith("--adapter o/adapter"));
  for (const [said, isOffline] of [["1", true], ["TRUE", true], ["0", undefined], ["", undefined]] as const) {
    const { requests: [asked] } = await run(["o/m"], { HOME: "/home/me", HF_HUB_OFFLINE: said });
    assertEquals(asked!.isOffline, isOffline);
  }
  const offline = await run(["o/offline"]);
  assertEquals(offline.err, "Cannot fetch o/offline: it rains; what the cache has stands");
});

Deno.test("fetch refuses what is no name at the Hub, and a cache that is nowhere", async () => {
  const refused: [string[], string][] = [
    [[], "Cannot fetch nothing: a name is needed"],
    [["gpt2"], 'Cannot fetch "gpt2": a name as the Hub has it is needed'],
    [["a--b/c"], 'Cannot fetch "a--b/c"'],
    [["o/m@../x"], 'Cannot fetch "o/m@../x"'],
    [["--data", "o/d/sst2"], "./run fetch --data o/d --only 'sst2/*' takes a part of it"],
    [["o/m", "--data", "o/d", "--only", "x"], "Cannot take --only for a model and a data set at once"],
  ];
  for (const [args, sentence] of refused) await assertRejects(() => run(args), UserError, sentence);
  await assertRejects(() => run(["o/m"], {}), UserError, "neither HOME nor HF_HOME is set");
  await assertRejects(() => run(["o/m"], { HF_HOME: "hf" }), UserError, 'HF_HOME is "hf", an absolute path');
});

Deno.test("The line of a fetch fits 80 columns with a clock, and lines of a file come now and then", () => {
  const line = describeProgress("a/model-00001-of-00003.safetensors", 1_234_567_890, 4_976_698_672);
  assertEquals(line, "━━──────────  24 %  1.2 of 5.0 GB  model-00001-of-00003.safetensors");
  assert(line.length + "  12:34".length < 80);
  assertEquals(describeProgress("config.json", 0, 0), "━━━━━━━━━━━━ 100 %  0 of 0 bytes  config.json");
  const written: string[] = [];
  let now = 0;
  const screen = createLines((one) => written.push(one), {
    clocks: { now: () => now, date: () => new Date(0) },
  });
  for (now = 0; now <= 30_000; now += 1000) screen.moving(`${now}`);
  assertEquals(written, ["10000", "20000", "30000"]);
});
