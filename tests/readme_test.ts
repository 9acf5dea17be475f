/**
 * @file What the README says of methods, sweeps and real data, held against them; and its example of a method, put into a copy of
 * the project as a reader would: it must need nothing else.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { expand, override } from "../benchmarks/sweep.ts";
import { listSweeps, readChosen, readSweep } from "../benchmarks/sweep_files.ts";
import * as models from "../models/mod.ts";
import * as optimizers from "../optimizers/mod.ts";
import { dataSetsOf } from "../tasks/data/load.ts";
import * as dataSets from "../tasks/data/mod.ts";
import * as tasks from "../tasks/mod.ts";
import { classificationExample, instructionPrompt } from "../tasks/text/prompts.ts";
import type { Registries } from "../training/configuration.ts";

const known = { tasks, models, optimizers } as unknown as Registries;
const repository = new URL("../", import.meta.url).pathname;

/** A section of the README, from its heading to the next one of its level or above. */
async function sectionOf(heading: string): Promise<string> {
  const text = await Deno.readTextFile(`${repository}README.md`);
  const from = text.indexOf(`\n${heading}\n`);
  assert(from >= 0, `README.md has no section "${heading}"`);
  const rest = text.slice(from + heading.length + 1);
  const next = new RegExp(`^#{1,${heading.indexOf(" ")}} `, "m").exec(rest);
  return rest.slice(0, next?.index);
}

/** The rows of a section's table whose first cell is code: that code, and the cells behind it. */
async function rowsOf(heading: string): Promise<[string, string[]][]> {
  const rows = (await sectionOf(heading)).matchAll(/^\| `([\w-]+)` +\|(.*)\|$/gm);
  return Array.from(rows, ([, id, cells]) => [id!, cells!.split("|").map((cell) => cell.trim())]);
}

/** A copy of the project in which everything but the methods' folder is linked. */
async function copyProject(folder: string): Promise<void> {
  await Deno.mkdir(`${folder}/optimizers`);
  for await (const { name } of Deno.readDir(repository)) {
    if (name === "optimizers" || name === "results" || name === "node_modules" || name.startsWith(".")) {
      continue;
    }
    await Deno.symlink(`${repository}${name}`, `${folder}/${name}`);
  }
  for await (const { name } of Deno.readDir(`${repository}optimizers`)) {
    await Deno.copyFile(`${repository}optimizers/${name}`, `${folder}/optimizers/${name}`);
  }
}

async function deno(folder: string, ...args: string[]): Promise<string> {
  const command = new Deno.Command("deno", { args, cwd: folder, env: { NO_COLOR: "1" } });
  const { code, stdout, stderr } = await command.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assertEquals(code, 0, `deno ${args.join(" ")}\n${text(stdout)}${text(stderr)}`);
  return text(stdout);
}

Deno.test("README: its table of methods has every one, with title and source", async () => {
  const wanted = Object.values(optimizers).map(({ id, title, source }) =>
    [id, `[${title}](${source})`] as const
  );
  const found = (await rowsOf("## The methods")).map(([id, [link]]) => [id, link!] as const);
  assertEquals(new Map(found), new Map(wanted));
});

Deno.test("README: its table of real data has every set, with title, source, kind of task and names of files", async () => {
  const found = await rowsOf("## Real data");
  const wanted = Object.values(dataSets).map(({ id, title, source, family, files }) => {
    return [id, [`[${title}](${source})`, family, files.map((file) => `\`${file}\``).join(", ")]];
  });
  assertEquals(found, wanted);
});

Deno.test("README: its templates are those that prompts are written by", async () => {
  const [, section] = (await sectionOf("## Real data")).split("### Templates\n") as [string, string];
  const [, shown] = /```text\n(.*?)```/s.exec(section)!;
  const [, asked] = /### Instruction:\n(.*?)\n\n/s.exec(shown!)!;
  assertEquals(shown, instructionPrompt(asked!));
  const rows = Array.from(section.matchAll(/^\| [\w-]+ +\| `(\w+) (.*)` +\| (.*?) +\|$/gm));
  assertEquals(rows.map(([, id]) => id).sort(), dataSetsOf("understanding").map(({ id }) => id).sort());
  for (const [, id, fields, answers] of rows) {
    const labels = answers!.split(", "),
      texts = fields!.split("…").length === 2 ? ["…"] as const : ["…", "…"] as const;
    assertEquals(classificationExample({ dataSet: id!, texts, label: 1, labels }), {
      prompt: `${id} ${fields}`,
      answer: labels[1]!,
    });
  }
});

