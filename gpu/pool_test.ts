import { assert, assertEquals, assertThrows } from "@std/assert";
import { createRandom } from "../numerics/random.ts";
import { testGpu } from "../tests/support/test_gpu.ts";
import { Gpu, type GpuInfo } from "./gpu.ts";
import { elementCount } from "./tensor.ts";

/** A device with WebGPU's default limits, which are the same everywhere, and all that it creates counted. */
async function defaultDevice() {
  const adapter = (await navigator.gpu.requestAdapter())!;
  const device = await adapter.requestDevice();
  const created: number[] = [];
  const createBuffer = device.createBuffer.bind(device);
  device.createBuffer = (descriptor) => {
    created.push(descriptor.size);
    return createBuffer(descriptor);
  };
  const info: GpuInfo = {
    adapter: "default limits",
    backend: "unknown",
    features: [],
    limits: {},
    software: true,
  };
  return { gpu: new Gpu(device, info), limits: device.limits, created };
}

Deno.test("empty() cuts labels, so that names made of names don't double for ever", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("labels");
  let tensor = gpu.empty([1], "x");
  for (let i = 0; i < 40; i++) tensor = gpu.empty([1], `${tensor.label} + ${tensor.label}`);
  assertEquals(tensor.label.length, 120);
  assert(tensor.label.startsWith("x + x + x") && tensor.label.endsWith("…"));
});

Deno.test("scope() frees what was allocated in it, and what it kept only with the enclosing scope", async () => {
  const gpu = await testGpu();
  const before = gpu.memory.liveBytes;
  {
    using outer = gpu.scope("outer");
    gpu.empty([256], "outer's");
    const inner = gpu.scope("inner");
    const freed = gpu.empty([1024], "freed"), kept = inner.keep(gpu.empty([1024], "kept"));
    assertThrows(() => inner.keep(kept), Error, 'Cannot keep "kept" beyond scope "inner"');
    inner[Symbol.dispose]();
    assertEquals(gpu.memory.liveBytes - before, 1024 + 4096);
    // The freed buffer is given out again, the kept one is not.
    const next = gpu.empty([1024], "next");
    assertEquals([next.buffer === freed.buffer, next.buffer === kept.buffer], [true, false]);
    outer.keep(gpu.zeros([64], "to the device"));
  }
  assertEquals(gpu.memory.liveBytes - before, 256);
});

Deno.test("hold() and free() free before a scope ends, once, and never what has the buffer since then", async () => {
  const gpu = await testGpu(), before = gpu.memory.liveBytes;
  {
    using _ = gpu.scope("outer");
    let held: Disposable;
    {
      using inner = gpu.scope("inner");
      gpu.empty([1024], "held"), gpu.empty([256], "held too");
      held = inner.hold();
    }
    assertEquals(gpu.memory.liveBytes - before, 4096 + 1024);
    held[Symbol.dispose]();
    assertEquals(gpu.memory.liveBytes - before, 0);
    const freed = gpu.empty([1024], "freed");
    held[Symbol.dispose]();
    assertEquals(gpu.memory.liveBytes - before, 4096);
    gpu.free(freed);
    gpu.free(freed);
    assertEquals(gpu.memory.liveBytes - before, 0);
  }
  let held: Disposable;
  {
    using _ = gpu.scope("ended");
    using inner = gpu.scope("inner");
    gpu.empty([1024], "held");
    held = inner.hold();
  }
  using _ = gpu.scope("next");
  gpu.empty([1024], "has the buffer now");
  held[Symbol.dispose]();
  assertEquals(gpu.memory.liveBytes - before, 4096);
});

Deno.test("scope() refuses to close before a scope inside it, and both close in the right order afterwards", async () => {
  const gpu = await testGpu();
  const before = gpu.memory.liveBytes;
  const outer = gpu.scope("outer"), inner = gpu.scope("inner");
  gpu.empty([64], "x");
  assertThrows(
    () => outer[Symbol.dispose](),
    Error,
    'Cannot close scope "outer": "inner" is still open inside it',
  );
  assertEquals(gpu.memory.liveBytes - before, 256);
  inner[Symbol.dispose]();
  assertEquals(gpu.memory.liveBytes, before);
  assertThrows(() => inner[Symbol.dispose](), Error, 'Cannot close scope "inner"');
  outer[Symbol.dispose]();
});

