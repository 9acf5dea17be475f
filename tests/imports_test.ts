/** @file Who may import whom: the table below is the rule, and every file of the repository is held to it. */
import { assertEquals, assertGreater } from "@std/assert";
import { READING, testNeeding } from "./support/test_needing.ts";

const test = testNeeding(READING);

const everything = [
  "system",
  "errors",
  "files",
  "numerics",
  "gpu",
  "kernels",
  "autodiff",
  "models",
  "optimizers",
  "tasks",
  "training",
  "benchmarks",
];

/** What every room of `benchmarks/` may import: what trains runs, and the lists of what there is. */
const runs = [
  ...["system", "errors", "files", "numerics", "training"],
  // models/architecture.ts counts, models/weight_kind.ts reads names: neither makes a model.
  ...["models/architecture.ts", "models/weight_kind.ts"],
  // Counts in words.
  "tasks/data/read_record.ts",
  ...["type models/model.ts", "type optimizers/optimizer.ts", "type tasks/task.ts"],
];
/** What runs a sweep: its plan, the rates that it runs at, what it will cost. */
const sweeping = ["benchmarks/sweep", "benchmarks/rates", "benchmarks/cost", "benchmarks/statistics"];

const optimizers = [
  ...[
    "errors",
    "numerics",
    "type gpu",
    "gpu/tensor.ts",
    "kernels/mod.ts",
    "autodiff",
    "type models/model.ts",
    // What a map or a parameter is for, by its name.
    "models/weight_kind.ts",
    "type models/parameter_kind.ts",
  ],
  "optimizers",
];

/**
 * What the files of a room may import beside that room's own: folders and files. Behind "type " only types. The longest
 * entry that a file's path begins with is its room; `*` is any folder. Tests (`_test.ts`), benches (`_bench.ts`) and
 * `tests/` may import all, and only they may import from `tests/`.
 */
const allowed: Readonly<Record<string, readonly string[]>> = {
  std: [],
  system: [],
  errors: ["system"],
  numerics: [],
  files: ["system", "errors"],
  hub: ["errors", "files"],
  gpu: ["system", "errors", "numerics"],
  kernels: ["errors", "numerics", "gpu"],
  autodiff: ["errors", "numerics", "gpu", "kernels/mod.ts"],
  // gpu/tensor.ts is plain data: sizes and shapes, no device.
  models: ["system", "errors", "files", "numerics", "type gpu", "gpu/tensor.ts", "autodiff"],
  optimizers,
  // A method with kernels of its own is a folder.
  "optimizers/*": [...optimizers, "gpu", "kernels/wgsl"],
  tasks: ["system", "errors", "files", "numerics", "models/model.ts"],
  training: [
    "system",
    "errors",
    "files",
    "numerics",
    "gpu",
    "kernels/mod.ts",
    "autodiff",
    "models",
    "optimizers",
    "tasks",
  ],
  // The door for programs.
  "benchmarks/mod.ts": everything,
  "benchmarks/statistics": ["numerics"],
  "benchmarks/sweep": [...runs, ...sweeping],
  "benchmarks/rates": [...runs, ...sweeping],
  "benchmarks/cost": [...runs, ...sweeping],
  "benchmarks/study": [...runs, ...sweeping],
  "benchmarks/report": [...runs, ...sweeping, "benchmarks/study"],
  "benchmarks/watch": [...runs, ...sweeping, "benchmarks/study", "benchmarks/report"],
  "benchmarks/performance": [
    ...["system", "errors", "files", "numerics", "training", "type gpu", "kernels/mod.ts"],
    ...["type models/entry.ts", "benchmarks/statistics"],
  ],
  "benchmarks/performance/peers": everything,
  "benchmarks/performance/ranks": everything,
  "benchmarks/settle": [...runs, ...sweeping, "benchmarks/study", "benchmarks/report"],
  "benchmarks/claims": [
    ...[...runs, ...sweeping, "benchmarks/study", "benchmarks/report", "benchmarks/settle"],
  ],
  "benchmarks/slurm": ["errors", "files", "benchmarks/sweep"],
  "benchmarks/command_line": [
    ...[...runs, ...sweeping],
    ...["benchmarks/study", "benchmarks/report", "benchmarks/settle", "benchmarks/watch", "benchmarks/slurm"],
    "benchmarks/claims",
    // What may be said of data of the user's.
    "tasks/own/layout.ts",
    ...[
      "benchmarks/performance/tuning.ts",
      "type benchmarks/performance",
      "type contract",
      "type hub",
      "type gpu",
    ],
  ],
  // What writes their tables.
  docs: [...runs, ...sweeping, "benchmarks/claims"],
  contract: [
    ...[
      "errors",
      "numerics",
      "gpu",
      "kernels/mod.ts",
      "autodiff",
      "models",
      "optimizers",
      "tasks",
      "training",
    ],
  ],
  site: everything,
  "cli.ts": [...everything, "contract", "hub", "site"],
  "launch.ts": [
    ...["deno.json", "errors", "files/fetched.ts", "files/hub_place.ts", "files/npm_place.ts"],
    ...["benchmarks/command_line/commands.ts", "benchmarks/command_line/terminal.ts"],
    ...["contract/adapter/kernel_tests.ts"],
  ],
  "mod.ts": everything,
};

