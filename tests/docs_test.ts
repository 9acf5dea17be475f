/**
 * @file What the docs say of methods, models, sweeps and real data, held against them; their links and commands; and their
 * examples of a method, a task and a chart, put into a copy of the project as a reader would: they must need nothing else.
 */
import { assert, assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { isCommand, readArguments } from "../benchmarks/command_line/commands.ts";
import { measurementsToCsv, toCsv } from "../benchmarks/report/csv.ts";
import { forestToCsv } from "../benchmarks/report/drawing/forest_svg.ts";
import { LOOKS } from "../benchmarks/statistics/looks.ts";
import { boundsFor } from "../benchmarks/statistics/sequential.ts";
import { expand, override } from "../benchmarks/sweep/sweep.ts";
import { listSweeps, readChosen, readSweep } from "../benchmarks/sweep/sweep_files.ts";
import { dataSetsOf } from "../tasks/data/load.ts";
import * as dataSets from "../tasks/data/mod.ts";
import { classificationExample, instructionPrompt } from "../tasks/text/prompt_templates.ts";
import { rewrite, tables } from "../docs/tables.ts";
import { shipped } from "../training/shipped.ts";
import { examplesOf, fencesOf, withImports } from "./support/docs_examples.ts";
import { PROGRAMS, testNeeding } from "./support/test_needing.ts";
import { build, made } from "./support/fakes/reports.ts";

const test = testNeeding(PROGRAMS);

const repository = new URL("../", import.meta.url).pathname;

/** Every page, by its path in the repository. */
async function pages(): Promise<Map<string, string>> {
  const names = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"];
  for await (const { name } of Deno.readDir(`${repository}docs`)) {
    if (name.endsWith(".md")) names.push(`docs/${name}`);
  }
  return new Map(
    await Promise.all(
      names.sort().map(async (name) => [name, await Deno.readTextFile(`${repository}${name}`)] as const),
    ),
  );
}

/** A section of a page, from its heading to the next one of its level or above. */
async function sectionOf(page: string, heading: string): Promise<string> {
  const text = `\n${await Deno.readTextFile(`${repository}docs/${page}`)}`;
  const from = text.indexOf(`\n${heading}\n`);
  assert(from >= 0, `docs/${page} has no section "${heading}"`);
  const rest = text.slice(from + heading.length + 1);
  const next = new RegExp(`^#{1,${heading.indexOf(" ")}} `, "m").exec(rest);
  return rest.slice(0, next?.index);
}

/** The rows of a section's table whose first cell is code: that code, and the cells behind it. */
async function rowsOf(page: string, heading: string): Promise<[string, string[]][]> {
  const rows = (await sectionOf(page, heading)).matchAll(/^\| `([\w-]+)` +\|(.*)\|$/gm);
  return Array.from(rows, ([, id, cells]) => [id!, cells!.split("|").map((cell) => cell.trim())]);
}

/** The name that a page's heading is linked by. */
function anchorOf(heading: string): string {
  return heading.toLowerCase().replaceAll("`", "").replaceAll(/[^\w\- ]/g, "").trim().replaceAll(" ", "-");
}

/** A copy of the project in which everything is linked but one folder, which is copied. */
async function copyProject(folder: string, copied: string): Promise<void> {
  await linkAll(repository, folder, copied.split("/"));
}

async function linkAll(from: string, to: string, [copied, ...further]: readonly string[]): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (/^(\..*|results|reports|checked|tuning|node_modules|coverage)$/.test(name)) continue;
    if (name === copied && isDirectory) {
      await Deno.mkdir(`${to}/${name}`);
      await linkAll(`${from}${name}/`, `${to}/${name}`, further);
    } else if (copied === undefined && !isDirectory) {
      await Deno.copyFile(`${from}${name}`, `${to}/${name}`);
    } else {
      await Deno.symlink(`${from}${name}`, `${to}/${name}`);
    }
  }
}