Deno.test("memory counts live and peak bytes by the innermost category, and resetPeak() starts from what is live", async () => {
  const { gpu } = await defaultDevice();
  await using _ = gpu;
  {
    using _weights = gpu.scope("model", "weights");
    gpu.empty([1024], "w");
    {
      using _step = gpu.scope("step", "activations");
      gpu.empty([2048], "h");
      using _data = gpu.countAs("data");
      gpu.empty([256], "tokens");
      using _inherits = gpu.scope("inner");
      gpu.empty([256], "more tokens");
    }
    gpu.empty([256], "w2");
    const { liveBytes, peakBytes, liveBytesByCategory, peakBytesByCategory } = gpu.memory;
    assertEquals([liveBytes, peakBytes], [5120, 4096 + 8192 + 2048]);
    assertEquals(liveBytesByCategory, { weights: 5120, activations: 0, data: 0 });
    assertEquals(peakBytesByCategory, { weights: 5120, activations: 8192, data: 2048 });
    gpu.resetPeak();
    assertEquals(gpu.memory.peakBytes, 5120);
    // What was used before, and no longer, leaves no trace.
    assertEquals(gpu.memory.peakBytesByCategory, { weights: 5120 });
  }
  assertEquals([gpu.memory.liveBytes, gpu.memory.peakBytes], [0, 5120]);
});

Deno.test("memory wastes at most an eighth beyond 2 KiB and less than 256 bytes below", async () => {
  const gpu = await testGpu();
  for (const count of [1, 63, 64, 65, 127, 511, 513, 1009, 4097, 65_537, 1_000_003]) {
    using _ = gpu.scope("size");
    const before = gpu.memory.liveBytes;
    gpu.empty([count], "x");
    const bytes = gpu.memory.liveBytes - before, wasted = bytes - 4 * count;
    assert(wasted >= 0 && (wasted < 256 || wasted <= bytes / 8), `${count} floats take ${bytes} bytes`);
  }
});

Deno.test("empty() takes the same buffers in every step, so that 100 steps create none after the first", async () => {
  const { gpu, created } = await defaultDevice();
  await using _ = gpu;
  const others = created.length;
  const step = () => {
    using _ = gpu.scope("step");
    const outer = [17, 300, 300, 5000].map((count) => gpu.empty([count], "outer").buffer);
    using inner = gpu.scope("inner");
    const tensors = [300, 17, 5000, 5000].map((count) => gpu.zeros([count], "inner"));
    // What is kept is freed after the rest: the order in which buffers come back is another each time.
    inner.keep(tensors[2]!);
    return [...outer, ...tensors.map(({ buffer }) => buffer)];
  };
  const first = step(), buffers = created.length;
  for (let i = 0; i < 100; i++) {
    step().forEach((buffer, place) => assert(buffer === first[place], `step ${i}, tensor ${place}`));
  }
  assertEquals(created.length, buffers);
  await gpu.flush();
  gpu.trim();
  step();
  assertEquals(created.length, 2 * buffers - others);
});

Deno.test("empty() refuses sizes that are no whole number and more than the adapter allows, by name", async () => {
  const { gpu, limits } = await defaultDevice();
  await using _ = gpu;
  for (const shape of [[0], [3, -1], [1.5], [NaN], [Infinity]]) {
    assertThrows(() => gpu.empty(shape, "odd"), RangeError, `Cannot allocate "odd" [${shape}]`);
  }
  // No kernel could read what no binding takes, though a buffer may be larger.
  assert(limits.maxStorageBufferBindingSize < limits.maxBufferSize);
  assertEquals(gpu.mostTensorBytes, limits.maxStorageBufferBindingSize);
  const most = gpu.mostTensorBytes / 4;
  assertThrows(
    () => gpu.empty([most + 1], "huge"),
    RangeError,
    `Cannot allocate "huge" [${most + 1}]: it has ${4 * most + 4} bytes, this adapter allows ${
      4 * most
    } a tensor`,
  );
  gpu.empty([most], "just small enough");
  assertThrows(() => gpu.empty([2 ** 26, 2 ** 26], "absurd"), RangeError, 'Cannot allocate "absurd"');
});

