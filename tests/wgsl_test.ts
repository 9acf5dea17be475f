/** @file Every kernel is launched once, compiles, and its spec says what its WGSL says. */
import { assert, assertEquals, assertGreater } from "@std/assert";
import { evaluate } from "mathjs";
import type { Gpu, Kernel, KernelSpec, Launch } from "../gpu/mod.ts";
import * as kernels from "../kernels/mod.ts";
import { testGpu } from "./test_gpu.ts";

type Constants = Readonly<Record<string, number | boolean>>;

/** A kernel that was launched, with each set of constants that it was launched with. */
interface Seen {
  readonly spec: KernelSpec;
  readonly constants: Constants[];
}

/** Launches every kernel of the repository at least once, each through its launcher. */
function launchAll(gpu: Gpu): void {
  const tensor = (...shape: number[]) => gpu.zeros(shape, "x");
  const words = (...values: number[]) =>
    gpu.upload(Uint32Array.from(values), "u32", [values.length], "words");
  const x = tensor(4, 8), y = tensor(4, 8), row = tensor(8), one = tensor(1);

  kernels.add(gpu, x, y);
  kernels.addRow(gpu, tensor(4, 3), tensor(3));
  kernels.accumulate(gpu, x, y);
  for (const kind of ["gelu", "gelu-tanh", "quick-gelu", "relu"] as const) {
    kernels.activation(gpu, x, kind);
    kernels.activationBackward(gpu, x, y, kind, tensor(4, 8), false);
  }
  kernels.swiglu(gpu, x, y);
  kernels.swigluBackward(gpu, x, y, tensor(4, 8));
  kernels.geglu(gpu, x, y);
  kernels.gegluBackward(gpu, x, y, tensor(4, 8));
  kernels.relativeBiasBackward(gpu, kernels.relativeBias(gpu, x, 2, 3), tensor(4, 8), false);
  // Rows of one head of 8, read as vectors, and of two heads of 3, element by element.
  for (const [heads, size] of [[1, 8], [2, 3]] as const) {
    for (const all of [false, true]) {
      const shape = { queries: 2, keys: 2, heads, keyValueHeads: 1, size, causal: all, scale: 1 };
      const sizes = {
        ...shape,
        ...(all && size % 2 === 0 ? { angles: tensor(2, size / 2, 2) } : {}),
        ...(all ? { mask: words(1, 1, 1, 0), bias: tensor(heads, 2, 2) } : {}),
      };
      const q = tensor(4, heads * size), k = tensor(4, size), v = tensor(4, size);
      const result = kernels.attention(gpu, q, k, v, sizes);
      const to = (...shape: number[]) => ({ into: tensor(...shape), accumulate: false });
      kernels.attentionBackward(gpu, q, k, v, result, q, sizes, {
        ...{ q: to(4, heads * size), k: to(4, size), v: to(4, size), bias: all ? to(heads, 2, 2) : null },
      });
    }
  }
  kernels.sparseRows(gpu, x, { rows: 1, offsets: words(0, 1), sources: words(2) });
  kernels.keepRows(gpu, x, words(3, 1, 0, 2), tensor(5, 8));
  kernels.keepRows(gpu, x, words(3, 1, 0, 2), tensor(5, 8), {
    positions: words(0, 0, 1, 1),
    angles: tensor(2, 2, 2),
  });
  kernels.columnSum(gpu, x, { into: row, accumulate: false });
  kernels.columnSum(gpu, x, { into: row, accumulate: true, normalized: { x: y, statistics: tensor(4, 2) } });
  kernels.dotInto(gpu, x, y, one);
  kernels.createComparisons(gpu, 1).add(x, y);
  for (const lanes of [1, 4, 64]) {
    for (const center of [false, true]) {
      const options = { epsilon: 1e-5, center, lanes };
      const { statistics } = kernels.norm(gpu, x, row, center ? tensor(8) : null, options);
      kernels.addNorm(gpu, x, y, row, center ? tensor(8) : null, options);
      kernels.normBackward(gpu, y, x, row, statistics, { ...options, into: tensor(4, 8), accumulate: false });
    }
    const targets = gpu.upload(Int32Array.of(0, 1, -100, 7), "i32", [4], "targets");
    kernels.crossEntropyBackward(
      gpu,
      x,
      targets,
      kernels.crossEntropy(gpu, x, targets, 3, { lanes }).normalizers,
      3,
      one,
    );
  }
  kernels.toFloat(gpu, kernels.toHalf(gpu, x));
  // Rows of whole vectors take the twins of these kernels; these rows take the kernels themselves.
  const odd = tensor(4, 7), oddRow = tensor(7);
  kernels.sparseRows(gpu, odd, { rows: 1, offsets: words(0, 1), sources: words(2) });
  kernels.columnSum(gpu, odd, { into: oddRow, accumulate: false });
  const { statistics } = kernels.norm(gpu, odd, oddRow, null, { epsilon: 1e-5, center: false });
  kernels.normBackward(gpu, tensor(4, 7), odd, oddRow, statistics, {
    center: false,
    into: tensor(4, 7),
    accumulate: false,
  });
  kernels.addNorm(gpu, odd, tensor(4, 7), oddRow, null, { epsilon: 1e-5, center: false });
  const classes = gpu.upload(Int32Array.of(0, 1, -100, 6), "i32", [4], "targets");
  const { normalizers } = kernels.crossEntropy(gpu, odd, classes, 3);
  kernels.crossEntropyBackward(gpu, odd, classes, normalizers, 3, one);
  kernels.argmax(gpu, odd);
  kernels.argmax(gpu, x);
  kernels.clip(gpu, x, one, 1);
  kernels.recordStep(gpu, { loss: one, squaredNorm: tensor(1), losses: row, diverged: words(0) }, {
    slot: 0,
    step: 1,
  });
  kernels.descend(gpu, x, y, 0.1);
  const update = { step: 1, learningRate: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0 };
  kernels.adamwUpdate(gpu, { parameter: tensor(8), gradient: row, m: tensor(8), v: tensor(8) }, update);

  for (const [rank, columns, lanes] of [[2, 7, 8], [4, 8, 64]] as const) {
    const pair = {
      a: tensor(rank, columns),
      b: tensor(4, rank),
      m: tensor(4, columns),
      v: tensor(4, columns),
      scale: 2,
    };
    const pairs = new kernels.FactorPairs(gpu, [pair], { lanes }), factors = pairs.decompose();
    const raw = { flat: tensor(rank * (columns + 4)), a: 0, b: rank * columns };
    for (const gauge of ["zero", "sylvester", "symmetric"] as const) {
      const damping = { relative: 1e-6, absolute: 0 };
      pairs.updateMoments(factors, pairs.adjustGradients(factors, raw, gauge, damping), 0.9, 0.99);
      const direction = pairs.adjustDirection(
        factors,
        { correction1: 1, correction2: 1, epsilon: 1e-8 },
        gauge,
        damping,
      );
      pairs.capSteps(pairs.turnBack(factors, direction), 0.1, 0.5);
    }
  }

  // Rows of whole vectors and others.
  for (const columns of [8, 7]) {
    const weight = tensor(4, columns), factors = { a: tensor(2, columns), b: tensor(4, 2), scale: 2 };
    for (const lanes of [1, 32]) {
      for (const w of [weight, kernels.toHalf(gpu, weight)]) {
        kernels.rowNorms(gpu, w, factors, tensor(4), { lanes });
      }
      const by = { magnitude: tensor(4), norms: tensor(4) };
      const moves = { change: tensor(4, columns), magnitudeChange: tensor(4) };
      kernels.magnitudeChange(gpu, weight, by, moves, { lanes });
      kernels.scaleRows(gpu, weight, by);
    }
    const by = { magnitude: tensor(columns), norms: tensor(columns) };
    kernels.scaleColumnsBackward(gpu, kernels.scaleColumns(gpu, weight, by), weight, by, {
      x: null,
      magnitude: { into: tensor(columns), accumulate: false },
    });
  }
  const site = { q: tensor(3, 7), p: tensor(4, 3), e: tensor(3) };
  const triplets = new kernels.Triplets(gpu, [site]), values = { flat: tensor(256), p: 64, e: 128 };
  triplets.scaleRows(tensor(3, 7));
  triplets.scaleRows(tensor(3, 7), { site: 0, accumulate: true });
  kernels.scaledRowsBackward(gpu, { ...site, gradient: tensor(3, 7) }, { q: tensor(3, 7), e: tensor(3) });
  triplets.addPenalty(values, triplets.orthogonality(1).grams);
  const betas = { average: 0.85, uncertainty: 0.85 };
  triplets.score(values, tensor(256), tensor(256), null);
  triplets.drop(triplets.score(values, tensor(256), tensor(256), betas), 2, tensor(3));
  for (const lanes of [8, 64]) {
    const b = kernels.tallFactors(gpu, [tensor(4, 3)], "B"), c = { ...b, flat: tensor(4, 3) };
    const { left, v, values } = kernels.thinSvds(gpu, b, lanes), factors = tensor(1);
    const small = kernels.smallProducts(gpu, v, v, { rank: 3, f: "1/(s²+d)", values, factors });
    const other = kernels.smallProducts(gpu, kernels.tallOverlaps(gpu, b, left, lanes), null, {
      ...{ rank: 3, factors },
    });
    kernels.tallProducts(gpu, c, [{ x: b, by: small }, { x: left, by: other }]);
    kernels.tallProducts(
      gpu,
      c,
      [{ x: b, by: kernels.smallProducts(gpu, null, v, { rank: 3, factors }) }],
      0.5,
    );
    kernels.rightSvds(gpu, b, lanes);
    kernels.skipLarge(gpu, c, 1, lanes);
  }

  // Sizes by whose remainders and magnitudes the text of a product is chosen.
  for (const [rows, inner, columns] of [[3, 3, 3], [4, 4, 4], [9, 8, 12], [9, 7, 5], [12, 300, 8]] as const) {
    kernels.matmul(gpu, tensor(rows, inner), tensor(inner, columns));
    kernels.matmul(gpu, tensor(rows, inner), tensor(columns, inner), { transposeB: true });
    kernels.matmul(gpu, tensor(inner, rows), tensor(inner, columns), { transposeA: true });
  }
  for (const variant of kernels.MATMUL_VARIANTS) {
    for (const [transposeB, b, joinedB] of [[false, [8, 12], [2, 12]], [true, [12, 8], [12, 2]]] as const) {
      const half = kernels.toHalf(gpu, tensor(...b));
      kernels.matmulBy(variant, gpu, tensor(9, 8), half, { transposeB });
      const joined = { a: tensor(9, 2), b: tensor(...joinedB), scale: 1 };
      kernels.matmulBy(variant, gpu, tensor(9, 8), tensor(...b), { transposeB, joined });
    }
    kernels.matmulBy(variant, gpu, tensor(8, 9), tensor(8, 12), { transposeA: true });
  }
}

