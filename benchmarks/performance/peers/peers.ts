/** @file `./run peers`: one training step here and in other libraries. */
import { parseArgs } from "node:util";
import { openGpu } from "../../../gpu/mod.ts";
import { compare, describeMethod } from "./compare.ts";
import { formatOutcome, type OurStep, type Row } from "./outcome.ts";
import type { Peer } from "./peer.ts";
import { createProblem, type Problem, variants } from "./problem.ts";

const help = `Times one training step here and in other libraries, from the same weights and on the same data.

  --config "L2 V64"  only this configuration; may be repeated
  --json             prints one JSON object; progress goes to stderr
  --help             prints this

Exit codes: 0 done, 1 something failed or losses differ, 2 something to mend in what was asked.`;

/** Who is compared, and the file that knows how. Named here, so that a file that cannot be loaded is not left out. */
const sources: readonly {
  readonly file: string;
  readonly peers: readonly Pick<Peer, "name" | "backend">[];
}[] = [
  { file: "jax.ts", peers: [{ name: "jax-js", backend: "webgpu" }, { name: "jax-js", backend: "wasm" }] },
  { file: "tfjs.ts", peers: [{ name: "tfjs", backend: "webgpu" }] },
  { file: "pytorch.ts", peers: [{ name: "pytorch", backend: "cpu" }] },
];

/** Runs the command. Errors become one sentence on stderr. Returns the exit code. */
async function main(args: string[]): Promise<number> {
  let asked: { readonly json: boolean; readonly problems: readonly Problem[] } | null;
  try {
    asked = readArguments(args);
  } catch (error) {
    console.error(sentenceOf(error));
    return 2;
  }
  if (asked === null) {
    console.log(help);
    return 0;
  }
  try {
    await run(asked);
    return 0;
  } catch (error) {
    console.error(sentenceOf(error));
    return 1;
  }
}

/** What is asked for; null for help. @throws {Error} for unknown options and configurations */
function readArguments(args: string[]): { json: boolean; problems: Problem[] } | null {
  const { values } = parseArgs({
    args,
    options: {
      config: { type: "string", multiple: true },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  const all = variants.map(createProblem);
  const problems = values.config?.map((label) => {
    const problem = all.find((problem) => problem.label === label);
    if (problem) return problem;
    throw new Error(
      `Cannot find configuration "${label}": known are ${all.map(({ label }) => `"${label}"`).join(", ")}`,
    );
  });
  return { json: values.json, problems: problems ?? all };
}

async function run({ json, problems }: { json: boolean; problems: readonly Problem[] }): Promise<void> {
  await using gpu = await openGpu();
  const peers = await loadPeers();
  const rows: Row[] = [], configs: OurStep[] = [];
  for (const problem of problems) {
    const compared = await compare(gpu, peers, problem, (line) => console.error(line));
    rows.push(...compared.rows);
    configs.push(compared.ourStep);
    gpu.trim();
  }
  const outcome = {
    adapter: gpu.info.adapter,
    rows,
    ourStep: { configs },
    method: describeMethod(problems[0]!),
  };
  console.log(json ? JSON.stringify(outcome) : formatOutcome(outcome));
}

/** The peers of all sources; one whose file cannot be loaded says so when it is opened. */
async function loadPeers(): Promise<Peer[]> {
  const loaded = await Promise.all(sources.map(async ({ file, peers }) => {
    try {
      // Not a literal, so that checking the project's types fetches none of the libraries.
      const module: { readonly peers: readonly Peer[] } = await import(new URL(file, import.meta.url).href);
      return module.peers;
    } catch (error) {
      return peers.map((peer) => ({ ...peer, open: () => Promise.reject(error) }));
    }
  }));
  return loaded.flat();
}

function sentenceOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0]!;
}

// Some libraries keep workers and devices that would hold the process.
if (import.meta.main) Deno.exit(await main(Deno.args));