Deno.test("empty() cuts labels that operations made longer and longer, and leaves short ones", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("labels");
  let label = gpu.empty([1], "layers.3.self_attn.q_proj.A").label;
  assertEquals(label, "layers.3.self_attn.q_proj.A");
  for (let i = 0; i < 100; i++) ({ label } = gpu.empty([1], `${label} + norm(${label})`));
  assertEquals([label.length, label.at(-1), label.slice(0, 6)], [120, "…", "layers"]);
});

Deno.test("pack() lays zeroed tensors side by side in one buffer, each at a multiple of 256 bytes", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("packs");
  const entries = [[1], [7, 9], [64], [5, 13], [2, 3, 4]].map((shape, i) => ({ label: `part ${i}`, shape }));
  {
    // So that the pool has dirty buffers of every size that the pack could get.
    using _dirty = gpu.scope("dirty");
    for (const count of [64, 384, 448, 512]) {
      gpu.write(gpu.empty([count], "dirt"), new Float32Array(count).fill(7));
    }
  }
  const { parts, flats } = gpu.pack(entries, "pack");
  assertEquals(flats.length, 1);
  assertEquals(parts.map(({ offset }) => offset), [0, 256, 512, 768, 1280]);
  assertEquals(parts.map(({ label, shape }) => ({ label, shape })), entries);
  assertEquals(flats[0]!.shape, [(1280 + 256) / 4]);
  assertEquals((await gpu.download(flats[0]!)).findIndex((value) => value !== 0), -1);

  const values = parts.map((part, i) => createRandom(i).normal(elementCount(part.shape), 1));
  parts.forEach((part, i) => gpu.write(part, values[i]!));
  assertEquals(await gpu.downloadAll(parts), values);
  // The gaps still hold zeros: one dispatch over the whole pack may read them.
  const flat = await gpu.download(flats[0]!);
  parts.forEach((part, i) => {
    const end = part.offset / 4 + values[i]!.length, next = (parts[i + 1]?.offset ?? 4 * flat.length) / 4;
    assertEquals(flat.subarray(end, next).findIndex((value) => value !== 0), -1);
  });
  assertEquals(gpu.pack([], "nothing"), { parts: [], flats: [] });
});

Deno.test("pack() begins another buffer where a binding would grow too large", async () => {
  const { gpu, limits } = await defaultDevice();
  await using _ = gpu;
  using _scope = gpu.scope("packs");
  const half = limits.maxStorageBufferBindingSize / 8;
  const shapes = [[half], [half - 64], [64], [65], [half]];
  const { parts, flats } = gpu.pack(shapes.map((shape, i) => ({ label: `part ${i}`, shape })), "pack");
  assertEquals(flats.map(({ shape }) => shape), [[2 * half], [128 + half]]);
  assertEquals(parts.map((part) => flats.findIndex(({ buffer }) => buffer === part.buffer)), [0, 0, 0, 1, 1]);
  assertEquals(parts.map(({ offset }) => offset), [0, 4 * half, 8 * half - 256, 0, 512]);
  await gpu.flush();
});

Deno.test("pack() refuses a tensor that no binding takes by its own name, and allocates nothing", async () => {
  const { gpu, created, limits } = await defaultDevice();
  await using _ = gpu;
  const many = limits.maxStorageBufferBindingSize / 4 + 4, before = created.length;
  const entries = [{ label: "small", shape: [64] }, { label: "lm_head.weight", shape: [many / 4, 4] }];
  assertThrows(
    () => gpu.pack(entries, "weights"),
    RangeError,
    `Cannot allocate "lm_head.weight" [${many / 4},4]: it has ${4 * many} bytes`,
  );
  assertEquals(created.length, before);
});
