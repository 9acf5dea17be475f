/**
 * @file Speed of each hot kernel by shape, beside what this adapter can do at most.
 *
 * `deno task kernels` (or `./run kernels`) runs it; it takes no permissions. `deno task kernels --filter matmul` times some.
 *
 * Deno's own table gives the time of one iteration: a batch of dispatches, large enough that the 11 ms which Deno takes
 * to notice that a GPU is done count little. The table that follows is made by the last bench, which takes the kernels
 * in turn, several rounds, so that a busy moment of the machine does not fall on one kernel alone, and says of each:
 *
 *     µs       median time of one call, launch and all; a call may be several dispatches
 *     GFLOP/s  a multiplication and an addition count as two
 *     GB/s     what must be read and written at least once, whatever a kernel reads again
 *     share    of the ceiling that it comes closest to: of "multiply-add" for GFLOP/s, of "triad" for GB/s
 *
 * Both ceilings are measured here, in the same rounds: multiplications and additions of registers, and out = a + s b over
 * arrays larger than caches. So a share above 100% means that a kernel's operands stay in a cache. A small share at a
 * small shape is what a launch costs: "nothing" is a kernel of one element.
 */
import { defineKernel } from "../../gpu/kernel.ts";
import { openGpu, type Tensor } from "../../gpu/mod.ts";
import {
  activation,
  activationBackward,
  adamwUpdate,
  add,
  clip,
  columnSum,
  crossEntropy,
  crossEntropyBackward,
  dotInto,
  gatherRows,
  geglu,
  gegluBackward,
  matmul,
  norm,
  normBackward,
  relativeBias,
  relativeBiasBackward,
  relativeRows,
  relativeScores,
  relativeScoresBackward,
  swiglu,
  swigluBackward,
} from "../../kernels/mod.ts";
import { composeKernel } from "../../kernels/wgsl/compose.ts";
import { groupsToShare } from "../../kernels/wgsl/groups.ts";
import { snippets } from "../../kernels/wgsl/snippets.ts";
import { createRandom } from "../../numerics/random.ts";
import { FactorPairs } from "../../optimizers/lora_pro/factor_pairs.ts";
import multiplyAddSource from "./ceilings/multiply_add.wgsl" with { type: "text" };
import triadSource from "./ceilings/triad.wgsl" with { type: "text" };

/** One kernel at one shape. */
interface Case {
  readonly kernel: string;
  readonly shape: string;
  readonly flops: number;
  readonly bytes: number;
  /** Records one call. */
  readonly call: () => void;
}

/** Time of a batch of calls, far above the 11 ms that a wait takes. */
const BATCH_MS = 150;
const MOST_CALLS = 3000;
const ROUNDS = 5;

/** Rows, inner size and columns: maps of decoder-tiny, of the peers' model, of a larger one, and LoRA's thin products. */
const PRODUCTS = [
  [1024, 64, 64],
  [1024, 64, 192],
  [1024, 192, 64],
  [1024, 128, 512],
  [1024, 512, 128],
  [2048, 1024, 1024],
  [1024, 64, 8],
  [1024, 8, 64],
  [1024, 512, 8],
  [1024, 8, 512],
] as const;
/** Rows and columns of activations: decoder-tiny's, the peers', a larger model's. */
const ROWS = [[1024, 64], [1024, 192], [1024, 512], [2048, 1024]] as const;

const gpu = await openGpu();
const cases = [...ceilings(), ...products(), ...rows(), ...parameters(), ...closedForm()];
const batches = new Map<Case, number>();
for (const one of cases) batches.set(one, await batchOf(one));

for (const one of cases) {
  Deno.bench({
    name: `${one.kernel} ${one.shape}, ${batches.get(one)} calls`,
    group: one.kernel,
    n: 5,
    warmup: 1,
    // Deno waits only for what is declared async.
    fn: async () => await run(one, batches.get(one)!),
  });
}
// Deno runs it more often than `n` says: the first time is enough.
let table: Promise<void> | null = null;
Deno.bench({
  name: "all in turn",
  group: "table",
  n: 1,
  warmup: 0,
  fn: async () => await (table ??= printTable()),
});

async function run(one: Case, calls: number): Promise<void> {
  for (let i = 0; i < calls; i++) {
    using _ = gpu.scope("call", "scratch");
    one.call();
  }
  await gpu.flush();
}

