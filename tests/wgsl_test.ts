/** @file Every kernel is launched once, compiles, and its spec says what its WGSL says. */
import { assert, assertEquals, assertGreater } from "@std/assert";
import { evaluate } from "mathjs";
import type { Gpu } from "../gpu/mod.ts";
import * as kernels from "../kernels/mod.ts";
import { dryRunGpu } from "./support/dry_run_gpu.ts";
import { kernelsOf, launchAll, type Seen } from "./wgsl/every_kernel.ts";
import { testGpu } from "./support/test_gpu.ts";
import { READING, testNeeding } from "./support/test_needing.ts";

const test = testNeeding(READING);

/** Launches attention and its gradients, with one head and so many queries and keys, and with a mask unless plain or rotary. */
function launchAttention(gpu: Gpu, size: number, keys: number, option: "none" | "angles" | "mask" | "bias") {
  const tensor = (...shape: number[]) => gpu.zeros(shape, "x"),
    q = tensor(keys, size),
    bias = option === "bias";
  const to = (...shape: number[]) => ({ into: tensor(...shape), accumulate: false });
  const sizes = {
    ...{ queries: keys, keys, heads: 1, keyValueHeads: 1, size, causal: option === "angles", scale: 1 },
    ...(option === "angles" ? { angles: tensor(keys, size / 2, 2) } : {}),
    ...(option === "mask" || bias ? { mask: gpu.zeros([1, keys], "mask", "u32") } : {}),
    ...(bias ? { bias: tensor(1, keys, keys) } : {}),
  };
  const k = tensor(keys, size), v = tensor(keys, size);
  kernels.attentionBackward(gpu, q, k, v, kernels.attention(gpu, q, k, v, sizes), q, sizes, {
    ...{ q: to(keys, size), k: to(keys, size), v: to(keys, size), bias: bias ? to(1, keys, keys) : null },
  });
}

let collected: Promise<readonly Seen[]> | null = null;

/** All kernels, launched on the GPU, which must have refused none. */
function allKernels(): Promise<readonly Seen[]> {
  return collected ??= (async () => {
    const gpu = await testGpu();
    const seen = kernelsOf(gpu, () => launchAll(gpu));
    await gpu.flush();
    return seen;
  })();
}

/** Those, and with subgroups those that may add up by them: Deno's compiler takes none of these, Chromium's does. */
async function allTexts(): Promise<readonly Pick<Seen, "spec" | "constants">[]> {
  const all = await allKernels();
  return [
    ...all,
    ...all.flatMap(({ inSubgroups, constants }) => inSubgroups ? [{ spec: inSubgroups, constants }] : []),
  ];
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

/** The texts of all WGSL files below a folder, by name. */
async function wgslFilesIn(folder: URL): Promise<[name: string, source: string][]> {
  const files: [string, string][] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) files.push(...await wgslFilesIn(new URL(`${name}/`, folder)));
    else if (name.endsWith(".wgsl")) {
      files.push([name.slice(0, -".wgsl".length), await Deno.readTextFile(new URL(name, folder))]);
    }
  }
  return files;
}

/** True where a kernel's text is that of a file, its `#use` lines filled; buffers may be taken as vectors. */
function isMadeFrom(file: string, source: string): boolean {
  const plain = (text: string) => text.replaceAll(/array<(?:f32|vec4<f32>)>;/g, "array<..>;");
  let at = 0;
  return plain(file).split(/^ *#use .*$/m).map((part) => part.trim()).every((part) => {
    const found = plain(source).indexOf(part, at);
    at = found + part.length;
    return found >= 0;
  });
}

