/** @file Who may import whom: the table below is the rule, and every file of the repository is held to it. */
import { assertEquals, assertGreater } from "@std/assert";

const everything = [
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

const optimizers = [
  "numerics",
  "type gpu",
  "gpu/tensor.ts",
  "kernels/mod.ts",
  "autodiff",
  "type models/model.ts",
];

/**
 * What the files of a folder may import beside that folder's own: folders and files. Behind "type " only types.
 * The longest entry that a file's path begins with counts; `*` is any folder. Tests (`_test.ts`), benches (`_bench.ts`) and
 * `tests/` may import all, and only they may import from `tests/`.
 */
const allowed: Readonly<Record<string, readonly string[]>> = {
  std: [],
  numerics: [],
  gpu: ["numerics"],
  kernels: ["numerics", "gpu"],
  autodiff: ["numerics", "gpu", "kernels/mod.ts"],
  // gpu/tensor.ts is plain data: sizes and shapes, no device.
  models: ["numerics", "type gpu", "gpu/tensor.ts", "autodiff"],
  optimizers,
  // A method with kernels of its own is a folder.
  "optimizers/*": [...optimizers, "gpu", "kernels/wgsl"],
  tasks: ["numerics", "models/model.ts"],
  training: ["numerics", "gpu", "kernels/mod.ts", "autodiff", "models", "optimizers", "tasks"],
  // models/architecture.ts counts, models/weight_kind.ts reads names: neither makes a model.
  benchmarks: [
    ...[
      "numerics",
      "training",
      "models/mod.ts",
      "models/architecture.ts",
      "models/weight_kind.ts",
      "optimizers/mod.ts",
      "tasks/mod.ts",
      // Counts in words.
      "tasks/data/read_record.ts",
    ],
    ...["type models/model.ts", "type optimizers/optimizer.ts", "type tasks/task.ts"],
  ],
  "benchmarks/tune.ts": ["type gpu", "kernels/mod.ts", "type models/entry.ts"],
  "benchmarks/peers": everything,
  "cli.ts": everything,
  "launch.ts": ["deno.json", "benchmarks/commands.ts", "training/user_error.ts"],
  "mod.ts": everything,
};

/** Lists of ids: looked up by training and listed by benchmarks, so that nothing below depends on what there is. */
const registries = ["models/mod.ts", "optimizers/mod.ts", "tasks/mod.ts", "benchmarks/report/charts/mod.ts"];
const registryUsers = ["training", "benchmarks", "cli.ts", "mod.ts"];

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

/** What is wrong with a file's imports, a sentence each. `file` is a path from the repository's root. */
function faultsOf(file: string, source: string): string[] {
  if (isIn(file, "tests") || isTest(file)) return [];
  const row = Object.keys(allowed).filter((prefix) => isIn(file, prefix) || isInFolderOf(file, prefix))
    .sort((a, b) => b.length - a.length)[0];
  if (row === undefined) return [`${file} is in no row of the table`];
  return importsOf(source).filter(({ specifier }) => specifier.startsWith(".")).flatMap(
    ({ specifier, isType }) => {
      const target = new URL(specifier, `file:///${file}`).pathname.slice(1);
      const isAllowed = allowed[row]!.some((entry) =>
        entry.startsWith("type ") ? isType && isIn(target, entry.slice("type ".length)) : isIn(target, entry)
      );
      const isOwn = target.split("/")[0] === file.split("/")[0];
      const isClosed = registries.includes(target) && !registryUsers.some((user) => isIn(file, user));
      if ((isOwn || isAllowed) && !isClosed && !isTest(target)) return [];
      return [`${file} may not import ${isType ? "types from " : ""}${target}`];
    },
  );
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

/** Paths of all sources below a folder, from the repository's root. */
async function sourcesIn(folder: string): Promise<string[]> {
  const ignored = ["node_modules", "results", "reports", "coverage"];
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(new URL(`../${folder}`, import.meta.url))) {
    if (name.startsWith(".") || ignored.includes(name)) continue;
    if (isDirectory) found.push(...await sourcesIn(`${folder}${name}/`));
    else if (/\.(ts|js|mjs)$/.test(name)) found.push(`${folder}${name}`);
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
    value("training/train.ts", "../optimizers/mod.ts"),
    value("benchmarks/sweep.ts", "../optimizers/mod.ts"),
    type("benchmarks/report/build.ts", "../../tasks/task.ts"),
    value("benchmarks/report/build.ts", "./charts/mod.ts"),
    value("benchmarks/kernels_bench.ts", "../gpu/gpu.ts"),
    value("models/decoder_test.ts", "../tests/assert_close.ts"),
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
    type("training/train.ts", "../benchmarks/store.ts"),
    type("benchmarks/sweep.ts", "../gpu/tensor.ts"),
    value("benchmarks/sweep.ts", "../tasks/task.ts"),
    value("kernels/matmul/matmul.ts", "../../tests/assert_close.ts"),
    value("kernels/matmul/matmul.ts", "../norm/norm_test.ts"),
    value("std/assert/assertions.ts", "../../gpu/gpu.ts"),
    value("helpers/all.ts", "./other.ts"),
  ];
  assertEquals(mayNot, mayNot.map(() => false));
});

Deno.test("Every file imports only what its folder may", async () => {
  const files = await sourcesIn("");
  assertGreater(files.length, 20);
  const faults = await Promise.all(
    files.map(async (file) =>
      faultsOf(file, await Deno.readTextFile(new URL(`../${file}`, import.meta.url)))
    ),
  );
  assertEquals(faults.flat(), []);
});
