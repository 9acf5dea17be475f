import { assert, assertEquals, assertRejects } from "@std/assert";
import { MATMUL_VARIANTS, shapeClassOf } from "../../kernels/mod.ts";
import * as models from "../../models/mod.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import { UserError } from "../../errors/user_error.ts";
import { autotune, productsOf } from "./autotune.ts";
import { readTuning, type Tuning, tuningPath, writeTuning } from "./tuning.ts";

const test = testNeeding(FILES);

const tuning: Tuning = {
  schema: 1,
  adapter: "Made-up (LLVM 19, 256 bits)",
  deno: "2.9.6",
  products: { "nt 4x4x4 abc": { variant: "tiled", rule: "staged", microseconds: { tiled: 1, staged: 2 } } },
};

const known = { products: MATMUL_VARIANTS, subgroups: ["norm"] };

async function inFolder(work: (folder: URL) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await work(new URL(`file://${folder}/tuning/`));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

test("readTuning() reads what writeTuning() wrote, for the same adapter and Deno alone", async () => {
  await inFolder(async (folder) => {
    assertEquals(await readTuning(tuning, known, folder), null);
    const path = await writeTuning(tuning, folder);
    assertEquals(path, `${decodeURIComponent(folder.pathname)}made-up-llvm-19-256-bits-deno-2.9.6.json`);
    assertEquals(await readTuning(tuning, known, folder), tuning);
    // The first has the same file name.
    for (const other of [{ adapter: "Made-up [LLVM 19, 256 bits]" }, { deno: "3.0.0" }]) {
      assertEquals(await readTuning({ ...tuning, ...other }, known, folder), null);
    }
  });
});

test("readTuning() refuses an unknown variant by name, and files that are no tuning", async () => {
  await inFolder(async (folder) => {
    const path = await writeTuning(tuning, folder);
    await assertRejects(
      () => readTuning(tuning, { ...known, products: ["staged"] }, folder),
      UserError,
      `Cannot use ${path}: products "nt 4x4x4 abc" name variant "tiled", known are staged`,
    );
    const choice = { variant: "subgroups", rule: "lanes", microseconds: { lanes: 2, subgroups: 1 } } as const;
    const withSums = { ...tuning, subgroups: { norm: choice } };
    await writeTuning(withSums, folder);
    assertEquals(await readTuning(tuning, known, folder), withSums);
    await writeTuning({ ...tuning, subgroups: { norms: choice } }, folder);
    await assertRejects(
      () => readTuning(tuning, known, folder),
      UserError,
      `Cannot use ${path}: subgroups name kernel "norms", known are norm (`,
    );
    await Deno.writeTextFile(path, JSON.stringify({ ...tuning, products: 3 }));
    await assertRejects(
      () => readTuning(tuning, known, folder),
      UserError,
      `Cannot read ${path}: `,
    );
    await Deno.writeTextFile(path, "{");
    await assertRejects(
      () => readTuning(tuning, known, folder),
      UserError,
      `Cannot read ${path}: `,
    );
    assertEquals(tuningPath(tuning, folder), path);
  });
});

Deno.test("productsOf() lists the products of the shipped models, each class once", () => {
  const shapes = productsOf(Object.values(models)), classes = shapes.map(shapeClassOf);
  assertEquals(new Set(classes).size, classes.length);
  for (
    const wanted of ["nt 1024x64x64 abc", "nn 512x256x64 abc half", "tn 64x1024x8 abc", "nt 1024x64x2 ab-"]
  ) {
    assert(classes.includes(wanted), wanted);
  }
});

Deno.test("autotune() times every variant on every shape and chooses the fastest, or the rule's", async () => {
  const gpu = await testGpu(), before = gpu.memory.liveBytes;
  const shapes = [
    { layout: "nt", batch: 1, rows: 70, inner: 64, columns: 64, typeB: "f32" },
    { layout: "nn", batch: 1, rows: 5, inner: 8, columns: 4, typeB: "f16" },
    { layout: "nt", batch: 1, rows: 9, inner: 70, columns: 6, typeB: "nf4" },
  ] as const;
  const seen: number[] = [];
  const { adapter, products } = await autotune(gpu, shapes, ({ done }) => seen.push(done));
  assertEquals([adapter, seen, gpu.memory.liveBytes], [gpu.info.adapter, [1, 2, 3], before]);
  assertEquals(Object.keys(products), shapes.map(shapeClassOf));
  for (const { variant, rule, microseconds } of Object.values(products)) {
    assertEquals(Object.keys(microseconds), [...MATMUL_VARIANTS]);
    assert(variant === rule || microseconds[variant]! === Math.min(...Object.values(microseconds)));
  }
});