/** Lists of what there is: one file knows those of tasks, models and methods, and everything else is handed them. */
const registries = ["models/mod.ts", "optimizers/mod.ts", "tasks/mod.ts", "benchmarks/report/charts/mod.ts"];
const registryUsers = [
  "training/shipped.ts",
  "benchmarks/report",
  "benchmarks/performance/peers",
  "benchmarks/performance/ranks",
  "mod.ts",
];

interface Import {
  readonly specifier: string;
  readonly isType: boolean;
}

/** The imports of a source with a literal specifier: static, re-exported and dynamic. */
function importsOf(source: string): Import[] {
  const statements = source.matchAll(
    /^[ \t]*(?:import|export)\s+(?:(?<clause>[^"'();=]*?)\s*\bfrom\s*)?["'](?<specifier>[^"']+)["']/gm,
  );
  const dynamic = source.matchAll(/\bimport\(\s*["'](?<specifier>[^"']+)["']/g);
  return [...statements, ...dynamic].map(({ groups }) => {
    const { clause = "", specifier = "" } = groups ?? {};
    const names = /^\{(?<names>[^}]*)\}$/s.exec(clause)?.groups?.names?.split(",").filter((name) =>
      name.trim() !== ""
    );
    const isType = /^type\b/.test(clause) || (names?.every((name) => /^\s*type\s/.test(name)) ?? false);
    return { specifier, isType };
  });
}

/** The room that a path is in: the longest entry of the table that it begins with; null where it is in none. */
function roomOf(path: string): string | null {
  return Object.keys(allowed).filter((prefix) => isIn(path, prefix) || isInFolderOf(path, prefix))
    .sort((a, b) => b.length - a.length)[0] ?? null;
}

/** What a file imports of the repository, paths from its root. */
function targetsOf(file: string, source: string): { readonly target: string; readonly isType: boolean }[] {
  return importsOf(source).filter(({ specifier }) => specifier.startsWith(".")).map((
    { specifier, isType },
  ) => ({
    target: new URL(specifier, `file:///${file}`).pathname.slice(1),
    isType,
  }));
}

/** What is wrong with a file's imports, a sentence each. `file` is a path from the repository's root. */
function faultsOf(file: string, source: string): string[] {
  if (isIn(file, "tests") || isTest(file)) return [];
  const room = roomOf(file);
  if (room === null) return [`${file} is in no row of the table`];
  return targetsOf(file, source).flatMap(({ target, isType }) => {
    const isAllowed = allowed[room]!.some((entry) =>
      entry.startsWith("type ") ? isType && isIn(target, entry.slice("type ".length)) : isIn(target, entry)
    );
    const isOwn = roomOf(target) === room;
    const isClosed = registries.includes(target) && !registryUsers.some((user) => isIn(file, user));
    if ((isOwn || isAllowed) && !isClosed && !isTest(target)) return [];
    return [`${file} may not import ${isType ? "types from " : ""}${target}`];
  });
}

/** Circles of files that import each other, types included, each as "a.ts → b.ts → a.ts". */
function circlesOf(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const circles: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, trail: readonly string[]) => {
    const before = trail.indexOf(file);
    if (before >= 0) circles.push([...trail.slice(before), file].join(" → "));
    if (before >= 0 || done.has(file)) return;
    for (const target of imports.get(file) ?? []) visit(target, [...trail, file]);
    done.add(file);
  };
  for (const file of imports.keys()) visit(file, []);
  return circles;
}

function isIn(path: string, folderOrFile: string): boolean {
  return path === folderOrFile || path.startsWith(`${folderOrFile}/`);
}

/** Whether a file lies in a folder of a row such as "optimizers/*". */
function isInFolderOf(path: string, row: string): boolean {
  return row.endsWith("/*") && path.startsWith(row.slice(0, -1)) &&
    path.split("/").length > row.split("/").length;
}

function isTest(path: string): boolean {
  return /_(test|bench)\.ts$/.test(path);
}

/** Paths of all files below a folder, from the repository's root, without what runs leave behind. */
async function filesIn(folder: string): Promise<string[]> {
  const ignored = ["node_modules", "results", "reports", "tuning", "coverage"];
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(new URL(`../${folder}`, import.meta.url))) {
    if (name.startsWith(".") || ignored.includes(name)) continue;
    if (isDirectory) found.push(...await filesIn(`${folder}${name}/`));
    else found.push(`${folder}${name}`);
  }
  return found;
}