async function deno(folder: string, ...args: string[]): Promise<string> {
  const command = new Deno.Command("deno", { args, cwd: folder, env: { NO_COLOR: "1" } });
  const { code, stdout, stderr } = await command.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assertEquals(code, 0, `deno ${args.join(" ")}\n${text(stdout)}${text(stderr)}`);
  return text(stdout);
}

test("docs: the tables of methods, models and sweeps are of what there is, each once, and say what the code says", async () => {
  for (const { page, heading, rowsOf } of tables) {
    const text = await Deno.readTextFile(`${repository}docs/${page}`), known = await rowsOf(shipped);
    const ids = Array.from(
      (await sectionOf(page, heading)).matchAll(/^\| `([\w-]+)` +\|/gm),
      ([, id]) => id!,
    );
    assertEquals(new Set(ids).size, ids.length, page);
    assert(ids.length >= 9 && ids.every((id) => known.has(id)), page);
    // What was added and has no row yet asks for none here: `deno task ok` does, and `./run docs-tables` writes it.
    const listed = new Map(ids.map((id) => [id, known.get(id)!]));
    // Counts of runs grow with every method.
    if (page === "sweeps.md") continue;
    assertEquals(rewrite(text, heading, listed), text, page);
  }
});

test("docs: a table takes what the code knows, keeps what somebody wrote, and drops what is gone", () => {
  const text =
    "# A\n\nText\n\n| id | name | note |\n| -- | ---- | ---- |\n| `b` | old | mine |\n| `c` | C | |\n\nMore | text\n";
  const known = new Map([["a", { name: "A" }], ["b", { name: "B" }]]);
  const written = rewrite(text, "# A", known);
  assertEquals(
    written,
    "# A\n\nText\n\n| id | name | note |\n| --- | --- | --- |\n| `b` | B | mine |\n| `a` | A | — |\n\nMore | text\n",
  );
  assertEquals(rewrite(written, "# A", known), written);
});

test("docs: the table of real data has every set, with title, source, kind of task and names of files", async () => {
  const found = await rowsOf("data.md", "# Data sets that tasks know");
  const wanted = Object.values(dataSets).map(({ id, title, source, family, files }) => {
    return [id, [`[${title}](${source})`, family, files.map((file) => `\`${file}\``).join(", ")]];
  });
  assertEquals(found, wanted);
});

