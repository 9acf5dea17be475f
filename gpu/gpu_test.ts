import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { createRandom } from "../numerics/random.ts";
import { dryRunGpu } from "../tests/support/dry_run_gpu.ts";
import { stretchOf } from "../tests/support/upload.ts";
import { testGpu } from "../tests/support/test_gpu.ts";
import { PROGRAMS, testNeeding } from "../tests/support/test_needing.ts";
import { Gpu, type GpuInfo, openGpu } from "./gpu.ts";
import { defineKernel, type Kernel, MAX_GROUPS } from "./kernel.ts";
import { takesSubgroups } from "./subgroups.ts";
import { byteLength } from "./tensor.ts";

const test = testNeeding({ ...PROGRAMS, env: ["PATH", "HOME"] });

/** out[i] = scale · x[i] + shift for every i. */
const source = `
struct Uniforms { scale: f32, shift: f32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<uniform> u: Uniforms;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < arrayLength(&out)) { out[id.x] = u.scale * x[id.x] + u.shift; }
}`;
const uniforms = { scale: "f32", shift: "f32" } as const;
const linear = defineKernel({
  name: "linear",
  source,
  buffers: { x: "read", out: "read_write" },
  uniforms,
  constants: {},
});

/** out[place] = value: one lane. */
const put = defineKernel({
  name: "put",
  source: `
struct Uniforms { place: u32, value: i32 }
@group(0) @binding(0) var<storage, read_write> out: array<i32>;
@group(0) @binding(1) var<uniform> u: Uniforms;
@compute @workgroup_size(1)
fn main() { out[u.place] = u.value; }`,
  buffers: { out: "read_write" },
  uniforms: { place: "u32", value: "i32" },
  constants: {},
});

/** A device with WebGPU's default limits, which are the same everywhere. */
async function defaultDevice() {
  const adapter = (await navigator.gpu.requestAdapter())!;
  const device = await adapter.requestDevice();
  const info: GpuInfo = {
    adapter: "default limits",
    backend: "unknown",
    features: [],
    limits: {},
    software: true,
  };
  return { device, gpu: new Gpu(device, info) };
}

Deno.test("Gpu fails by the kernel's name where its WGSL is wrong or does not fit its spec, and stays failed", async () => {
  const spec = linear.spec;
  const wrong: readonly (readonly [Kernel, string])[] = [
    [defineKernel({ ...spec, name: "misspelt", source: source.replace("u.shift", "u.shft") }), "shft"],
    [
      defineKernel({ ...spec, name: "unfinished", source: source.slice(0, -3) }),
      "Shader 'unfinished' parsing error",
    ],
    [defineKernel({ ...spec, name: "no_main", source: source.replace("fn main", "fn other") }), "main"],
    [defineKernel({ ...spec, name: "read_only", buffers: { x: "read", out: "read" } }), "binding: 1"],
    [defineKernel({ ...spec, name: "unbound", uniforms: {} }), "binding: 2"],
    [defineKernel({ ...spec, name: "constant", constants: { TILE: 8 } }), '{"TILE":8}'],
  ];
  for (const [kernel, reason] of wrong) {
    await using gpu = await openGpu();
    const x = gpu.zeros([4], "x"), out = gpu.empty([4], "out");
    gpu.launch(kernel, { buffers: { x, out }, uniforms: { scale: 1, shift: 0 }, workgroups: [1] });
    const error = await assertRejects(
      () => gpu.flush(),
      Error,
      `Cannot build kernel "${kernel.spec.name}" with {`,
    );
    assertStringIncludes(error.message, reason);
    assertEquals(await assertRejects(() => gpu.download(x)), error);
  }
});

Deno.test("Gpu fails by kernel and tensor names where a binding is shorter than the shader's struct", async () => {
  await using gpu = await openGpu();
  const kernel = defineKernel({
    ...linear.spec,
    name: "wide",
    source: source.replace("x: array<f32>;", "x: array<f32, 128>;"),
  });
  const x = gpu.zeros([64], "short input"), out = gpu.empty([64], "out");
  gpu.launch(kernel, { buffers: { x, out }, uniforms: { scale: 1, shift: 0 }, workgroups: [1] });
  await assertRejects(() => gpu.flush(), Error, 'refused recorded work (last kernel "wide")');
});

