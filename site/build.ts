/** @file Builds the site: the program for browsers, its own files and the page, in a folder that any server may serve. */
import {
  DRAWING_SCRIPT,
  readDrawingScript,
  readVegaScript,
  VEGA_SCRIPT,
} from "../benchmarks/report/page/scripts.ts";
import { UserError } from "../errors/user_error.ts";
import { digestOf } from "../files/canonical_json.ts";
import { namesIn, prepareFolder } from "../files/write_file.ts";
import { system } from "../system/mod.ts";
import { codeFingerprint } from "../training/checkpoint/code.ts";
import { currentCommit } from "../training/environment.ts";
import base from "../benchmarks/report/page/base.css" with { type: "text" };
import page from "./index.html" with { type: "text" };
import script from "./page.js" with { type: "text" };
import serviceWorker from "./service_worker.js" with { type: "text" };
import { lowerUsing } from "./lower.ts";
import style from "./style.css" with { type: "text" };

/** Sweeps and choices of rates that comparisons are made of. */
const SWEEPS = ["quick.json", "tune.json", "tune.chosen.json"];

/** What runs programs that models write, by its path in the repository: a whole of its own, which needs no other script. */
const SANDBOX = "tasks/code/javascript_worker";

/** Chunks of the program from this size hold data of tasks: they are loaded when a task needs them. */
const DATA_BYTES = 1_000_000;

/** What the page may do: run its own scripts, and ask its own server alone. Reports have a policy of their own. */
export const POLICY =
  "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; style-src 'self'; " +
  "img-src 'self' data:; base-uri 'none'; form-action 'none'";

/** What was built. */
export interface BuiltSite {
  /** Files, all of them. */
  readonly files: number;
  /** Bytes, gzipped, of what every visit loads. */
  readonly firstBytes: number;
  /** Bytes, gzipped, of what is loaded when it is needed: data of tasks, base checkpoints. */
  readonly laterBytes: number;
}

/**
 * Builds the site into a new folder, or in place of an earlier build.
 *
 * @throws {UserError} where the folder can't be written, or Deno can't bundle
 */
export async function buildSite(out: string): Promise<BuiltSite> {
  const before = await namesIn(out);
  if (before.length > 0 && !before.includes("site.json")) {
    throw new UserError(`Cannot build the site in "${out}": it has other files, a new folder is needed`);
  }
  await prepareFolder(out);
  await bundle(out);
  const own: string[] = [], later: string[] = [];
  const put = async (path: string, content: string | Uint8Array) => {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    await Deno.mkdir(`${out}/${path.split("/").slice(0, -1).join("/")}`, { recursive: true });
    await Deno.writeFile(`${out}/${path}`, bytes);
  };
  const putOwn = async (path: string, content: string | Uint8Array) => {
    own.push(path);
    await put(path, content);
  };
  await putOwn(VEGA_SCRIPT, await readVegaScript());
  await putOwn(DRAWING_SCRIPT, await readDrawingScript());
  for (const name of SWEEPS) {
    const path = `benchmarks/sweeps/${name}`;
    await putOwn(path, await system.readFile(system.own(path)));
  }
  later.push(`${SANDBOX}.js`);
  const first = new Set(["index.html", "page.js", "style.css", "site.json", ...own]);
  for (
    const name of (await namesIn(out)).filter((name) => /\.js$/.test(name) && name !== "service_worker.js")
  ) {
    if ((await Deno.stat(`${out}/${name}`)).size < DATA_BYTES) first.add(name);
    else later.push(name);
  }
  for (const name of await system.namesIn(system.own("models/pretrained/"))) {
    if (!name.endsWith(".safetensors")) continue;
    const path = `models/pretrained/${name}`;
    later.push(path);
    await putOwn(path, await system.readFile(system.own(path)));
  }
  await put("index.html", page.replace("{{policy}}", POLICY));
  await put("page.js", script);
  await put("style.css", `${base}\n${style}`);
  const commit = await currentCommit(), code = await codeFingerprint();
  await put("site.json", `${JSON.stringify({ commit, code, files: own.sort() })}\n`);
  const files = [...first].sort(), hashes: Record<string, string> = {};
  for (const name of [...files, `${SANDBOX}.js`]) {
    hashes[name] = (await Deno.readFile(`${out}/${name}`)).toHex();
  }
  const version = (await digestOf(hashes)).slice(0, 16);
  await put(
    "service_worker.js",
    serviceWorker.replace("{{version}}", version).replace('"{{files}}"', JSON.stringify(files)),
  );
  const sizes = async (names: Iterable<string>) => {
    let sum = 0;
    for (const name of names) sum += await gzipped(`${out}/${name}`);
    return sum;
  };
  return {
    files: first.size + later.length + 1,
    firstBytes: await sizes([...first, "service_worker.js"]),
    laterBytes: await sizes(later),
  };
}

/** The program for browsers, in pieces that are loaded when they are needed. */
async function bundle(out: string): Promise<void> {
  // What an earlier build left would be taken for a part of this one.
  for (const name of (await namesIn(out)).filter((name) => /\.js$/.test(name))) {
    await Deno.remove(`${out}/${name}`);
  }
  const cwd = decodeURIComponent(system.own("").pathname);
  for (
    const args of [
      ["--code-splitting", "--outdir", out, "site/worker.ts"],
      ["--output", `${out}/${SANDBOX}.js`, `${SANDBOX}.ts`],
    ]
  ) {
    const { code, stderr } = await new Deno.Command("deno", {
      args: ["bundle", "--quiet", "--platform", "browser", "--minify", ...args],
      cwd,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).output();
    if (code !== 0) {
      throw new UserError(`Cannot bundle the site: ${new TextDecoder().decode(stderr).trim()}`);
    }
  }
  const modules = new Map<string, string>();
  for (const name of [...(await namesIn(out)).filter((name) => /\.js$/.test(name)), `${SANDBOX}.js`]) {
    modules.set(name, await Deno.readTextFile(`${out}/${name}`));
  }
  for (const [name, code] of await lowerUsing(modules)) await Deno.writeTextFile(`${out}/${name}`, code);
}

async function gzipped(path: string): Promise<number> {
  const stream = (await Deno.open(path)).readable.pipeThrough(new CompressionStream("gzip"));
  let sum = 0;
  for await (const chunk of stream) sum += chunk.length;
  return sum;
}
