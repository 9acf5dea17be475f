import { assert, assertEquals } from "@std/assert";
import { type Claim, type Claims, openClaims, sweepClaims } from "./claims.ts";
import { type Made, Queue } from "./queue.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";

const test = testNeeding(FILES);

const quick = { beatMs: 1e9, staleMs: 1e9 };

async function inFolder(
  work: (
    out: string,
    open: (name: string, host?: string | null, times?: typeof quick) => Claims,
  ) => Promise<void>,
) {
  const out = await Deno.makeTempDir(), opened: Claims[] = [];
  try {
    await work(out, (name, host = null, times = quick) => {
      const claims = openClaims(out, { name, host }, times);
      opened.push(claims);
      return claims;
    });
  } finally {
    for (const claims of opened) claims.end();
    await Deno.remove(out, { recursive: true });
  }
}

/** Lets a claim's last heartbeat be so long ago. */
async function silence(out: string, id: string, number: number, ms: number): Promise<void> {
  const then = new Date(Date.now() - ms);
  await Deno.utime(`${out}/claims/${id}/${number}/owner`, then, then);
}

test("Claims gives a run to one of fifty who ask at once, to the next when it is given back, and leaves nothing", async () => {
  await inFolder(async (out, open) => {
    const all = Array.from({ length: 50 }, (_, i) => open(`w${i}`));
    for (let round = 0; round < 3; round++) {
      const taken = (await Promise.all(all.map((claims) => claims.take("a")))).filter((claim) =>
        claim !== null
      );
      assertEquals(taken.length, 1);
      assertEquals([...await all[0]!.held()], ["a"]);
      await taken[0]!.release();
    }
    assertEquals([...Deno.readDirSync(`${out}/claims`)], []);
  });
});

test("Claims of a process that is gone are free at once on its machine, elsewhere after a silence", async () => {
  await inFolder(async (out, open) => {
    const dead = open("dead", "m1");
    assert(await dead.take("a"));
    dead.end();
    const elsewhere = open("elsewhere", "m2", { beatMs: 1e9, staleMs: 60_000 });
    assertEquals(await elsewhere.take("a"), null);
    await silence(out, "a", 1, 30_000);
    assertEquals(await elsewhere.take("a"), null);
    await silence(out, "a", 1, 90_000);
    const second = await elsewhere.take("a");
    assert(second);
    elsewhere.end();
    const here = await open("here", "m2").take("a");
    assert(here);
    assertEquals([...Deno.readDirSync(`${out}/claims/a`)].map(({ name }) => name).sort(), ["1", "2", "3"]);
    await here.release();
    assertEquals([...Deno.readDirSync(`${out}/claims`)], []);
  });
});

test("Claims are taken over where a heart stands still, by one alone; who comes back takes nothing away", async () => {
  await inFolder(async (out, open) => {
    const zombie = await open("zombie").take("a");
    await silence(out, "a", 1, 2e9);
    const all = Array.from({ length: 20 }, (_, i) => open(`w${i}`));
    const [copy, ...others] = (await Promise.all(all.map((claims) => claims.take("a")))).filter((claim) =>
      claim !== null
    );
    assertEquals(others, []);
    await zombie!.release();
    assertEquals(await open("third").take("a"), null);
    await copy!.release();
    assertEquals([...Deno.readDirSync(`${out}/claims`)], []);
  });
});

test("Claims on what is stored are forgotten, whoever left them; others stay", async () => {
  await inFolder(async (out, open) => {
    const slow = await open("slow").take("a");
    await silence(out, "a", 1, 2e9);
    assert(await open("killed").take("a"));
    const other = await open("other").take("b");
    // It had taken so long that another took over, which was killed then.
    await slow!.release();
    assertEquals([...Deno.readDirSync(`${out}/claims/a`)].map(({ name }) => name), ["2"]);
    await open("next").forget((id) => id === "a");
    assertEquals([...Deno.readDirSync(`${out}/claims`)].map(({ name }) => name), ["b"]);
    await other!.release();
    assertEquals([...Deno.readDirSync(`${out}/claims`)], []);
  });
});

test("Claims go on where a process was killed between its claim and its name, after a silence", async () => {
  await inFolder(async (out, open) => {
    await Deno.mkdir(`${out}/claims/a/1`, { recursive: true });
    assertEquals(await open("w").take("a"), null);
    const then = new Date(Date.now() - 61_000);
    await Deno.utime(`${out}/claims/a/1`, then, then);
    const last = open("w"), claim = await last.take("a");
    assert(claim);
    await Deno.mkdir(`${out}/claims/.released-x/1`, { recursive: true });
    await sweepClaims(out);
    assertEquals([...Deno.readDirSync(`${out}/claims`)].map(({ name }) => name), ["a"]);
    await claim.release();
    last.end();
    assertEquals([...Deno.readDirSync(out)], []);
  });
});

test("Claims beat: a heart that goes on is never taken for a dead one", async () => {
  await inFolder(async (out, open) => {
    assert(await open("w", "m1", { beatMs: 5, staleMs: 1e9 }).take("a"));
    await silence(out, "a", 1, 1e8);
    const at = () => Deno.statSync(`${out}/claims/a/1/owner`).mtime!.getTime();
    while (Date.now() - at() > 1e7) await new Promise((resolve) => setTimeout(resolve, 5));
    assertEquals(await open("other", "m2", { beatMs: 1e9, staleMs: 1e6 }).take("a"), null);
  });
});