Deno.test("importsOf() sees every form of import, and which bring only types", () => {
  const forms: [string, string, boolean][] = [
    ['import { a } from "./a.ts";', "./a.ts", false],
    ['import a, { type B } from "./a.ts";', "./a.ts", false],
    ['import * as a from "./a.ts";', "./a.ts", false],
    ["import './a.ts';", "./a.ts", false],
    ['import {\n  a,\n  type B,\n} from "./a.ts";', "./a.ts", false],
    ['import text from "./a.wgsl" with { type: "text" };', "./a.wgsl", false],
    ['export * from "./a.ts";', "./a.ts", false],
    ['export { a as b } from "./a.ts";', "./a.ts", false],
    ['const { a } = await import("./a.ts");', "./a.ts", false],
    ['import type { A } from "./a.ts";', "./a.ts", true],
    ['import type A from "./a.ts";', "./a.ts", true],
    ['import { type A, type B } from "./a.ts";', "./a.ts", true],
    ['import {\n  type A,\n  type B,\n} from "./a.ts";', "./a.ts", true],
    ['export type { A } from "./a.ts";', "./a.ts", true],
    ['import { typeOf } from "./a.ts";', "./a.ts", false],
  ];
  for (const [source, specifier, isType] of forms) {
    assertEquals(
      importsOf(`const before = 1;\n${source}\nconst after = "x";\n`),
      [{ specifier, isType }],
      source,
    );
  }
  assertEquals(
    importsOf('/**\n * import { a } from "./a.ts";\n */\nexport const from = "./b.ts";\n// from "./c.ts"'),
    [],
  );
});

Deno.test("faultsOf() holds each folder to its row, types apart from values, and registries to their users", () => {
  const value = (file: string, target: string) =>
    faultsOf(file, `import { a } from "${target}";`).length === 0;
  const type = (file: string, target: string) =>
    faultsOf(file, `import type { A } from "${target}";`).length === 0;
  const may = [
    value("kernels/matmul/matmul.ts", "../../gpu/gpu.ts"),
    value("kernels/matmul/matmul.ts", "../wgsl/rows.ts"),
    value("autodiff/ops/matmul.ts", "../../kernels/mod.ts"),
    value("autodiff/ops/matmul.ts", "../tape.ts"),
    value("gpu/gpu.ts", "../numerics/random.ts"),
    type("models/decoder.ts", "../gpu/gpu.ts"),
    value("models/decoder.ts", "../gpu/tensor.ts"),
    type("optimizers/lora.ts", "../models/model.ts"),
    value("optimizers/dora/magnitude.ts", "../../gpu/kernel.ts"),
    value("optimizers/dora/magnitude.ts", "../../kernels/wgsl/rows.ts"),
    value("optimizers/lora_ga_pro.ts", "./lora_pro/lora_pro.ts"),
    value("tasks/math.ts", "../models/model.ts"),
    value("training/shipped.ts", "../optimizers/mod.ts"),
    type("benchmarks/report/build.ts", "../../tasks/task.ts"),
    value("benchmarks/report/build.ts", "./charts/mod.ts"),
    value("benchmarks/sweep/runner.ts", "../cost/estimate.ts"),
    value("benchmarks/watch/shell.ts", "../report/format.ts"),
    value("benchmarks/performance/kernels_bench.ts", "../../gpu/gpu.ts"),
    value("models/decoder_test.ts", "../tests/support/assert_close.ts"),
    value("cli.ts", "./benchmarks/runner.ts"),
  ];
  assertEquals(may, may.map(() => true));
  const mayNot = [
    value("gpu/gpu.ts", "../kernels/mod.ts"),
    type("gpu/gpu.ts", "../kernels/mod.ts"),
    value("numerics/svd.ts", "../gpu/tensor.ts"),
    value("models/decoder.ts", "../gpu/gpu.ts"),
    value("models/decoder.ts", "../kernels/mod.ts"),
    value("kernels/matmul/matmul.ts", "../../optimizers/dora/magnitude.ts"),
    value("autodiff/ops/matmul.ts", "../../kernels/matmul/matmul.ts"),
    value("optimizers/lora.ts", "../models/model.ts"),
    type("optimizers/lora.ts", "../models/decoder.ts"),
    value("optimizers/lora.ts", "../gpu/kernel.ts"),
    value("optimizers/lora.ts", "../kernels/wgsl/rows.ts"),
    value("optimizers/dora/magnitude.ts", "../../kernels/linalg/tall_matrices.ts"),
    value("optimizers/dora/dora.ts", "../../models/model.ts"),
    type("tasks/math.ts", "../gpu/tensor.ts"),
    value("tasks/math.ts", "./mod.ts"),
    value("models/decoder.ts", "./mod.ts"),
    type("training/train.ts", "../benchmarks/sweep/store.ts"),
    value("training/train.ts", "../optimizers/mod.ts"),
    value("benchmarks/sweep/sweep.ts", "../../optimizers/mod.ts"),
    value("cli.ts", "./models/mod.ts"),
    value("benchmarks/statistics/statistics.ts", "../sweep/plan.ts"),
    type("benchmarks/sweep/runner.ts", "../report/report.ts"),
    type("benchmarks/report/build.ts", "../watch/shell.ts"),
    value("benchmarks/sweep/runner.ts", "../command_line/bench.ts"),
    type("benchmarks/sweep/sweep.ts", "../../gpu/tensor.ts"),
    value("benchmarks/sweep/sweep.ts", "../../tasks/task.ts"),
    value("kernels/matmul/matmul.ts", "../../tests/support/assert_close.ts"),
    value("kernels/matmul/matmul.ts", "../norm/norm_test.ts"),
    value("std/assert/assertions.ts", "../../gpu/gpu.ts"),
    value("helpers/all.ts", "./other.ts"),
  ];
  assertEquals(mayNot, mayNot.map(() => false));
});