Deno.test("launch() refuses workgroup counts out of range by the kernel's name", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("launch");
  const x = gpu.empty([4], "x"), out = gpu.empty([4], "out");
  for (const workgroups of [[0], [MAX_GROUPS + 1], [1, 0], [1, 1, 65_536], [1.5], [NaN], [-1]] as const) {
    assertThrows(
      () =>
        gpu.launch(linear, {
          buffers: { x, out },
          uniforms: { scale: 1, shift: 0 },
          workgroups: [...workgroups],
        }),
      RangeError,
      `Cannot launch "linear" on [${workgroups}] workgroups: 1 to 65535`,
    );
  }
});

Deno.test("launch() refuses more workgroup memory than the adapter has, which Deno does not check, and allows all of it", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("launch");
  const kernel = defineKernel({
    name: "greedy",
    source: `
override SIZE = 1u;
@group(0) @binding(0) var<storage, read_write> out: array<f32>;
var<workgroup> shared_values: array<f32, SIZE>;
@compute @workgroup_size(1)
fn main() {
  shared_values[SIZE - 1u] = 3.0;
  out[0] = shared_values[SIZE - 1u] + f32(SIZE);
}`,
    buffers: { out: "read_write" },
    uniforms: {},
    constants: { SIZE: 1 },
    workgroupBytes: ({ SIZE }) => 4 * Number(SIZE),
  });
  const most = gpu.info.limits.maxComputeWorkgroupStorageSize! / 4, out = gpu.empty([1], "out");
  const launch = (SIZE: number) =>
    gpu.launch(kernel, { buffers: { out }, uniforms: {}, constants: { SIZE }, workgroups: [1] });
  assertThrows(
    () => launch(most + 1),
    RangeError,
    `Cannot build kernel "greedy" with {"SIZE":${most + 1}}: it needs ${4 * most + 4} bytes`,
  );
  launch(most);
  assertEquals(await gpu.download(out), Float32Array.of(3 + most));
});

Deno.test("launch() refuses to write a buffer that the same launch uses elsewhere, by both tensors' names", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("launch");
  const { parts } = gpu.pack([{ label: "first", shape: [64] }, { label: "second", shape: [64] }], "pack");
  const [first, second] = parts as [typeof parts[0] & object, typeof parts[0] & object];
  const launch = (x: typeof first, out: typeof first) =>
    gpu.launch(linear, { buffers: { x, out }, uniforms: { scale: 1, shift: 0 }, workgroups: [1] });
  assertThrows(
    () => launch(first, first),
    Error,
    'Cannot launch "linear": it would write "first" and also use "first"',
  );
  assertThrows(
    () => launch(first, second),
    Error,
    'it would write "second" and also use "first" of the same buffer',
  );
  const both = defineKernel({
    name: "both",
    source: `
@group(0) @binding(0) var<storage, read_write> a: array<f32>;
@group(0) @binding(1) var<storage, read_write> b: array<f32>;
@compute @workgroup_size(1)
fn main() { a[0] = 1.0; b[0] = 2.0; }`,
    buffers: { a: "read_write", b: "read_write" },
    uniforms: {},
    constants: {},
  });
  assertThrows(
    () => gpu.launch(both, { buffers: { a: first, b: first }, uniforms: {}, workgroups: [1] }),
    Error,
    'Cannot launch "both"',
  );
  // Two places of one buffer may both be written, and one place read twice.
  gpu.launch(both, { buffers: { a: first, b: second }, uniforms: {}, workgroups: [1] });
  assertEquals((await gpu.downloadAll([first, second])).map((values) => values[0]), [1, 2]);
});