let collected: Promise<readonly Seen[]> | null = null;

/** All kernels, launched on the GPU, which must have refused none. */
function allKernels(): Promise<readonly Seen[]> {
  return collected ??= (async () => {
    const gpu = await testGpu(), seen = new Map<Kernel<KernelSpec>, Seen>(), { launch } = gpu;
    gpu.launch = <S extends KernelSpec>(kernel: Kernel<S>, how: Launch<S>) => {
      const known = seen.get(kernel) ?? { spec: kernel.spec, constants: [] };
      seen.set(kernel, known);
      known.constants.push({ ...kernel.spec.constants, ...how.constants as Constants });
      launch.call(gpu, kernel as Kernel<KernelSpec>, how as Launch<KernelSpec>);
    };
    using _ = gpu.scope("all kernels");
    try {
      launchAll(gpu);
    } finally {
      gpu.launch = launch;
    }
    await gpu.flush();
    return [...seen.values()];
  })();
}

/** What a WGSL text declares. Comments are left out. */
function declarationsOf(source: string) {
  const text = source.replaceAll(/\/\/.*$/gm, "");
  const matches = (pattern: RegExp) => [...text.matchAll(pattern)].map(({ groups }) => groups!);
  const uniforms = /struct\s+Uniforms\s*\{(?<fields>[^}]*)\}/.exec(text)?.groups?.fields ?? "";
  return {
    bindings: matches(
      /@group\((?<group>\d+)\)\s*@binding\((?<binding>\d+)\)\s*var<(?<space>[\w, ]+)>\s*(?<name>\w+)\s*:/g,
    )
      .map(({ group, binding, space, name }) => `${group} ${binding} ${space!.replaceAll(" ", "")} ${name}`),
    uniforms: uniforms.split(",").map((field) => field.trim()).filter((field) => field !== "")
      .map((field) => field.split(":").map((part) => part.trim())),
    overrides: matches(/\boverride\s+(?<name>\w+)\s*(?::\s*\w+\s*)?=\s*(?<value>[^;]+);/g)
      .map(({ name, value }) => [name!, valueOf(value!)] as const),
    constants: matches(/\bconst\s+(?<name>\w+)\s*(?::\s*\w+\s*)?=\s*(?<value>[^;]+);/g)
      .map(({ name, value }) => [name!, value!] as const),
    workgroup: matches(/\bvar<workgroup>\s*(?<name>\w+)\s*:\s*(?<type>[^;]+);/g).map(({ type }) => type!),
    entryPoints: matches(/@compute\b[^{]*?\bfn\s+(?<name>\w+)/g).map(({ name }) => name),
  };
}