Deno.test("circlesOf() tells files that import each other, in a ring of any length, and passes what only meets again", () => {
  const rings = circlesOf(
    new Map([["a", ["b", "d"]], ["b", ["c"]], ["c", ["a", "d"]], ["d", []], ["e", ["e"]], ["f", ["a"]]]),
  );
  assertEquals(rings, ["a → b → c → a", "e → e"]);
  assertEquals(circlesOf(new Map([["a", ["b", "c"]], ["b", ["d"]], ["c", ["d"]], ["d", []]])), []);
});

/** Every source of the repository. */
async function readSources(): Promise<{ readonly file: string; readonly source: string }[]> {
  const files = (await filesIn("")).filter((file) => /\.(ts|js|mjs)$/.test(file));
  return await Promise.all(files.map(async (file) => ({
    file,
    source: await Deno.readTextFile(new URL(`../${file}`, import.meta.url)),
  })));
}

test("Every file imports only what its room may", async () => {
  const sources = await readSources();
  assertGreater(sources.length, 20);
  assertEquals(sources.flatMap(({ file, source }) => faultsOf(file, source)), []);
});

test("No files import each other in a circle, types included", async () => {
  const imports = (await readSources()).map(({ file, source }): [string, string[]] => [
    file,
    targetsOf(file, source).map(({ target }) => target),
  ]);
  assertEquals(circlesOf(new Map(imports)), []);
});

test("No folder holds more than 35 files", async () => {
  const folders = Map.groupBy(await filesIn(""), (path) => path.slice(0, Math.max(0, path.lastIndexOf("/"))));
  assertEquals(
    [...folders].filter(([, inside]) => inside.length > 35).map((
      [folder],
    ) => folder),
    [],
  );
});

/** What browsers never get to: commands, what reads files of the user's, what writes for others, what shares a folder. */
const forDenoAlone = [
  ...[
    "cli.ts",
    "launch.ts",
    "contract/",
    "docs/",
    "hub/",
    "site/build.ts",
    "site/lower.ts",
    "system/deno.ts",
    "tests/",
    "std/",
  ],
  ...["command_line", "performance", "slurm", "watch"].map((room) => `benchmarks/${room}/`),
  ...["exports/", "gallery.ts", "look.ts", "page/scripts.ts"].map((name) => `benchmarks/report/${name}`),
  ...["claims.ts", "live.ts", "worker.ts"].map((name) => `benchmarks/sweep/${name}`),
  ...[
    "benchmarks/statistics/make_bounds.ts",
    "files/fetched.ts",
    "files/file_hash.ts",
  ],
  ...[
    "models/checkpoints/",
    "tasks/code/python_sandbox.ts",
    "tasks/code/system_calls.ts",
    "tasks/data/",
    "tasks/mails/",
    "tasks/text/",
  ],
  ...[
    "training/export/",
    "training/pretrain.ts",
    "training/resolve/modules.ts",
    "training/resolve/retained_text.ts",
  ],
];

test("What runs in a browser asks system/, and never Deno itself", async () => {
  const asking = (await readSources()).filter(({ file, source }) =>
    !/_(test|bench)\.ts$/.test(file) && !forDenoAlone.some((place) => file.startsWith(place)) &&
    /\bDeno\.[a-zA-Z]/.test(source)
  );
  assertEquals(asking.map(({ file }) => file), []);
});