Deno.test("launch() refuses more buffers than a stage may bind, by name", async () => {
  const { gpu, device } = await defaultDevice();
  await using _ = gpu;
  const out = gpu.empty([64], "out");
  const most = device.limits.maxStorageBuffersPerShaderStage;
  const names = Array.from({ length: most + 1 }, (_, i) => `b${i}`);
  const many = defineKernel({
    name: "many",
    source: "",
    buffers: Object.fromEntries(names.map((name) => [name, "read" as const])),
    uniforms: {},
    constants: {},
  });
  assertThrows(
    () =>
      gpu.launch(many, {
        buffers: Object.fromEntries(names.map((name) => [name, out])),
        uniforms: {},
        workgroups: [1],
      }),
    RangeError,
    `Cannot build kernel "many": it binds ${most + 1} buffers, this adapter allows ${most}`,
  );
});

Deno.test("Gpu rejects every flush and download after the device was lost, and can still be closed", async () => {
  for (const wait of [(gpu: Gpu) => gpu.flush(), (gpu: Gpu) => gpu.download(gpu.zeros([4], "x"))]) {
    const { gpu, device } = await defaultDevice();
    await gpu.flush();
    device.destroy();
    for (let i = 0; i < 2; i++) await assertRejects(() => wait(gpu), Error, "The GPU was lost (destroyed)");
    await gpu[Symbol.asyncDispose]();
  }
});

Deno.test("Gpu rejects the next flush after an error that no scope caught", async () => {
  const { gpu, device } = await defaultDevice();
  await using _ = gpu;
  device.createBuffer({ label: "no use", size: 4, usage: 0 });
  await assertRejects(() => gpu.flush(), Error, "The GPU reported an error: Invalid usage flags");
});

Deno.test("write() hands over what it wrote whenever 4 MiB wait, in large tensors and over small ones", () => {
  let waiting = 0, most = 0, all = 0;
  const gpu = dryRunGpu({
    writeBuffer(_buffer, _offset, _data, _from, bytes) {
      most = Math.max(most, waiting += bytes!);
      all += bytes!;
    },
    submit() {
      waiting = 0;
    },
  });
  const small = gpu.empty([2 ** 18], "small"), large = gpu.empty([3 * 2 ** 20 + 1], "large");
  for (let i = 0; i < 9; i++) gpu.write(small, new Float32Array(2 ** 18));
  gpu.write(large, new Float32Array(3 * 2 ** 20 + 1));
  assertEquals([most, all], [2 ** 22, 9 * 2 ** 20 + 3 * 2 ** 22 + 4]);
});

Deno.test("write() takes a part of an array for what it is, and its stretches one behind the other", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("stretches");
  const all = Float32Array.from({ length: 2 ** 20 + 9 }, (_, i) => i), part = all.subarray(3, -1);
  assertEquals(await gpu.download(gpu.upload(part, "f32", [part.length], "part")), part.slice());
});

Deno.test("write() is ordered with launches: earlier ones do not see it, later ones do", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("write");
  const x = gpu.upload(Float32Array.of(1, 2, 3), "f32", [3], "x");
  const outs = [10, 20, 30].map((value) => {
    const out = gpu.empty([3], "out");
    gpu.launch(linear, { buffers: { x, out }, uniforms: { scale: 2, shift: 1 }, workgroups: [1] });
    gpu.write(x, new Float32Array(3).fill(value));
    return out;
  });
  gpu.copy(x, outs[2]!);
  gpu.clear(x);
  assertEquals(await gpu.downloadAll([...outs, x]), [
    Float32Array.of(3, 5, 7),
    Float32Array.of(21, 21, 21),
    Float32Array.of(30, 30, 30),
    new Float32Array(3),
  ]);
});

Deno.test("write() and copy() refuse another element count by name, and copy() refuses one buffer for both", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("write");
  const x = gpu.empty([2, 3], "x"), y = gpu.empty([5], "y");
  assertThrows(
    () => gpu.write(x, new Float32Array(5)),
    RangeError,
    'Cannot write "x" [2,3]: 5 elements were given',
  );
  assertThrows(() => gpu.upload(new Float32Array(7), "f32", [8], "z"), RangeError, 'Cannot write "z" [8]: 7');
  assertThrows(() => gpu.copy(x, y), RangeError, 'Cannot copy "x" [2,3] to "y" [5]');
  const { parts } = gpu.pack([{ label: "a", shape: [4] }, { label: "b", shape: [4] }], "pack");
  assertThrows(
    () => gpu.copy(parts[0]!, parts[1]!),
    Error,
    'Cannot copy "a" to "b": they lie in the same buffer',
  );
});