/** How many calls take about `BATCH_MS`. The first run compiles. */
async function batchOf(one: Case): Promise<number> {
  await run(one, 1);
  let calls = 4;
  while (true) {
    // The faster of two: a batch that was sized in a busy moment would be too small in a quiet one.
    const took = Math.min(await time(one, calls), await time(one, calls));
    if (took > BATCH_MS / 2 || calls >= MOST_CALLS) {
      return Math.min(MOST_CALLS, Math.max(1, Math.ceil(calls * BATCH_MS / took)));
    }
    calls *= 4;
  }
}

/** Milliseconds of so many calls. */
async function time(one: Case, calls: number): Promise<number> {
  const begun = performance.now();
  await run(one, calls);
  return performance.now() - begun;
}

async function printTable(): Promise<void> {
  const times = new Map(cases.map((one) => [one, [] as number[]]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const one of cases) {
      const calls = batches.get(one)!;
      times.get(one)!.push(await time(one, calls) / calls);
    }
  }
  const median = (one: Case) => times.get(one)!.sort((a, b) => a - b)[ROUNDS >> 1]!;
  const rates = cases.map((one) => {
    const ms = median(one);
    return { ...one, ms, gflops: one.flops / ms / 1e6, gbs: one.bytes / ms / 1e6 };
  });
  const mostFlops = rates.find(({ kernel }) => kernel === "multiply-add")!.gflops;
  const mostBytes = rates.find(({ kernel }) => kernel === "triad")!.gbs;
  const lines = rates.map(({ kernel, shape, ms, gflops, gbs }) => [
    kernel,
    shape,
    (1000 * ms).toFixed(1),
    gflops > 0 ? gflops.toFixed(2) : "",
    gbs > 0 ? gbs.toFixed(2) : "",
    gflops + gbs > 0 ? `${(100 * Math.max(gflops / mostFlops, gbs / mostBytes)).toFixed(0)}%` : "",
  ]);
  const cells = [["kernel", "shape", "µs", "GFLOP/s", "GB/s", "share"], ...lines];
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((line) => line[column]!.length)));
  const text = cells.map((line) =>
    line.map((cell, i) => i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join("  ")
  );
  console.log(`\n${gpu.info.adapter}\n${text.join("\n")}\n`);
}

function ceilings(): Case[] {
  const multiplyAdd = defineKernel({
    name: "multiply_add",
    source: multiplyAddSource,
    buffers: { out: "read_write" },
    uniforms: { steps: "u32", factor: "f32", term: "f32" },
    constants: {},
  });
  const triad = composeKernel({
    name: "triad",
    source: triadSource,
    buffers: { a: "read", b: "read", out: "read_write" },
    uniforms: { count: "u32", scale: "f32" },
    constants: {},
  }, { snippets });
  // A GPU needs far more lanes to be busy than a processor, and would be done with these few too soon.
  const groups = gpu.info.software ? 256 : 16_384, steps = 256;
  const numbers = gpu.empty([64 * groups], "numbers");
  const vectors = 64 * 16_384;
  const [a, b, out] = ["a", "b", "out"].map((label) => gpu.zeros([4 * vectors], label));
  const one = tensor([4], "one");
  return [
    {
      kernel: "multiply-add",
      shape: `${64 * groups} lanes`,
      flops: 64 * groups * steps * 16 * 3 * 4 * 2,
      bytes: 0,
      call: () =>
        gpu.launch(multiplyAdd, {
          buffers: { out: numbers },
          uniforms: { steps, factor: 0.999, term: 0.001 },
          workgroups: [groups],
        }),
    },
    {
      kernel: "triad",
      shape: `${4 * vectors}`,
      flops: 0,
      bytes: 12 * 4 * vectors,
      call: () =>
        gpu.launch(triad, {
          buffers: { a: a!, b: b!, out: out! },
          uniforms: { count: vectors, scale: 0.5 },
          workgroups: groupsToShare(gpu, vectors),
        }),
    },
    { kernel: "nothing", shape: "1", flops: 0, bytes: 0, call: () => void add(gpu, one, one) },
  ];
}

function products(): Case[] {
  return PRODUCTS.flatMap(([m, k, n]) => {
    const shape = `${m} x ${k} x ${n}`, flops = 2 * m * k * n, bytes = 4 * (m * k + k * n + m * n);
    const x = tensor([m, k], "x"),
      y = tensor([m, n], "y"),
      w = tensor([n, k], "w"),
      right = tensor([k, n], "w");
    const into = gpu.empty([m, n], "into"), gradient = gpu.empty([n, k], "gradient");
    return [
      {
        kernel: "matmul nt",
        shape,
        flops,
        bytes,
        call: () => void matmul(gpu, x, w, { transposeB: true, into }),
      },
      { kernel: "matmul nn", shape, flops, bytes, call: () => void matmul(gpu, x, right, { into }) },
      {
        kernel: "matmul tn",
        shape: `${n} x ${m} x ${k}`,
        flops,
        bytes,
        call: () => void matmul(gpu, y, x, { transposeA: true, into: gradient }),
      },
    ];
  });
}