Deno.test("README: its table of models has every one, with its family, its parameters and what it starts from", async () => {
  const wanted = Object.values(models).map(({ id, family, architecture, pretrained }) => {
    const parameters = architecture.parameters.toLocaleString("en-US");
    return [id, [family, parameters, pretrained ? "shipped checkpoint" : "`--model DIR`"]] as const;
  });
  const found = (await rowsOf("## The models")).map(([id, [family, , parameters, start]]) =>
    [id, [family, parameters, start]] as const
  );
  assertEquals(new Map(found), new Map(wanted));
});

Deno.test("README: its table of sweeps has every one, with its number of runs", async () => {
  const found = new Map(await rowsOf("### The sweeps"));
  assertEquals([...found.keys()].sort(), (await listSweeps()).map(({ id }) => id));
  for (const [id, cells] of found) {
    const spec = await readSweep(id);
    // Each method has one rate where rates are tuned ones, whichever they are.
    const stated = spec.rates && "chosenBy" in spec.rates ? override(spec, { peaks: [1e-3] }, known) : spec;
    const { configs } = expand(stated, known);
    // Sweeps of all tasks grow with every task that is added: their table tells the runs of one.
    const perTask = [...Map.groupBy(configs, ({ task }) => task.id).values()].map(({ length }) => length);
    const all = spec.tasks.some(({ task }) => task.id === "*");
    if (all) assertEquals(new Set(perTask).size, 1, id);
    assertEquals(cells.at(-1), all ? `${perTask[0]} a task` : String(configs.length), id);
  }
});

Deno.test("Rates that ship as chosen are of every method and task that takes them", async () => {
  for (const { id } of await listSweeps()) {
    const spec = await readSweep(id);
    if (!spec.rates || !("chosenBy" in spec.rates)) continue;
    const { chosenBy } = spec.rates;
    if (!await Deno.stat(`${repository}benchmarks/sweeps/${chosenBy}.chosen.json`).catch(() => null)) {
      continue;
    }
    const chosen = await readChosen(chosenBy), tuned = new Set(chosen.rates.map(({ task }) => task));
    // A sweep of all tasks names those that are not tuned yet; whoever is tuned is so for every method.
    const all = spec.tasks.some(({ task }) => task.id === "*");
    const some = all ? override(spec, { tasks: [...tuned] }, known) : spec;
    assert(expand(some, known, chosen).configs.length > 0);
  }
});

Deno.test("README: the example of a method is a file and a line, and then it is checked, held to the contract and run", async () => {
  const fences = (await sectionOf("## Adding a method")).matchAll(/^```ts\n(.*?)^```$/gms);
  const [file, line, ...others] = Array.from(fences, ([, code]) => code!);
  assertEquals(others, []);
  assertEquals(line!.trim().split("\n").length, 1);
  const [, name, path] = /^export \{ (\w+) \} from "\.\/(\w+\.ts)";$/.exec(line!.trim()) ?? [];
  assert(name && path, line);
  const folder = await Deno.makeTempDir({ prefix: "readme" });
  try {
    await copyProject(folder);
    await Deno.writeTextFile(`${folder}/optimizers/${path}`, file!);
    await Deno.writeTextFile(`${folder}/optimizers/mod.ts`, line!, { append: true });

    const own = [`optimizers/${path}`, "optimizers/mod.ts"];
    await deno(folder, "fmt", "--check", ...own);
    await deno(folder, "lint", ...own);
    await deno(folder, "doc", "--lint", "mod.ts");
    // Type-checks all that the tests import, the registry and so the example among it.
    const tests = await deno(
      folder,
      "test",
      "-P",
      "tests/optimizers_contract_test.ts",
      "--filter",
      `/^${name}: /`,
    );
    const [, passed] = /(\d+) passed \| 0 failed/.exec(tests) ?? [];
    assert(Number(passed) >= 10, tests);

    const bench = ["run", "--no-prompt", "--allow-read", "--allow-write", "cli.ts", "bench"];
    const list = JSON.parse(await deno(folder, ...bench, "--list", "--json"));
    assert(list.optimizers.some(({ id }: { id: string }) => id === name));
    const small = [
      "--tasks",
      "digits",
      "--steps",
      "3",
      "--ranks",
      "2",
      "--peaks",
      "1e-3",
      "--out",
      `${folder}/out`,
    ];
    const ran = JSON.parse(
      await deno(folder, ...bench, "smoke", ...small, "--optimizers", `lora,${name}`, "--json"),
    );
    assertEquals(ran.counts, { total: 2, done: 2, diverged: 0, failed: 0, left: 0 });
    assertStringIncludes(await Deno.readTextFile(ran.report), "MiLoRA (alpha/r)");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