/** "64u", "true" and "2.5" as numbers and booleans. */
function valueOf(text: string): number | boolean {
  const word = text.trim();
  return word === "true" || word === "false" ? word === "true" : Number(word.replace(/(?<=\d)[uif]$/, ""));
}

const SCALARS: Readonly<Record<string, number>> = { f32: 4, u32: 4, i32: 4, bool: 4 };

/** Bytes of a type, with the numbers that its sizes may name. */
function bytesOf(type: string, numbers: Readonly<Record<string, number>>): number {
  const text = type.trim(), scalar = SCALARS[text];
  if (scalar !== undefined) return scalar;
  const { size, of } = /^vec(?<size>[234])<(?<of>\w+)>$/.exec(text)?.groups ?? {};
  if (size) return Number(size) * SCALARS[of!]!;
  const { element, count } = /^array<(?<element>.+),(?<count>[^,>]+)>$/.exec(text)?.groups ?? {};
  assert(element && count, `What size has "${type}"?`);
  const bytes = bytesOf(element, numbers);
  // Elements of three are 16 bytes apart.
  return (bytes === 12 ? 16 : bytes) * Number(evaluate(count.replaceAll(/(?<=\d)u\b/g, ""), { ...numbers }));
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

async function wgslFiles(): Promise<Map<string, string>> {
  const files = new Map<string, string>(), folder = new URL("../kernels/", import.meta.url);
  for await (const { name } of Deno.readDir(folder)) {
    if (name.endsWith(".wgsl")) {
      files.set(name.slice(0, -".wgsl".length), await Deno.readTextFile(new URL(name, folder)));
    }
  }
  return files;
}

Deno.test("Every WGSL file belongs to one kernel of its name, and every kernel compiles and runs", async () => {
  const files = await wgslFiles(),
    names = new Map((await allKernels()).map(({ spec }) => [spec.source, spec.name]));
  assertGreater(files.size, 20);
  for (const [name, source] of files) {
    assertEquals(
      names.get(source),
      name,
      `${name}.wgsl is launched by nothing above: add its launcher to launchAll()`,
    );
  }
});

Deno.test("Every WGSL text compiles by itself without a word from the compiler and has one entry point, main", async () => {
  const device = await (await navigator.gpu.requestAdapter())!.requestDevice();
  for (const { spec } of await allKernels()) {
    const { messages } = await device.createShaderModule({ label: spec.name, code: spec.source })
      .getCompilationInfo();
    assertEquals(messages.map(({ message }) => message), [], spec.name);
    assertEquals(declarationsOf(spec.source).entryPoints, ["main"], spec.name);
  }
  device.destroy();
});

Deno.test("Every spec has the bindings of its WGSL: number, order, access and names", async () => {
  for (const { spec } of await allKernels()) {
    const wanted = Object.entries(spec.buffers).map(([name, access], i) =>
      `0 ${i} storage,${access} ${snakeCase(name)}`
    );
    if (Object.keys(spec.uniforms).length > 0) wanted.push(`0 ${wanted.length} uniform u`);
    assertEquals(declarationsOf(spec.source).bindings, wanted, spec.name);
  }
});

Deno.test("Every spec has the uniforms of its WGSL: number, order, types and names", async () => {
  for (const { spec } of await allKernels()) {
    const wanted = Object.entries(spec.uniforms).map(([name, type]) => [snakeCase(name), type]);
    assertEquals(declarationsOf(spec.source).uniforms, wanted, spec.name);
    assert(wanted.length <= 64, spec.name);
  }
});

Deno.test("Every spec has the overrides of its WGSL with their defaults", async () => {
  for (const { spec } of await allKernels()) {
    assertEquals(Object.fromEntries(declarationsOf(spec.source).overrides), { ...spec.constants }, spec.name);
  }
});

Deno.test("Every spec declares the workgroup memory that its WGSL takes, under all constants it is launched with", async () => {
  let most = 0;
  for (const { spec, constants } of await allKernels()) {
    const { workgroup, constants: named } = declarationsOf(spec.source);
    for (const values of constants) {
      const numbers: Record<string, number> = Object.fromEntries(
        Object.entries(values).map(([name, value]) => [name, Number(value)]),
      );
      for (const [name, value] of named) {
        if (/^[\w\s+*/()-]+$/.test(value)) {
          numbers[name] = Number(evaluate(value.replaceAll(/(?<=\d)u\b/g, ""), { ...numbers }));
        }
      }
      const wanted = workgroup.reduce((bytes, type) => bytes + bytesOf(type, numbers), 0);
      assertEquals(spec.workgroupBytes?.(values) ?? 0, wanted, `${spec.name} with ${JSON.stringify(values)}`);
      most = Math.max(most, wanted);
    }
  }
  assertGreater(most, 4096);
});