function rows(): Case[] {
  const ofRows = ROWS.flatMap(([m, n]): Case[] => {
    const x = tensor([m, n], "x"), g = tensor([m, n], "g"), into = gpu.empty([m, n], "into");
    const weight = tensor([n], "weight"), bias = tensor([n], "bias"), sums = gpu.empty([n], "sums");
    const statistics = tensor([m, 2], "statistics");
    const passes = (kernel: string, count: number, call: () => void): Case => ({
      kernel,
      shape: `${m} x ${n}`,
      flops: 0,
      bytes: 4 * count * m * n,
      call,
    });
    const rms = { epsilon: 1e-5, center: false }, layer = { epsilon: 1e-5, center: true };
    return [
      passes("add", 3, () => add(gpu, x, g)),
      passes("rms norm", 2, () => norm(gpu, x, weight, null, rms)),
      passes(
        "rms norm backward",
        3,
        () => normBackward(gpu, g, x, weight, statistics, { ...rms, into, accumulate: false }),
      ),
      passes("layer norm", 2, () => norm(gpu, x, weight, bias, layer)),
      passes(
        "layer norm backward",
        3,
        () => normBackward(gpu, g, x, weight, statistics, { ...layer, into, accumulate: false }),
      ),
      passes("column sum", 1, () => columnSum(gpu, g, { into: sums, accumulate: false })),
      passes("swiglu", 3, () => swiglu(gpu, x, g)),
      passes("swiglu backward", 5, () => swigluBackward(gpu, x, g, into)),
      passes("geglu", 3, () => geglu(gpu, x, g)),
      passes("geglu backward", 5, () => gegluBackward(gpu, x, g, into)),
      passes("gelu", 2, () => activation(gpu, x, "gelu")),
      passes("gelu backward", 3, () => activationBackward(gpu, x, g, "gelu", into, false)),
    ];
  });
  const losses = [[1024, 56], [1024, 1024]].flatMap(([m, n]): Case[] => {
    const logits = tensor([m!, n!], "logits"),
      normalizers = tensor([m!, 2], "normalizers"),
      one = tensor([1], "one");
    const targets = gpu.upload(Int32Array.from(createRandom(1).integers(m!, n!)), "i32", [m!], "targets");
    const shape = `${m} x ${n}`;
    return [
      {
        kernel: "cross entropy",
        shape,
        flops: 0,
        bytes: 4 * m! * n!,
        call: () => crossEntropy(gpu, logits, targets, m!),
      },
      {
        kernel: "cross entropy backward",
        shape,
        flops: 0,
        bytes: 8 * m! * n!,
        call: () => crossEntropyBackward(gpu, logits, targets, normalizers, m!, one),
      },
    ];
  });
  const table = tensor([56, 64], "table");
  const choice = {
    rows: 1024,
    offsets: gpu.upload(Uint32Array.from({ length: 1025 }, (_, i) => i), "u32", [1025], "offsets"),
    sources: gpu.upload(Uint32Array.from(createRandom(2).integers(1024, 56)), "u32", [1024], "sources"),
  };
  // T5-base at its full length.
  const [heads, length] = [12, 512], scores = heads * length ** 2;
  const byDistance = tensor([2 * length - 1, heads], "biases by distance");
  const ofScores = tensor([heads, length, length], "d biases");
  const bias = { shape: `${heads} x ${length} x ${length}`, flops: 0, bytes: 4 * scores };
  // DeBERTa-v3-base, a text of half its length: 512 vectors of distances, each of two products a score.
  const [texts, positions, width] = [256, 512, 12 * 64];
  const at = (rows: number, label: string) => tensor([rows, width], label);
  const operands = { q: at(texts, "q"), k: at(texts, "k"), qr: at(positions, "qr"), kr: at(positions, "kr") };
  const distances = relativeRows(gpu, texts, positions, (distance) => distance + positions / 2);
  const ofPositional = tensor([heads, texts, texts], "d relative scores");
  const into = (rows: number) => ({ into: at(rows, "gradient"), accumulate: false });
  const gradients = { q: into(texts), k: into(texts), qr: into(positions), kr: into(positions) };
  const products = 4 * heads * texts ** 2 * 64;
  const read = 4 * width * 2 * (texts + positions), written = 4 * heads * texts ** 2;
  const positional = { shape: `${heads} x ${texts} x ${texts} by 64` };
  return [
    ...ofRows,
    ...losses,
    {
      kernel: "relative scores",
      ...positional,
      flops: products,
      bytes: read + written,
      call: () => relativeScores(gpu, operands, heads, 0.07, distances),
    },
    {
      kernel: "relative scores backward",
      ...positional,
      flops: 2 * products,
      bytes: 2 * read + written,
      call: () => relativeScoresBackward(gpu, operands, heads, 0.07, distances, ofPositional, gradients),
    },
    {
      kernel: "relative bias",
      ...bias,
      call: () => relativeBias(gpu, byDistance, length, length),
    },
    {
      kernel: "relative bias backward",
      ...bias,
      call: () => relativeBiasBackward(gpu, ofScores, byDistance, false),
    },
    {
      kernel: "sparse rows",
      shape: "1024 of 56 x 64",
      flops: 0,
      bytes: 8 * 1024 * 64,
      call: () => gatherRows(gpu, table, choice),
    },
  ];
}