Deno.test("downloadAll() gives each tensor its own elements, whatever their sizes, types and places", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("download");
  const floats = createRandom(1).normal(1009, 1);
  const x = gpu.upload(floats, "f32", [1009], "x");
  assertEquals(await gpu.downloadAll([stretchOf(x, 64, 1), x, stretchOf(x, 960, 49)]), [
    floats.slice(64, 65),
    floats,
    floats.slice(960),
  ]);
  const words = Uint32Array.of(0, 1, 2 ** 31, 2 ** 32 - 1), whole = Int32Array.of(-1, -(2 ** 31), 7);
  assertEquals(await gpu.download(gpu.upload(words, "u32", [4], "words")), words);
  assertEquals(await gpu.download(gpu.upload(whole, "i32", [3], "whole")), whole);
  // Bits survive, those of numbers that are no numbers too.
  const odd = await gpu.download(gpu.upload(Float32Array.of(NaN, -0, Infinity), "f32", [3], "odd"));
  assert(Number.isNaN(odd[0]) && Object.is(odd[1], -0) && odd[2] === Infinity);
  assertEquals(await gpu.downloadAll([]), []);
});

Deno.test("launch() keeps the uniforms of every dispatch where one command buffer does not hold them all", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("many launches");
  const count = 3 * 4096 + 5, out = gpu.empty([count], "out", "i32");
  for (let place = 0; place < count; place++) {
    gpu.launch(put, { buffers: { out }, uniforms: { place, value: 3 - place }, workgroups: [1] });
  }
  assertEquals(await gpu.download(out), Int32Array.from({ length: count }, (_, i) => 3 - i));
});

Deno.test("profile() counts launches and time by kernel name, the most expensive first, and changes no result", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("profile");
  const x = gpu.upload(createRandom(2).normal(1 << 20, 1), "f32", [1 << 20], "x"),
    out = gpu.empty([1 << 20], "out");
  const places = gpu.empty([8], "places", "i32");
  const work = () => {
    for (let i = 0; i < 8; i++) {
      gpu.launch(put, { buffers: { out: places }, uniforms: { place: i, value: i * i }, workgroups: [1] });
      if (i < 3) {
        gpu.launch(linear, { buffers: { x, out }, uniforms: { scale: 1, shift: 0 }, workgroups: [1 << 14] });
      }
    }
  };
  // A software adapter compiles when a kernel first runs, and counts that as its time.
  work();
  const times = await gpu.profile(work);
  assertEquals(times.map(({ kernel, launches }) => [kernel, launches]), [["linear", 3], ["put", 8]]);
  assert(times.every(({ milliseconds }) => milliseconds >= 0 && milliseconds < 1e4), JSON.stringify(times));
  assertEquals(await gpu.download(places), Int32Array.of(0, 1, 4, 9, 16, 25, 36, 49));
  assertEquals(await gpu.download(out), await gpu.download(x));
  assertEquals(await gpu.profile(() => {}), []);
});

Deno.test("profile() refuses one dispatch too many by the kernel's name, and leaves a GPU that works", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("profile");
  const out = gpu.empty([2], "out", "i32");
  const launch = () =>
    gpu.launch(put, { buffers: { out }, uniforms: { place: 1, value: 5 }, workgroups: [1] });
  await assertRejects(
    () =>
      gpu.profile(() => {
        for (let i = 0; i < 2049; i++) launch();
      }),
    RangeError,
    'Cannot profile more dispatches: "put" is one too many',
  );
  launch();
  assertEquals((await gpu.download(out))[1], 5);
  const { gpu: plain } = await defaultDevice();
  await using _plain = plain;
  await assertRejects(
    () => plain.profile(() => {}),
    Error,
    'Cannot profile: adapter "default limits" has no timestamp queries',
  );
});

