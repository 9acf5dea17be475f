import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { basesOf } from "../sweep/bases.ts";
import { fakeRegistries } from "../../tests/support/fakes/registries.ts";
import { fakeBase, fakeDone } from "../../tests/support/fakes/results.ts";
import { fakePlan, fakeSweep } from "../../tests/support/fakes/sweep.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import { digestOf } from "../../files/canonical_json.ts";
import { prepareFolder } from "../../files/write_file.ts";
import { writePlan } from "../sweep/plan.ts";
import { openBases, openStore } from "../sweep/store.ts";
import { writeReport } from "./write.ts";

const test = testNeeding(FILES);

const plan = await fakePlan({
  ...fakeSweep,
  tasks: [fakeSweep.tasks[0]!],
  optimizers: [{ id: "full" }, { id: "lora" }],
  ranks: [2],
});
const results = await Promise.all(plan.runs.map(({ config }) => fakeDone(config)));
const bases = await Promise.all(basesOf(plan.runs.map(({ config }) => config)).map(fakeBase));

/** Writes the sweep's runs in the given order, works in its folder, and removes it. */
async function inFolder<T>(order: typeof results, work: (out: string) => Promise<T>): Promise<T> {
  const out = await Deno.makeTempDir();
  try {
    await prepareFolder(`${out}/runs`);
    await prepareFolder(`${out}/bases`);
    for (const result of order) await openStore(out).put(result);
    for (const base of bases) await openBases(out).put(base);
    await writePlan(out, plan);
    return await work(out);
  } finally {
    await Deno.remove(out, { recursive: true });
  }
}

/** Every file of a report by its path. */
async function filesOf(folder: string, path = ""): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for await (const { name, isDirectory } of Deno.readDir(`${folder}/${path}`)) {
    if (isDirectory) {
      for (const [key, text] of await filesOf(folder, `${path}${name}/`)) files.set(key, text);
    } else files.set(`${path}${name}`, await Deno.readTextFile(`${folder}/${path}${name}`));
  }
  return files;
}

function sorted(files: ReadonlyMap<string, string>): (readonly [string, string])[] {
  return [...files].toSorted(([a], [b]) => a < b ? -1 : 1);
}

test("writeReport() makes the same bytes from the same stored runs, in another folder, order and time", async () => {
  const [once, again] = await inFolder(results, async (out) => {
    await writeReport(out, fakeRegistries);
    const first = await filesOf(`${out}/report`);
    await writeReport(out, fakeRegistries);
    return [first, await filesOf(`${out}/report`)] as const;
  });
  assertEquals(sorted(again!), sorted(once!));
  const elsewhere = await inFolder(results.toReversed(), async (out) => {
    await writeReport(out, fakeRegistries);
    return await filesOf(`${out}/report`);
  });
  assert(once!.size > 5);
  assertEquals(sorted(elsewhere), sorted(once!));
});