/** Parameters of decoder-tiny, and of a model that no cache holds. */
function parameters(): Case[] {
  return [167_360, 4_000_000].flatMap((count): Case[] => {
    const [parameter, gradient] = ["parameter", "gradient"].map((label) => tensor([count], label));
    const [m, v] = ["m", "v"].map((label) => gpu.zeros([count], label));
    const square = gpu.upload(Float32Array.of(4), "f32", [1], "square"), into = gpu.empty([1], "into");
    const update = { step: 1, learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };
    const tensors = { parameter: parameter!, gradient: gradient!, m: m!, v: v! };
    const shape = `${count}`;
    return [
      {
        kernel: "adamw",
        shape,
        flops: 0,
        bytes: 28 * count,
        call: () => adamwUpdate(gpu, tensors, update),
      },
      {
        kernel: "squared norm",
        shape,
        flops: 2 * count,
        bytes: 4 * count,
        call: () => dotInto(gpu, gradient!, gradient!, into),
      },
      {
        kernel: "clip",
        shape,
        flops: 0,
        bytes: 8 * count,
        call: () => clip(gpu, parameter!, square, 1.9999),
      },
    ];
  });
}

/** LoRA-Pro's closed form for the 21 target modules of decoder-tiny. */
function closedForm(): Case[] {
  return [2, 8, 32].flatMap((rank): Case[] => {
    const layer = [[64, 64], [64, 64], [64, 64], [64, 64], [192, 64], [192, 64], [64, 192]] as const;
    const targetModules = [...layer, ...layer, ...layer];
    const pack = (sizeOf: (targetModule: readonly [number, number]) => readonly number[], label: string) => {
      const { parts, flats } = gpu.pack(
        targetModules.map((targetModule) => ({ label, shape: sizeOf(targetModule) })),
        label,
      );
      for (const part of parts) {
        gpu.write(part, createRandom(part.offset).normal(part.shape[0]! * part.shape[1]!, 1));
      }
      return { parts, flat: flats[0]! };
    };
    const a = pack(([, columns]) => [rank, columns], "A"), b = pack(([rows]) => [rows, rank], "B");
    const m = pack((targetModule) => targetModule, "m"), v = pack((targetModule) => targetModule, "v");
    const pairs = new FactorPairs(
      gpu,
      targetModules.map((_, i) => ({
        a: a.parts[i]!,
        b: b.parts[i]!,
        m: m.parts[i]!,
        v: v.parts[i]!,
        scale: 2,
      })),
    );
    const factors = pairs.decompose(), damping = { relative: 1e-6, absolute: 0 };
    const raw = { flat: tensor([a.flat.shape[0]! + b.flat.shape[0]!], "raw"), a: 0, b: a.flat.shape[0]! };
    const coordinates = pairs.adjustGradients(factors, raw, "sylvester", damping);
    const direction = { correction1: 1, correction2: 1, epsilon: 1e-8 };
    const shape = `21 target modules, rank ${rank}`;
    const of = (kernel: string, call: () => void): Case => ({ kernel, shape, flops: 0, bytes: 0, call });
    return [
      of("thin SVDs", () => pairs.decompose()),
      of("adjusted gradients", () => pairs.adjustGradients(factors, raw, "sylvester", damping)),
      of("moments", () => pairs.updateMoments(factors, raw, damping, 0.9, 0.999)),
      of("adjusted direction", () => pairs.adjustDirection(factors, direction, "sylvester", damping)),
      of("from coordinates", () => pairs.fromCoordinates(factors, coordinates)),
    ];
  });
}

function tensor(shape: readonly number[], label: string): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  return gpu.upload(createRandom(count).fork(label).normal(count, 1), "f32", shape, label);
}