Deno.test("trim() lets free buffers go, and what is launched next finds its tensors", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("trim");
  const x = gpu.upload(Float32Array.of(1, 2, 3), "f32", [3], "x");
  const double = () => {
    const out = gpu.empty([3], "out");
    gpu.launch(linear, { buffers: { x, out }, uniforms: { scale: 2, shift: 0 }, workgroups: [1] });
    return out;
  };
  {
    using _step = gpu.scope("step");
    double();
  }
  gpu.trim();
  assertEquals(await gpu.download(double()), Float32Array.of(2, 4, 6));
});

Deno.test("openGpu() takes all limits that the adapter has and says what it runs on", async () => {
  const { info } = await testGpu();
  const adapter = (await navigator.gpu.requestAdapter({ powerPreference: "high-performance" }))!;
  assertEquals(info.limits.maxBufferSize, adapter.limits.maxBufferSize);
  assertEquals(info.limits.maxComputeWorkgroupStorageSize, adapter.limits.maxComputeWorkgroupStorageSize);
  assert(info.adapter.trim() !== "" && info.backend !== "");
  // Deno tells PCI numbers in decimals.
  assertEquals(info.hardware?.vendor, `0x${Number(adapter.info.vendor).toString(16).padStart(4, "0")}`);
  assertEquals(info.features, [...adapter.features].sort());
});

Deno.test("openGpu() says that an adapter has no name where a browser tells none", async () => {
  const { gpu } = navigator, adapter = (await gpu.requestAdapter())!, { features, limits } = adapter;
  const untold = { vendor: "", architecture: "", device: "", description: "" };
  try {
    for (const isFallbackAdapter of [true, false]) {
      const requestDevice = (asked: GPUDeviceDescriptor) => adapter.requestDevice(asked);
      const info = { ...untold, isFallbackAdapter };
      Object.assign(gpu, {
        requestAdapter: () => Promise.resolve({ features, limits, info, requestDevice }),
      });
      await using opened = await openGpu();
      assertEquals(
        [opened.info.adapter, opened.info.software],
        isFallbackAdapter ? ["unnamed software adapter", true] : ["unnamed adapter", false],
      );
    }
  } finally {
    delete (gpu as Partial<GPU>).requestAdapter;
  }
});

test("openGpu() says how to get an adapter where there is none", async () => {
  const code = `
    import { openGpu } from ${JSON.stringify(import.meta.resolve("./gpu.ts"))};
    try { await openGpu(); } catch (error) { console.log(error.message); }`;
  const { stdout } = await new Deno.Command("deno", {
    args: ["eval", code],
    clearEnv: true,
    env: {
      PATH: Deno.env.get("PATH")!,
      HOME: Deno.env.get("HOME")!,
      DENO_WEBGPU_BACKEND: "vulkan",
      VK_DRIVER_FILES: "/nonexistent",
    },
  }).output();
  const said = new TextDecoder().decode(stdout);
  assertStringIncludes(said, "Cannot open a GPU: no WebGPU adapter was found");
  assertStringIncludes(said, "apt-get install mesa-vulkan-drivers");
});

Deno.test("Gpu keeps 16-bit floats of odd counts, alone and in packs, and rounds what it counts up to words", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("halves");
  const data = Float16Array.of(1, -2.5, 65504, 6e-8, 0);
  const alone = gpu.upload(data, "f16", [5], "halves");
  assertEquals(byteLength(alone), 12);
  const { parts, flats } = gpu.pack(
    [5, 1, 3].map((size) => ({ label: "part", shape: [size] })),
    "pack",
    "f16",
  );
  assertEquals(parts.map(({ offset }) => offset), [0, 256, 512]);
  assertEquals(flats.map(({ shape, dtype }) => [dtype, ...shape]), [["u32", 192]]);
  gpu.copy(alone, parts[0]!);
  gpu.write(parts[2]!, Float16Array.of(7, 8, 9));
  assertEquals(await gpu.downloadAll([alone, ...parts]), [
    data,
    data,
    Float16Array.of(0),
    Float16Array.of(7, 8, 9),
  ]);
});