interface Record {
  readonly id: string;
  readonly status: string;
  readonly environment: { readonly startedAt: string };
}

/** A store of made-up records. */
function madeOf(stored: ReadonlyMap<string, Record>): Made<Record> {
  return {
    names: () => Promise.resolve(new Set(stored.keys())),
    has: (id) => Promise.resolve(stored.has(id)),
    renew: () => Promise.resolve(),
    find: (id) => Promise.resolve(stored.get(id) ?? null),
  };
}

/** Workers that make made-up runs of one folder until nothing is left: who made what. */
export async function simulate(
  runs: number,
  workers: number,
  out: string,
  open: (name: string) => Claims,
): Promise<Map<string, string[]>> {
  const made = new Map<string, string[]>(),
    stored = new Map<string, Record>();
  const store = madeOf(stored);
  const items = Array.from({ length: runs }, (_, i) => ({ id: `run${i}` }));
  const { signal } = new AbortController();
  await Promise.all(Array.from({ length: workers }, async (_, i) => {
    const claims = open(`w${i}`);
    const queue = new Queue(items, store, new Map(), { sharing: { claims, waits: true, pollMs: 1 }, signal });
    for (let taken; (taken = await queue.next()) !== null;) {
      const { item: { id }, claim } = taken;
      made.set(id, [...made.get(id) ?? [], `w${i}`]);
      await new Promise((resolve) => setTimeout(resolve, 0));
      stored.set(id, { id, status: "done", environment: { startedAt: `${i}` } });
      await claim.release();
    }
  }));
  assertEquals([...Deno.readDirSync(`${out}/claims`)], []);
  return made;
}

test("twenty workers share 100 runs: each is made once, and several work", async () => {
  await inFolder(async (out, open) => {
    const made = await simulate(100, 20, out, open);
    assertEquals(made.size, 100);
    assertEquals([...made].filter(([, by]) => by.length !== 1), []);
    assert(new Set([...made.values()].flat()).size > 1);
  });
});

test("Queue makes what failed before once, and what another has made meanwhile not at all", async () => {
  await inFolder(async (_out, open) => {
    const record = (id: string, status: string, startedAt: string) => ({
      id,
      status,
      environment: { startedAt },
    });
    const stored = new Map([["a", record("a", "failed", "1")], ["b", record("b", "failed", "1")]]);
    const store = madeOf(stored);
    const { signal } = new AbortController(), before = new Map(stored);
    const items = ["a", "b", "c", "d"].map((id) => ({ id }));
    const queue = new Queue(items, store, before, { sharing: { claims: open("w"), waits: false }, signal });
    // Another process was faster with two of them, and one failed again.
    stored.set("a", record("a", "failed", "2")).set("d", record("d", "done", "2"));
    const other = await open("other").take("c");
    const taken = [];
    for (let next; (next = await queue.next()) !== null;) {
      taken.push(next.item.id);
      await next.claim.release();
    }
    assertEquals(taken, ["b"]);
    assertEquals([[...queue.elsewhere].sort(), queue.others], [["a", "d"], 1]);
    await other!.release();
  });
});

test("Queue asks for little in a folder of 10,000 results, and misses nothing that another gave back", async () => {
  await inFolder(async (_out, open) => {
    const record = (id: string) => ({ id, status: "done", environment: { startedAt: "1" } });
    const stored = new Map(Array.from({ length: 10_000 }, (_, i) => [`old${i}`, record(`old${i}`)]));
    const made = madeOf(stored), asked = { lists: 0, looks: 0, renewals: 0 };
    const store: Made<Record> = {
      ...made,
      names: () => (asked.lists++, made.names()),
      has: (id) => (asked.looks++, made.has(id)),
      renew: () => (asked.renewals++, made.renew()),
    };
    const items = Array.from({ length: 200 }, (_, i) => ({ id: `run${i}` })),
      { signal } = new AbortController();
    const queue = new Queue(items, store, new Map(), {
      sharing: { claims: open("w"), waits: false },
      signal,
    });
    const other = open("other"), own: string[] = [];
    let theirs: { readonly id: string; readonly claim: Claim } | null = null;
    for (let taken; (taken = await queue.next()) !== null;) {
      own.push(taken.item.id);
      // Meanwhile another one is done with a run, or gives it back, and is at the next one.
      if (theirs && own.length !== 30) stored.set(theirs.id, record(theirs.id));
      await theirs?.claim.release();
      const next = items.slice(items.indexOf(taken.item)).find((one) =>
        one !== taken.item && !stored.has(one.id)
      );
      const claim = next && await other.takeNew(next.id);
      theirs = claim ? { id: next.id, claim } : null;
      stored.set(taken.item.id, record(taken.item.id));
      await taken.claim.release();
    }
    assertEquals(items.filter(({ id }) => !stored.has(id) && id !== theirs?.id), []);
    assertEquals(new Set(own).size, own.length);
    // A list of all has 63 replies: once in so many looks, and at the end.
    assertEquals([own.length, asked], [101, { lists: 3, looks: 100, renewals: 100 }]);
  });
});