test("writeReport() names malformed and foreign JSON among the runs, leaves it out and counts none of it", async () => {
  const whole = JSON.stringify({ ...results[0]!, digest: await digestOf(results[0]!) });
  /** The shape of a result of Hugging Face PEFT's method comparison. */
  const peft = {
    run_info: { status: "success" },
    train_info: { "accelerator_memory_reserved_avg": 11868055898 },
  };
  const other = { schema: 1, id: "0123456789abcdef", numbers: [1, 2, 3] };
  const scoreless = { ...results[1]!, outcome: { ...results[1]!.outcome, score: 2 } };
  const files: Readonly<Record<string, string | Uint8Array<ArrayBuffer>>> = {
    "half.json": whole.slice(0, whole.length / 2),
    "empty.json": "",
    "null.json": "null",
    "number.json": "1e999",
    "list.json": `[${whole}]`,
    "peft--llama-3.2-3B.json": JSON.stringify(peft),
    "foreign.json": JSON.stringify({ ...other, digest: await digestOf(other) }),
    "a copy.json": whole,
    "wrong-score.json": JSON.stringify({ ...scoreless, digest: await digestOf(scoreless) }),
    "not-a-number.json": whole.replace(/"score":[\d.]+/, '"score":NaN'),
    "edited.json": whole.replace(/"score":[\d.]+/, '"score":1'),
    "deep.json": "[".repeat(100_000) + "]".repeat(100_000),
    "deep-digest.json": `{"digest":"","a":${'{"a":'.repeat(20_000)}1${"}".repeat(20_001)}`,
    "prototype.json": '{"__proto__":{"digest":"x"},"constructor":1}',
    "bytes.json": new Uint8Array([0xff, 0xfe, 0x7b, 0, 0x7d, 0]),
  };
  await inFolder(results, async (out) => {
    await writeReport(out, fakeRegistries);
    const clean = await filesOf(`${out}/report`);
    for (const [name, content] of Object.entries(files)) {
      await Deno.writeFile(
        `${out}/runs/${name}`,
        typeof content === "string" ? new TextEncoder().encode(content) : content,
      );
    }
    await Deno.mkdir(`${out}/runs/folder.json`);
    await Deno.symlink(`${out}/runs/nowhere`, `${out}/runs/link.json`);
    await Deno.writeTextFile(`${out}/bases/foreign.json`, JSON.stringify(peft));
    const { report, faults } = await writeReport(out, fakeRegistries);
    const names = [...Object.keys(files), "folder.json", "link.json"];
    assertEquals(faults.length, names.length + 1, faults.join("\n"));
    for (const path of [...names.map((name) => `runs/${name}`), "bases/foreign.json"]) {
      const said = report.caveats.filter((caveat) => caveat.startsWith(`Cannot use ${path}: `));
      assertEquals(said.length, 1, path);
      assert(!/\n|\s+at /.test(said[0]!) && !said[0]!.includes(out), said[0]);
    }
    assertEquals(report.environment.find(([name]) => name === "Runs")![1], String(results.length));
    // All but what the caveats say is as it was without them.
    const dirty = await filesOf(`${out}/report`);
    const telling = ["index.html", "summary.md"];
    const rest = (all: ReadonlyMap<string, string>) =>
      sorted(all).filter(([path]) => !telling.includes(path));
    assertEquals(rest(dirty), rest(clean));
    const lines = (text: string) => text.split("\n").filter((line) => !line.startsWith("- Cannot use"));
    assertEquals(lines(dirty.get("summary.md")!), lines(clean.get("summary.md")!));
    assertStringIncludes(dirty.get("index.html")!, "Cannot use runs/peft--llama-3.2-3B.json");
  });
});

test("writeReport() of a folder with nothing but foreign files says so and has no scores", async () => {
  await inFolder([], async (out) => {
    await Deno.writeTextFile(`${out}/runs/foreign.json`, "{}");
    await Deno.writeTextFile(`${out}/sweep.json`, '{"schema":1}');
    const { report } = await writeReport(out, fakeRegistries);
    assertEquals(report.answer, ["No run has finished: there is nothing to say yet."]);
    assertEquals(report.tables, []);
    assertStringIncludes(report.caveats.join("\n"), "Cannot use runs/foreign.json: it has no digest");
    assertStringIncludes(report.caveats.join("\n"), "sweep.json");
  });
});

test("writeReport() without a plan leaves out runs that can't be compared with the most, and says so", async () => {
  const { config } = results[1]!;
  const longer = await fakeDone({ ...config, steps: 80 });
  await inFolder([...results, longer], async (out) => {
    await Deno.remove(`${out}/sweep.json`);
    const { report } = await writeReport(out, fakeRegistries);
    assertStringIncludes(
      report.caveats.join("\n"),
      "1 run on Shifted digits can't be compared with the others and is left out: steps 80, not 40.",
    );
    const scores = report.tables.find(({ title }) => title === "Scores")!;
    assertEquals(scores.rows.map((row) => row.at(-2)), ["—", "2", "2"]);
  });
});