Deno.test("Gpu takes a repeated dispatch over, and notices where tensor, view, constant or kernel differ at its place", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("repeats");
  const shifted = (name: string, sign: string) =>
    defineKernel({
      name,
      source: `
override SHIFT = 1u;
@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(1) fn main() { out[0] = x[0] ${sign} SHIFT; }`,
      buffers: { x: "read", out: "read_write" },
      uniforms: {},
      constants: { SHIFT: 1 },
    });
  const plus = shifted("plus", "+"), minus = shifted("minus", "-");
  const values = gpu.upload(Uint32Array.from({ length: 128 }, (_, i) => 10 * i), "u32", [128], "values");
  const other = gpu.upload(Uint32Array.of(1000), "u32", [1], "other"), out = gpu.empty([1], "out", "u32");
  const run = async (kernel: typeof plus, x: typeof other, SHIFT?: number) => {
    gpu.launch(kernel, {
      buffers: { x, out },
      uniforms: {},
      workgroups: [1],
      ...SHIFT === undefined ? {} : { constants: { SHIFT } },
    });
    return (await gpu.download(out))[0];
  };
  gpu.resetWork();
  assertEquals(await run(plus, values), 1);
  assertEquals(await run(plus, values), 1);
  assertEquals(await run(plus, values, 1), 1);
  assertEquals({ ...gpu.work, buffers: 0 }, {
    buffers: 0,
    bindGroups: 1,
    dispatches: 3,
    submits: 3,
    downloads: 3,
    kernels: ["plus"],
  });
  assertEquals(await run(plus, values, 5), 5);
  assertEquals(await run(plus, stretchOf(values, 64, 64)), 641);
  assertEquals(await run(plus, other), 1001);
  assertEquals(await run(minus, other), 999);
  assertEquals(await run(plus, values), 1);
  assertEquals([gpu.work.kernels, gpu.work.bindGroups], [["minus", "plus"], 4]);
});

Deno.test("Gpu launches a kernel's twin with subgroups where it is named, and refuses to where there are none", async () => {
  const { device } = await defaultDevice(), info = (await testGpu()).info;
  const twin = defineKernel({
    ...put.spec,
    name: "twin",
    source: put.spec.source.replace("= u.value", "= -u.value"),
  });
  await using gpu = new Gpu(device, info, true);
  const out = gpu.zeros([4], "out", "i32");
  const both: Kernel = { ...put, inSubgroups: twin };
  const launch = (place: number, kernel: Kernel) =>
    gpu.launch(kernel, { buffers: { out }, uniforms: { place, value: 7 }, workgroups: [1] });
  launch(0, both);
  gpu.useSubgroups(["put"]);
  assertEquals(gpu.inSubgroups, ["put"]);
  launch(1, both);
  launch(2, put);
  gpu.useSubgroups([]);
  launch(3, both);
  assertEquals(await gpu.download(out), Int32Array.of(7, -7, 7, 7));
  assertEquals(gpu.work.kernels, ["put", "twin"]);

  const without = await testGpu();
  if (without.subgroups) return;
  without.useSubgroups([]);
  assertThrows(
    () => without.useSubgroups(["norm", "put"]),
    Error,
    `Cannot use subgroups in "norm": adapter "${without.info.adapter}" or its compiler takes none`,
  );
});

Deno.test("takesSubgroups() asks the compiler where the device has the feature", async () => {
  for (
    const [features, refusal, wanted, asked] of [
      [[], null, false, 0],
      [["subgroups"], null, true, 1],
      [["subgroups"], "unknown enable", false, 1],
    ] as const
  ) {
    let compiled = 0;
    const device = {
      features: new Set<string>(features),
      pushErrorScope() {},
      createShaderModule: () => compiled++,
      popErrorScope: () => Promise.resolve(refusal),
    };
    assertEquals([await takesSubgroups(device as unknown as GPUDevice), compiled], [wanted, asked]);
  }
});