test("docs: the templates are those that prompts are written by", async () => {
  const section = await sectionOf("data.md", "## Templates");
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

test("docs: the table of bounds is that of the rule", async () => {
  const section = await sectionOf("settle.md", "## The rule");
  const rows = new Map(Array.from(
    section.matchAll(/^\| ([ce], [\d.]+%|pairs) +\|(.*)\|$/gm),
    ([, name, cells]) => [name!, cells!.split("|").map(Number)] as const,
  ));
  assertEquals(rows.get("pairs"), [...LOOKS]);
  for (const [comparisons, differ, same] of [[1, "c, 5%", "e, 10%"], [2, "c, 2.5%", "e, 5%"]] as const) {
    const bounds = boundsFor(comparisons);
    assertEquals([rows.get(differ), rows.get(same)], [[...bounds.differ], [...bounds.same]]);
  }
});

test("docs: the tables of CSV files have every column, in its order", async () => {
  const input = await made(), [run] = input.stored;
  assert(run?.status === "done");
  // Measures have the columns of their tasks.
  const plain = { ...run, outcome: { ...run.outcome, measures: {} } };
  const files = {
    "results.csv": toCsv([plain]),
    "measurements.csv": measurementsToCsv([plain]),
    "charts/differences.csv": forestToCsv(build(input).forest!),
  };
  for (const [name, text] of Object.entries(files)) {
    const rows = await rowsOf("csv.md", `## \`${name}\``);
    assertEquals(rows.map(([column]) => column), text.split("\r\n")[0]!.split(","), name);
  }
});

test("CITATION.cff is of the version that deno.json has", async () => {
  const citation = await Deno.readTextFile(`${repository}CITATION.cff`);
  const { version } = JSON.parse(await Deno.readTextFile(`${repository}deno.json`));
  assert(citation.startsWith("cff-version: 1.2.0\n"));
  assertEquals(/^version: (.*)$/m.exec(citation)?.[1], version);
});

test("Rates that ship as chosen are of every task for the methods that a tuning sweep names", async () => {
  for (const { id } of await listSweeps()) {
    const spec = await readSweep(id);
    if (!spec.rates || !("chosenBy" in spec.rates)) continue;
    const { chosenBy } = spec.rates;
    if (!await Deno.stat(`${repository}benchmarks/sweeps/${chosenBy}.chosen.json`).catch(() => null)) {
      continue;
    }
    const chosen = await readChosen(chosenBy), tasks = [...new Set(chosen.rates.map(({ task }) => task))];
    // A sweep names a method or a task that was added until it is tuned.
    const optimizers = (await readSweep(chosenBy)).optimizers.map(({ id }) => id);
    assert(optimizers.length >= 4 && tasks.length >= 2, chosenBy);
    for (const optimizer of optimizers) {
      const own = chosen.rates.filter((one) => one.optimizer === optimizer).map(({ task }) => task);
      assertEquals(own.toSorted(), tasks.toSorted(), optimizer);
    }
    const allTasks = spec.tasks.some(({ task }) => task.id === "*");
    const allMethods = spec.optimizers.some(({ id }) => id === "*");
    const some = override(spec, { ...allTasks && { tasks }, ...allMethods && { optimizers } }, shipped);
    assert(expand(some, shipped, chosen).configs.length > 0);
  }
});

test("docs: the example of a method is a file and a line, and then it is checked, held to the contract and run", async () => {
  const [outside, , imports, line, ...others] = await examplesOf("adding-a-method.md");
  const file = withImports(outside!, imports!);
  assertEquals(others, []);
  assertEquals(line!.trim().split("\n").length, 1);
  const [, name, path] = /^export \{ (\w+) \} from "\.\/(\w+\.ts)";$/.exec(line!.trim()) ?? [];
  assert(name && path, line);
  const folder = await Deno.makeTempDir({ prefix: "readme" });
  try {
    await copyProject(folder, "optimizers");
    await Deno.writeTextFile(`${folder}/optimizers/${path}`, file);
    await Deno.writeTextFile(`${folder}/optimizers/mod.ts`, line!, { append: true });

    const own = [`optimizers/${path}`, "optimizers/mod.ts"];
    await deno(folder, "fmt", "--check", ...own);
    await deno(folder, "lint", ...own);
    await deno(folder, "doc", "--lint", "mod.ts");
    await deno(folder, "check", ...own);
    const tests = await deno(
      folder,
      "test",
      "--no-check",
      "-P=test",
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
      "--learning-rates",
      "1e-3",
      "--out",
      `${folder}/out`,
    ];
    const ran = JSON.parse(
      await deno(folder, ...bench, "smoke", ...small, "--optimizers", `lora,${name}`, "--json"),
    );
    assertEquals(ran.counts, { total: 2, done: 2, diverged: 0, failed: 0, left: 0 });
    assertStringIncludes(await Deno.readTextFile(ran.report), "Middle PiSSA");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

test("docs: the example of a task is a file and a line, held to the contract and run", async () => {
  const [outside, imports, line] = await examplesOf("adding-a-task.md");
  const file = withImports(outside!, imports!);
  const [, path] = /from "\.\/(\S+\.ts)";/.exec(line!)!, [, id] = /^ {2}id: "([\w-]+)",$/m.exec(file)!;
  const folder = await Deno.makeTempDir({ prefix: "docs" });
  try {
    await copyProject(folder, path!.replace(/^/, "tasks/").replace(/\/[^/]+$/, ""));
    // The registry lies above the folder that was copied.
    await Deno.remove(`${folder}/tasks/mod.ts`);
    await Deno.writeTextFile(
      `${folder}/tasks/mod.ts`,
      `${await Deno.readTextFile(`${repository}tasks/mod.ts`)}${line}`,
    );
    await Deno.writeTextFile(`${folder}/tasks/${path}`, file);
    await deno(folder, "fmt", "--check", `tasks/${path}`);
    await deno(folder, "lint", `tasks/${path}`);
    await deno(folder, "check", `tasks/${path}`, "tasks/mod.ts");
    const tests = await deno(
      folder,
      "test",
      "--no-check",
      "-P=test",
      "tests/tasks_contract_test.ts",
      "--filter",
      `/^${id}: /`,
    );
    assert(Number(/(\d+) passed \| 0 failed/.exec(tests)?.[1]) >= 10, tests);
    const bench = ["run", "--no-prompt", "--allow-read", "--allow-write", "cli.ts", "bench"];
    const small = [
      "--steps",
      "2",
      "--learning-rates",
      "1e-3",
      "--ranks",
      "2",
      "--optimizers",
      "lora",
      "--seeds",
      "0",
    ];
    const amounts = ["--examples", "32,8,8", "--out", `${folder}/out`, "--json"];
    const ran = JSON.parse(await deno(folder, ...bench, "paper", "--tasks", id!, ...small, ...amounts));
    assertEquals(ran.counts, { total: 1, done: 1, diverged: 0, failed: 0, left: 0 });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

test("docs: the example of an activation function is a name and a snippet, and computes", async () => {
  const section = await sectionOf("adding-a-kernel.md", "## A new activation function");
  const [name, snippet, ...others] = fencesOf(section, "ts");
  assertEquals(others, []);
  const [, id] = /^ {2}"(\w+)": wgsl`$/m.exec(snippet!)!;
  const folder = await Deno.makeTempDir({ prefix: "docs" }), path = "kernels/pointwise/activation.ts";
  try {
    await copyProject(folder, "kernels/pointwise");
    const text = await Deno.readTextFile(`${folder}/${path}`);
    const named = text.replace(/^export type Activation = .*;\n/m, () => name!);
    const complete = named.replace("`,\n};\n", () => `\`,\n\n${snippet}};\n`);
    assert(text !== named && named !== complete);
    await Deno.writeTextFile(`${folder}/${path}`, complete);
    await deno(folder, "fmt", "--check", path);
    await deno(folder, "lint", path);
    await deno(folder, "doc", "--lint", "mod.ts");
    const found = await deno(
      folder,
      "eval",
      `import { openGpu } from "./gpu/mod.ts";
       import { activation } from "./kernels/mod.ts";
       const gpu = await openGpu();
       using _ = gpu.scope("example");
       const x = gpu.upload(Float32Array.of(-2, 0, 1), "f32", [3], "x");
       console.log(JSON.stringify(Array.from(await gpu.download(activation(gpu, x, "${id}")))));`,
    );
    const wanted = [-2, 0, 1].map((x) => x / (1 + Math.exp(-x)));
    assert(JSON.parse(found).every((value: number, i: number) => Math.abs(value - wanted[i]!) < 1e-6), found);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

test("docs: the table of rooms for kernels names every folder of kernels/", async () => {
  const text = await sectionOf("adding-a-kernel.md", "# Adding a kernel");
  const named = Array.from(text.matchAll(/^\| `(\w+)\/` +\|/gm), ([, name]) => name!);
  const folders: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(`${repository}kernels`)) {
    if (isDirectory) folders.push(name);
  }
  assertEquals(named.toSorted(), folders.toSorted());
});

test("docs: the example of a chart is a file and its lines in the registry, and is drawn", async () => {
  const [file, line] = fencesOf(await sectionOf("adding-a-chart.md", "# Adding a chart"), "ts");
  const [, name, path] = /^import \{ (\w+) \} from "\.\/(\w+\.ts)";$/.exec(line!.trim())!;
  const [, id] = /^ {2}id: "([\w-]+)",$/m.exec(file!)!;
  const folder = await Deno.makeTempDir({ prefix: "docs" }), charts = "benchmarks/report/charts";
  try {
    await copyProject(folder, charts);
    await Deno.writeTextFile(`${folder}/${charts}/${path}`, file!);
    const registry = await Deno.readTextFile(`${folder}/${charts}/mod.ts`);
    const listed = registry.replace("\n/** Every chart", `${line}\n/** Every chart`)
      .replace("  scoreByRank,\n", `  scoreByRank,\n  ${name},\n`);
    await Deno.writeTextFile(`${folder}/${charts}/mod.ts`, listed);
    await deno(folder, "fmt", "--check", `${charts}/${path}`);
    await deno(folder, "lint", `${charts}/${path}`);
    const drawn = await deno(
      folder,
      "eval",
      `import { build, made } from "./tests/support/fakes/reports.ts";
       console.log(build(await made()).charts.map(({ chart }) => chart.id).join(" "));`,
    );
    assert(drawn.trim().split(" ").includes(id!), drawn);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

test("docs: the examples of programs that use the library run from another folder; they, all examples and all of the project have sound types", async () => {
  const programs = await examplesOf("library.md");
  const [command] = fencesOf(await Deno.readTextFile(`${repository}docs/library.md`), "sh");
  const folder = await Deno.makeTempDir({ prefix: "docs" });
  try {
    await Deno.symlink(repository.slice(0, -1), `${folder}/harness`);
    const [word, ...args] = command!.trim().split(" ");
    assertEquals(word, "deno");
    const outputs = [];
    const files = programs.map((_, i) => `program_${i}.ts`);
    for (const [i, file] of files.entries()) await Deno.writeTextFile(`${folder}/${file}`, programs[i]!);
    const outside = [];
    for (const page of ["adding-a-method.md", "adding-a-task.md", "models.md"]) {
      outside.push(...await examplesOf(page));
    }
    // What a file adds within the project is a snippet, and checked there.
    const whole = outside.filter((example) => example.includes('"@equivalent-gradient/harness"'));
    assert(whole.length >= 4);
    for (const [i, example] of whole.entries()) {
      await Deno.writeTextFile(`${folder}/example_${i}.ts`, example);
    }
    const examples = whole.map((_, i) => `example_${i}.ts`);
    // All of the project at once: ./run test looks at no types itself, which would keep every other test waiting.
    const written = [...files, ...examples].map((file) => `${folder}/${file}`);
    await deno(repository, "check", "--config", "deno.json", ".", ...written);
    for (const program of programs) {
      await Deno.writeTextFile(`${folder}/my_run.ts`, program);
      const writes = /runSweep|settle\(|writeTextFile/.test(program) ? ["--allow-write"] : [];
      outputs.push(await deno(folder, ...args.toSpliced(-1, 0, ...writes)));
    }
    const [run, own, sweep, data, question] = outputs;
    assertEquals(outputs.length, 5);
    assert(Number(run) >= 0 && Number(own) >= 0);
    assertStringIncludes(
      sweep!,
      "2 runs\nlora: done\nlora-pro: done\n2 results in results/report/index.html: ",
    );
    assertStringIncludes(
      data!,
      '1 runs: "reviews" is of reviews.csv: "review" with "stars", one of 2 classes',
    );
    assert(/: 2 verdicts\n$/.test(question!), question);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

test("docs: every link leads to a page and a heading that are there, and README is short", async () => {
  const all = await pages();
  const headings = new Map(
    Array.from(all, ([name, text]) => {
      const prose = text.replaceAll(/^```.*?^```$/gms, "");
      return [name, new Set(Array.from(prose.matchAll(/^#+ (.*)$/gm), ([, heading]) => anchorOf(heading!)))];
    }),
  );
  for (const [name, text] of all) {
    for (const [, link] of text.replaceAll(/^```.*?^```$/gms, "").matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(link!)) continue;
      const [path, anchor] = link!.split("#") as [string, string?];
      const target = path === "" ? name : new URL(path, `file:///${name}`).pathname.slice(1);
      await Deno.stat(`${repository}${target}`).catch(() => assert(false, `${name} links to ${link}`));
      if (anchor !== undefined) assert(headings.get(target)?.has(anchor), `${name} links to ${link}`);
    }
  }
  assertLess(all.get("README.md")!.split("\n").length, 200);
});

test("docs: every ./run command has a task that is there, with options and names that it takes", async () => {
  const config = JSON.parse(await Deno.readTextFile(`${repository}deno.json`));
  const sweeps = new Set((await listSweeps()).map(({ id }) => id));
  let count = 0;
  for (const [name, text] of await pages()) {
    const lines = fencesOf(text, "sh").flatMap((fence) => fence.split("\n"));
    const quoted = Array.from(
      text.matchAll(/`(\.\/run [^`]+)`/g),
      ([, command]) => command!.replaceAll("\n", " "),
    );
    for (const line of [...lines, ...quoted]) {
      const [, command] = /(?:^|\s)\.\/run (.*?)(?:\s+#.*)?$/.exec(line) ?? [];
      // "./run" alone lists the commands.
      if (command === undefined || command === "") continue;
      const [task, ...args] = command.split(" | ")[0]!.replaceAll("…", "").split(/\s+/).filter((word) =>
        word !== ""
      );
      count++;
      assert(Object.hasOwn(config.tasks, task!), `${name}: ${line}`);
      if (!isCommand(task!)) continue;
      const { texts, positional } = readArguments(task, args);
      const known: Record<string, Record<string, { id: string }>> = {
        tasks: shipped.tasks,
        optimizers: shipped.optimizers,
      };
      for (const kind of ["tasks", "optimizers"]) {
        const ids = new Set(Object.values(known[kind]!).map(({ id }) => id));
        for (const id of texts.get(kind)?.split(",") ?? []) {
          // Examples of adding something name what is not there yet.
          assert(
            ids.has(id) || name.includes("adding") || id === "mine" || id === "TASK",
            `${name}: ${line}`,
          );
        }
      }
      const [sweep] = positional;
      if (task === "bench" && sweep !== undefined && !/[/.]|NAME/.test(sweep)) {
        assert(sweeps.has(sweep), `${name}: ${line}`);
      }
    }
  }
  assert(count > 40, `${count}`);
});

test("docs: the page of the architecture and its picture name every room that there is", async () => {
  const rooms: string[] = [];
  for (const folder of ["", "benchmarks/"]) {
    for await (const { name, isDirectory } of Deno.readDir(`${repository}${folder}`)) {
      const isMade = /^(\..*|results|reports|checked|tuning|node_modules|coverage|docs|shared)$/.test(name);
      if (isDirectory && !isMade) rooms.push(name);
    }
  }
  const page = await Deno.readTextFile(`${repository}docs/architecture.md`);
  assert(rooms.length > 15, rooms.join());
  assertEquals(rooms.filter((room) => !page.includes(`\`${room}\``)), []);
  // Of these the picture says nothing: they hold data, tests or stand-ins.
  const others = ["std", "sweeps", "recorded"];
  const picture = await Deno.readTextFile(`${repository}docs/architecture.svg`);
  assertEquals(rooms.filter((room) => !others.includes(room) && !picture.includes(`${room}/`)), []);
});

test("docs: folders and files of the project that pages name are there", async () => {
  const roots = new Set((await Array.fromAsync(Deno.readDir(repository))).map(({ name }) => name));
  const missing: string[] = [];
  for (const [name, text] of await pages()) {
    for (const [, path] of text.replaceAll(/^```.*?^```$/gms, "").matchAll(/`([\w.-]+\/[\w./-]*)`/g)) {
      // What runs leave behind, and what the example of a page adds.
      const [root] = path!.split("/");
      if (!roots.has(root!) || /^(results|checked|tuning|coverage|docs|node_modules)$/.test(root!)) continue;
      if (name.includes("adding-a-")) continue;
      if (!await Deno.stat(`${repository}${path}`).catch(() => null)) missing.push(`${name}: ${path}`);
    }
  }
  assertEquals(missing, []);
});