test("Every WGSL file belongs to one kernel of its name, and every kernel compiles and runs", async () => {
  const folders = ["../kernels/", "../optimizers/"].map((folder) => new URL(folder, import.meta.url));
  const files = (await Promise.all(folders.map(wgslFilesIn))).flat(), known = await allKernels();
  assertGreater(files.length, 20);
  assertEquals(new Set(files.map(([name]) => name)).size, files.length, "Two files have one name");
  for (const [name, text] of files) {
    const sources = known.filter(({ spec }) => spec.name === name).map(({ spec }) => spec.source);
    assertGreater(
      sources.length,
      0,
      `${name}.wgsl is launched by nothing above: add its launcher to launchAll()`,
    );
    assert(
      sources.every((source) => isMadeFrom(text, source)),
      `Kernel ${name} is not made from ${name}.wgsl`,
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
  for (const { spec } of await allTexts()) {
    const wanted = Object.entries(spec.buffers).map(([name, access], i) =>
      `0 ${i} storage,${access} ${snakeCase(name)}`
    );
    if (Object.keys(spec.uniforms).length > 0) wanted.push(`0 ${wanted.length} uniform u`);
    assertEquals(declarationsOf(spec.source).bindings, wanted, spec.name);
  }
});

Deno.test("Every spec has the uniforms of its WGSL: number, order, types and names", async () => {
  for (const { spec } of await allTexts()) {
    const wanted = Object.entries(spec.uniforms).map(([name, type]) => [snakeCase(name), type]);
    assertEquals(declarationsOf(spec.source).uniforms, wanted, spec.name);
    assert(wanted.length <= 64, spec.name);
  }
});

Deno.test("Every spec has the overrides of its WGSL with their defaults", async () => {
  for (const { spec } of await allTexts()) {
    assertEquals(Object.fromEntries(declarationsOf(spec.source).overrides), { ...spec.constants }, spec.name);
  }
});

Deno.test("Every spec declares the workgroup memory that its WGSL takes, under all constants it is launched with", async () => {
  let most = 0;
  for (const { spec, constants } of await allTexts()) {
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

/** The smallest float that no adapter may take for 0: smaller ones are denormal. */
const MIN_NORMAL = 2 ** -126;

/** The float literals of a WGSL text that are denormal in 32 bits. */
function denormalsOf(source: string): string[] {
  const text = source.replaceAll(/\/\/.*$/gm, "");
  return [
    ...text.matchAll(/(?<![\w.])(?:0x[\da-f.]+p[+-]?\d+|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)(?=[fh]?(?!\w))/gi),
  ]
    .map(([literal]) => literal)
    .filter((literal) => {
      const value = valueOfFloat(literal);
      return value !== 0 && Math.fround(value) < MIN_NORMAL;
    });
}

/** "1e-38" and "0x1.8p-130" as numbers. */
function valueOfFloat(literal: string): number {
  const { whole, part, power } =
    /^0x(?<whole>[\da-f]*)\.?(?<part>[\da-f]*)p(?<power>[+-]?\d+)$/i.exec(literal)?.groups ?? {};
  if (power === undefined) return Number(literal);
  return parseInt(`0${whole}${part}`, 16) * 2 ** (Number(power) - 4 * part!.length);
}

/** The text between a bracket and the one that closes it. */
function insideOf(text: string, open: number): string {
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    if (text[at] === "[") depth++;
    if (text[at] === "]" && --depth === 0) return text.slice(open + 1, at);
  }
  throw new Error(`Cannot read "${text.slice(open, open + 40)}": its bracket is not closed`);
}

/** Fields of a WGSL text's structs with their types, by struct. */
type Structs = ReadonlyMap<string, ReadonlyMap<string, string>>;

function structsOf(text: string): Structs {
  return new Map(
    [...text.matchAll(/\bstruct\s+(\w+)\s*\{([^}]*)\}/g)].map(([, name, body]) => [
      name!,
      new Map([...body!.matchAll(/(\w+)\s*:\s*(\w+(?:<\w+>)?)/g)].map(([, field, type]) => [field!, type!])),
    ]),
  );
}

/** The type of an element or a field of a type; "" for a component of a vector. */
function partOf(type: string, field: string | null, structs: Structs): string {
  if (type.startsWith("vec")) return "";
  if (type.startsWith("mat")) return "vec of a column";
  if (field !== null) return structs.get(type)?.get(field) ?? "";
  return /^array<(?<of>.*?)(?:,[^<>]*)?>$/s.exec(type)?.groups?.of?.trim() ?? "";
}

/**
 * Stores of a WGSL text to a part of a vector that other invocations may see, and pointers to such memory, which are not
 * followed: WGSL lets a store to one component touch the whole vector, so that what another invocation writes beside it may
 * be lost.
 */
function partialStoresOf(source: string): string[] {
  const text = source.replaceAll(/\/\/.*$/gm, ""), structs = structsOf(text);
  const shared = [
    ...text.matchAll(/\bvar<(?:workgroup|storage,\s*read_write)>\s*(?<name>\w+)\s*:\s*(?<type>[^;]+);/g),
  ].map(({ groups }) => groups!);
  return shared.flatMap(({ name, type: declared }) =>
    [...text.matchAll(new RegExp(`(?<![\\w.]|>\\s*)${name}\\b`, "g"))].flatMap(({ index }) => {
      const line = text.slice(index).split("\n", 1)[0]!.trim(), before = text.slice(0, index);
      if (before.endsWith("&") && !before.endsWith("workgroupUniformLoad(&")) return [`&${line}`];
      let type = declared!.trim(), at = index + name!.length, isPart = false;
      while (text[at] === "[" || text[at] === ".") {
        const indexed = text[at] === "[";
        const step = indexed ? insideOf(text, at) : /^\w+/.exec(text.slice(at + 1))![0];
        isPart ||= type.startsWith("vec");
        type = partOf(type, indexed ? null : step, structs);
        at += step.length + (indexed ? 2 : 1);
      }
      const stores = /^\s*(?:(?:[-+*\/%&|^]|<<|>>)?=(?!=)|\+\+|--)/.test(text.slice(at));
      return isPart && stores ? [line] : [];
    })
  );
}

/** What a check finds in the texts of all kernels, each with its kernel's name. */
async function foundInAll(check: (source: string) => readonly string[]): Promise<string[]> {
  return (await allTexts()).flatMap(({ spec }) =>
    check(spec.source).map((found) => `${spec.name}: ${found}`)
  );
}

Deno.test("No kernel writes a part of a vector that other invocations may see: such a store may touch all of it", async () => {
  assertEquals(await foundInAll(partialStoresOf), []);
});

Deno.test("No kernel has a float literal that an adapter may take for 0", async () => {
  assertEquals(await foundInAll(denormalsOf), []);
});

Deno.test("No kernel for subgroups puts a lane's value where it adds up what subgroups put", async () => {
  const twins = (await allKernels()).flatMap(({ inSubgroups }) => inSubgroups ?? []);
  const wrong = twins.filter(({ source }) =>
    /\bsum_of_lanes\b/.test(source) && /\bpartial\[lane\]/.test(source)
  );
  assertEquals(wrong.map(({ name }) => `${name}: "#use put VALUE" is needed`), []);
});

/** What a WGSL text declares at its outermost level and never uses. */
function unusedOf(source: string): string[] {
  const text = source.replaceAll(/\/\/.*$/gm, "");
  const declared = text.matchAll(
    /^(?:@compute\b[^{]*?)?(?:(?:@group\(\d+\) @binding\(\d+\) )?var<[^>]*>|fn|const|override|struct|alias)\s+(?<name>\w+)/gm,
  );
  return [...declared].map(({ groups }) => groups!.name!).filter((name) =>
    name !== "main" && text.match(new RegExp(`\\b${name}\\b`, "g"))!.length < 2
  );
}

/** Lines of a WGSL text that do not stand where a person would put them: two spaces for each open brace or bracket. */
function misplacedOf(source: string): string[] {
  let depth = 0, isFirst = true;
  return source.split("\n").filter((line) => {
    const code = line.replace(/\/\/.*$/, "").trim(), closes = /^[)\]}]+/.exec(code)?.[0].length ?? 0;
    const wanted = 2 * (depth - closes);
    depth += (code.match(/[({[]/g)?.length ?? 0) - (code.match(/[)}\]]/g)?.length ?? 0);
    const isBlankAtStart = line === "" && isFirst;
    isFirst = false;
    return line === "" ? isBlankAtStart : line !== " ".repeat(wanted) + line.trim();
  });
}

Deno.test("No kernel declares what it does not use", async () => {
  assertEquals(await foundInAll(unusedOf), []);
});

Deno.test("Every kernel's text is indented as a person would, in lines that a screen shows", async () => {
  assertEquals(await foundInAll(misplacedOf), []);
  assertEquals(await foundInAll((source) => source.split("\n").filter((line) => line.length > 200)), []);
});

Deno.test("The checks of kernels find what they are for", () => {
  const declarations = `struct Sums { whole: vec4<f32>, count: u32 }
@group(0) @binding(0) var<storage, read_write> out: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> in: array<vec4<f32>>;
var<workgroup> sums: array<Sums, 64>;
var<workgroup> one: vec2<u32>;
`;
  const wrong = [
    "out[i * blocks + j / 4u][j % 4u] = 1.0;",
    "out[order[i]].x += 1.0;",
    "sums[i].whole.y = 1.0;",
    "one.x++;",
    "let p = &out[i];",
  ];
  const right = [
    "out[i] = vec4(in[i][j], 1.0, 2.0, 3.0);",
    "sums[i].whole *= 2.0;",
    "sums[i].count += 1u;",
    "if (out[i][j] == 1.0) { own[j] = out[i][j]; }",
    "// out[i][j] = 1.0;",
    "let u = workgroupUniformLoad(&one);",
  ];
  for (const line of wrong) {
    assertEquals(partialStoresOf(`${declarations}fn f() { ${line}\n}`).length, 1, line);
  }
  for (const line of right) assertEquals(partialStoresOf(`${declarations}fn f() { ${line}\n}`), [], line);
  assertEquals(
    unusedOf(
      "const a = 1; // a\nvar<workgroup> b: u32;\nfn c() {\n  b = d;\n}\noverride d = 2;\n@compute fn main() {}\n",
    ),
    ["a", "c"],
  );
  const tidy =
    "fn f(\n  a: u32,\n) -> u32 {\n  if (a == 1u) {\n    // One.\n    return a;\n  }\n\n  return g(\n    a,\n  );\n}";
  assertEquals(misplacedOf(tidy), []);
  assertEquals(misplacedOf("fn f() {\nreturn 1;\n  { return 2; }\n   return 3;\n  }"), [
    "return 1;",
    "   return 3;",
    "  }",
  ]);
  assertEquals(
    denormalsOf(
      "const a = 1e-38; let b = max(x4, 1.2e-38) + 1.0e-40f * 0x1p-127 - 0x1p-126 + 0.0 + 3u; // 1e-39",
    ),
    ["1e-38", "1.0e-40", "0x1p-127"],
  );
});

/** What every adapter allows a kernel: WebGPU's default limits. */
const DEFAULTS = { buffers: 8, workgroupBytes: 16384 };

Deno.test("Every kernel fits the limits that every adapter has, but the products that only adapters on the processor get", async () => {
  const paper = dryRunGpu();
  const large = kernelsOf(paper, () => {
    for (const size of [8, 16, 32, 64, 128]) {
      for (const option of ["none", "angles", "mask", "bias"] as const) {
        launchAttention(paper, size, 100, option);
      }
    }
  });
  const beyond = [...await allTexts(), ...large].flatMap(({ spec, constants }) => {
    const bytes = /^[a-z]+_staged/.test(spec.name)
      ? 0
      : Math.max(...constants.map((values) => spec.workgroupBytes?.(values) ?? 0));
    const buffers = Object.keys(spec.buffers).length;
    return [
      ...bytes > DEFAULTS.workgroupBytes ? [`${spec.name}: ${bytes} bytes`] : [],
      ...buffers > DEFAULTS.buffers ? [`${spec.name}: ${buffers} buffers`] : [],
    ];
  });
  assertEquals(beyond, []);
});
