/**
 * @file Many workers that share many made-up runs of one folder, in one process: whether each run is made once, and what
 * a file server would see of it: `deno run --allow-read --allow-write tests/kills/many_workers.ts [RUNS] [WORKERS] [MS]`.
 *
 * Not part of the suite: it takes minutes. Claims, results and the looks at both are those of a sweep; a run
 * waits for about MS milliseconds.
 */
import { assertEquals } from "@std/assert";
import { writeWhole } from "../../files/write_file.ts";
import { openClaims } from "../../benchmarks/sweep/claims.ts";
import { Queue } from "../../benchmarks/sweep/queue.ts";
import { openStore } from "../../benchmarks/sweep/store.ts";

/** What asks a file server for something. */
const ASKING = [
  "mkdir",
  "open",
  "readDir",
  "readTextFile",
  "writeTextFile",
  "stat",
  "lstat",
  "rename",
  "remove",
];
const asked = new Map<string, number>();
let entries = 0;

/** Counts calls from now on, and what folders list. */
function countCalls(): void {
  const all = Deno as unknown as Record<string, (...args: unknown[]) => unknown>;
  for (const name of ASKING) {
    const original = all[name]!;
    all[name] = (...args: unknown[]) => {
      asked.set(name, (asked.get(name) ?? 0) + 1);
      const found = original(...args);
      return name === "readDir" ? counted(found as AsyncIterable<Deno.DirEntry>) : found;
    };
  }
}

async function* counted(all: AsyncIterable<Deno.DirEntry>): AsyncGenerator<Deno.DirEntry> {
  for await (const entry of all) {
    entries++;
    yield entry;
  }
}

interface Made {
  readonly id: string;
  readonly status: string;
  readonly environment: { readonly startedAt: string };
}

const [runs = 10_000, workers = 50, ms = 500] = Deno.args.map(Number);
const out = await Deno.makeTempDir({ prefix: "many-workers" });
try {
  await Deno.mkdir(`${out}/runs`);
  const store = openStore(out);
  const items = Array.from({ length: runs }, (_, i) => ({ id: i.toString(16).padStart(16, "0") }));
  const pathOf = (id: string) => `${out}/runs/${id}.json`;
  const found = {
    names: store.names,
    has: store.has,
    renew: store.renew,
    find: (id: string): Promise<Made | null> => Deno.readTextFile(pathOf(id)).then(JSON.parse, () => null),
  };
  const madeBy = new Map<string, number[]>(), { signal } = new AbortController();
  countCalls();
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: workers }, async (_, worker) => {
    const claims = openClaims(out, { name: `w${worker}`, host: null });
    const queue = new Queue<{ readonly id: string }, Made>(items, found, new Map(), {
      sharing: { claims, waits: false },
      signal,
    });
    for (let taken; (taken = await queue.next()) !== null;) {
      const { item: { id }, claim } = taken;
      madeBy.set(id, [...madeBy.get(id) ?? [], worker]);
      await new Promise((resolve) => setTimeout(resolve, ms * (0.5 + Math.random())));
      await writeWhole(
        pathOf(id),
        JSON.stringify({ id, status: "done", environment: { startedAt: `${worker}` } }),
      );
      await claim.release();
    }
    claims.end();
  }));
  const seconds = (performance.now() - startedAt) / 1000;
  assertEquals(madeBy.size, runs);
  assertEquals([...madeBy.values()].filter((by) => by.length !== 1), [], "runs were made twice");
  assertEquals([...Deno.readDirSync(out)].map(({ name }) => name), ["runs"], "claims were left");
  const share = [...Map.groupBy(madeBy.values(), ([worker]) => worker).values()].map((some) => some.length);
  console.log(`${runs} runs, made once each by ${workers} workers, in ${seconds.toFixed(0)} s`);
  console.log(`Runs of a worker: ${Math.min(...share)} to ${Math.max(...share)}`);
  const each = (count: number) => (count / runs).toFixed(1);
  console.log(`Calls a run: ${[...asked].map(([name, count]) => `${each(count)} ${name}`).join(", ")}`);
  console.log(`Names listed a run: ${each(entries)}`);
} finally {
  await Deno.remove(out, { recursive: true });
}
