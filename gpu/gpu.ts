/** @file One opened WebGPU device with its pipeline cache, buffer pool and command recorder. */
import { system } from "../system/mod.ts";
import type { Kernel, KernelSpec, Launch } from "./kernel.ts";
import { Pipelines } from "./pipelines.ts";
import { type Category, type Memory, Pool, type Scope } from "./pool.ts";
import { type KernelTime, Profiler } from "./profiler.ts";
import { Recorder } from "./recorder.ts";
import { takesSubgroups } from "./subgroups.ts";
import {
  alignBytes,
  byteLength,
  type DType,
  ELEMENT_BYTES,
  elementCount,
  type HostArrays,
  hostLength,
  LOW_PRECISIONS,
  type LowPrecision,
  type Shape,
  type Tensor,
} from "./tensor.ts";

/** An adapter's own numbers and names: empty texts where it tells none. Two equal cards have the same. */
export interface Hardware {
  /** The vendor's PCI number, e.g. "0x10de". */
  readonly vendor: string;
  /** The family of chips, e.g. "ampere". */
  readonly architecture: string;
  /** The device's PCI number, e.g. "0x2330". */
  readonly device: string;
}

/** What is known of the adapter; part of every result. */
export interface GpuInfo {
  /** The adapter's own description, e.g. "llvmpipe (LLVM 19.1.7, 256 bits)". */
  readonly adapter: string;
  /** Who made it and what it is, where the adapter tells. */
  readonly hardware?: Hardware;
  /** "vulkan", "metal", "dx12" or "gl", as far as the adapter tells; else "unknown". */
  readonly backend: string;
  /** What the adapter can do beyond the least. */
  readonly features: readonly string[];
  /** The adapter's own limits, all of which were asked for. */
  readonly limits: Readonly<Record<string, number>>;
  /** True for an adapter that runs on the processor: launchers choose other shapes there. */
  readonly software: boolean;
}

/** Tensors that share buffers, each aligned to 256 bytes, so that one dispatch can serve many. */
export interface Pack<D extends DType = "f32"> {
  /** One for each entry, in order. */
  readonly parts: readonly Tensor<D>[];
  /**
   * Each buffer as one flat tensor: parts and the zeros between them. One, unless it were larger than a binding may be.
   * Low precision is seen as words.
   */
  readonly flats: readonly Tensor<D extends LowPrecision ? "u32" : D>[];
}

/** What was done since `resetWork`: a training step after the first few makes nothing new and reads nothing back. */
export interface Work {
  /** Dispatches. */
  readonly dispatches: number;
  /** Command buffers handed to the GPU. */
  readonly submits: number;
  /** Names of the kernels that ran, sorted. */
  readonly kernels: readonly string[];
  /** Bind groups that did not exist before. */
  readonly bindGroups: number;
  /** Buffers that did not exist before. */
  readonly buffers: number;
  /** Waits for tensors to be copied to the host. */
  readonly downloads: number;
}

/** A buffer that is alive, as words. */
export interface LiveBuffer {
  /** Its place among those of its scope, in the order in which they came to it. Equal programs give equal places. */
  readonly place: number;
  /** All its words; the label is that of the tensor it was allocated for. */
  readonly words: Tensor<"u32">;
}

/** Tells which buffers of a scope were written. Use with `using`. */
export interface WriteLog extends Disposable {
  /** All buffers that the scope holds. */
  all(): readonly LiveBuffer[];
  /** Those of them that were written since the log was opened, whatever wrote them. */
  written(): readonly LiveBuffer[];
}

/** One opened WebGPU device. Dispatches are recorded; nothing runs before `submit`, `flush` or `download`. */
export class Gpu implements AsyncDisposable {
  /** What is known of the adapter. */
  readonly info: GpuInfo;
  /** Whether kernels may add up by subgroups here: the adapter has them, and its compiler takes them. See `useSubgroups`. */
  readonly subgroups: boolean;
  readonly #device: GPUDevice;
  readonly #pool: Pool;
  readonly #recorder: Recorder;
  #downloads = 0;
  /** Bytes written since the last submission that was for their sake. */
  #waiting = 0;
  #inSubgroups: ReadonlySet<string> = new Set();
  #failure: Error | null = null;
  #closed = false;

  /** Use `openGpu`. */
  constructor(device: GPUDevice, info: GpuInfo, subgroups = false) {
    this.#device = device;
    this.info = info;
    this.subgroups = subgroups;
    const fail = (error: Error) => {
      this.#failure ??= error;
    };
    this.#pool = new Pool(device);
    this.#recorder = new Recorder(device, new Pipelines(device, fail), fail);
    device.addEventListener("uncapturederror", (event) => {
      event.preventDefault();
      fail(new Error(`The GPU reported an error: ${(event as GPUUncapturedErrorEvent).error.message}`));
    });
    device.lost.then((lost) => {
      if (!this.#closed) fail(new Error(`The GPU was lost (${lost.reason}): ${lost.message}`));
    });
  }

  /** Most bytes of one tensor on this adapter. */
  get mostTensorBytes(): number {
    return this.#pool.mostBytes;
  }

  /** Bytes held by live tensors now and at most since `resetPeak`. */
  get memory(): Memory {
    return this.#pool.memory;
  }

  /** Peak bytes count from now on. */
  resetPeak(): void {
    this.#pool.resetPeak();
  }

  /** What was done since `resetWork`. */
  get work(): Work {
    return { ...this.#recorder.work, buffers: this.#pool.created, downloads: this.#downloads };
  }

  /** Counts what is done from now on. */
  resetWork(): void {
    this.#recorder.resetWork();
    this.#pool.created = this.#downloads = 0;
  }

  /** Allocates in the innermost open scope. Contents are unspecified. */
  empty<D extends DType = "f32">(shape: Shape, label: string, dtype?: D): Tensor<D> {
    return this.#pool.empty(shape, label, (dtype ?? "f32") as D);
  }

  /** Allocates zeros in the innermost open scope. */
  zeros<D extends DType = "f32">(shape: Shape, label: string, dtype?: D): Tensor<D> {
    const tensor = this.empty(shape, label, dtype);
    this.clear(tensor);
    return tensor;
  }

  /** Zeroed tensors side by side, in order. @throws {RangeError} before it allocates, where one is too large by itself */
  pack<D extends DType = "f32">(
    entries: readonly { readonly label: string; readonly shape: Shape }[],
    label: string,
    dtype?: D,
  ): Pack<D> {
    const type = (dtype ?? "f32") as D;
    const limit = this.#pool.mostBytes;
    for (const entry of entries) this.#pool.requireRoom({ ...entry, dtype: type });
    const parts: Tensor<D>[] = [], flats: Pack<D>["flats"][number][] = [];
    const word = (LOW_PRECISIONS as readonly DType[]).includes(type) ? "u32" : type;
    for (let first = 0; first < entries.length;) {
      const offsets: number[] = [];
      let bytes = 0, next = first;
      for (; next < entries.length; next++) {
        const size = alignBytes(byteLength({ shape: entries[next]!.shape, dtype: type }));
        if (next > first && bytes + size > limit) break;
        offsets.push(bytes);
        bytes += size;
      }
      const flat = this.zeros([bytes / ELEMENT_BYTES], label, word);
      offsets.forEach((offset, i) => parts.push({ ...flat, ...entries[first + i]!, dtype: type, offset }));
      flats.push(flat as Pack<D>["flats"][number]);
      first = next;
    }
    return { parts, flats };
  }

  /** Allocates a tensor with host data in the innermost open scope. */
  upload<D extends DType>(data: HostArrays[D], dtype: D, shape: Shape, label: string): Tensor<D> {
    const tensor = this.empty(shape, label, dtype);
    this.write(tensor, data);
    return tensor;
  }

  /** Overwrites `target` with host data. Ordered with launches: earlier ones do not see it, later ones do. */
  write<D extends DType>(target: Tensor<D>, data: HostArrays[D]): void {
    if (data.length !== hostLength(target)) {
      throw new RangeError(
        `Cannot write "${target.label}" [${target.shape}]: ${data.length} elements were given`,
      );
    }
    // A queue's write lands before the next command buffer, so what is recorded must leave first.
    this.submit();
    this.#recorder.written?.add(target.buffer);
    const { queue } = this.#device, { buffer, byteOffset, byteLength } = wholeWords(data);
    for (let at = 0; at < byteLength; at += STRETCH) {
      const bytes = Math.min(STRETCH, byteLength - at);
      // What is written waits in a copy on the host until something is submitted.
      if (this.#waiting + bytes > STRETCH) {
        queue.submit([]);
        this.#waiting = 0;
      }
      this.#waiting += bytes;
      queue.writeBuffer(target.buffer, target.offset + at, buffer, byteOffset + at, bytes);
    }
  }

  /** Copies all elements, in order with launches. WebGPU copies only between buffers, not within one. */
  copy<D extends DType>(source: Tensor<D>, target: Tensor<D>): void {
    if (elementCount(source.shape) !== elementCount(target.shape)) {
      throw new RangeError(
        `Cannot copy "${source.label}" [${source.shape}] to "${target.label}" [${target.shape}]`,
      );
    }
    if (source.buffer === target.buffer) {
      throw new Error(`Cannot copy "${source.label}" to "${target.label}": they lie in the same buffer`);
    }
    this.#recorder.copy(source, target);
  }

  /** Sets every element to 0. */
  clear(target: Tensor<DType>): void {
    this.#recorder.clear(target);
  }

  /** Appends one dispatch to the current command buffer. */
  launch<S extends KernelSpec>(kernel: Kernel<S>, launch: Launch<S>): void {
    const inSubgroups = this.#inSubgroups.has(kernel.spec.name) ? kernel.inSubgroups : undefined;
    this.#recorder.launch(inSubgroups ?? kernel, launch);
  }

  /** Names of the kernels that add up by subgroups: none, until `useSubgroups` names some. */
  get inSubgroups(): readonly string[] {
    return [...this.#inSubgroups];
  }

  /**
   * From now on the kernels of these names add up over lanes by subgroups, if they add up over lanes at all, and no others do.
   * They add in another order then, so bits differ from those without.
   *
   * @throws {Error} where a name is given and the adapter, or its compiler, takes no subgroups
   */
  useSubgroups(kernels: readonly string[]): void {
    if (kernels.length > 0 && !this.subgroups) {
      throw new Error(
        `Cannot use subgroups in "${kernels[0]}": adapter "${this.info.adapter}" or its compiler takes none`,
      );
    }
    this.#inSubgroups = new Set(kernels);
  }

  /** Hands everything recorded so far to the GPU without waiting for it. */
  submit(): void {
    this.#check();
    this.#recorder.submit();
  }

  /** Submits everything recorded so far; resolves when the GPU is done, rejects on a GPU error. */
  async flush(): Promise<void> {
    this.submit();
    await this.#device.queue.onSubmittedWorkDone();
    this.#check();
  }

  /** Flushes, then copies a tensor to the host. One wait costs Deno about 11 ms whatever the size. */
  async download<D extends DType>(tensor: Tensor<D>): Promise<HostArrays[D]> {
    return (await this.downloadAll([tensor]))[0]!;
  }

  /** Flushes, then copies several tensors to the host with one wait. */
  async downloadAll<D extends DType>(tensors: readonly Tensor<D>[]): Promise<HostArrays[D][]> {
    if (tensors.length === 0) return [];
    this.#downloads++;
    const total = tensors.reduce((sum, tensor) => sum + byteLength(tensor), 0);
    const staging = this.#device.createBuffer({
      label: "read back",
      size: total,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    try {
      let offset = 0;
      for (const tensor of tensors) {
        this.#recorder.copy(tensor, { buffer: staging, offset });
        offset += byteLength(tensor);
      }
      this.submit();
      await staging.mapAsync(GPUMapMode.READ).catch(async (error) => {
        // What went wrong before says more than that the result cannot be read.
        await this.#device.queue.onSubmittedWorkDone();
        this.#check();
        throw error;
      });
      this.#check();
      const bytes = staging.getMappedRange();
      offset = 0;
      return tensors.map((tensor) => {
        const part = bytes.slice(offset, offset += byteLength(tensor));
        return hostArray(tensor, part);
      });
    } finally {
      staging.destroy();
    }
  }

  /** Frees what is allocated while it is open; `category` is what the bytes are counted as. */
  scope(label: string, category?: Category): Scope {
    return this.#pool.scope(label, category);
  }

  /** Frees a tensor before its scope ends: what is recorded still reads it, nothing else may. */
  free(tensor: Tensor<DType>): void {
    this.#pool.free(tensor);
  }

  /**
   * Notes from now on which buffers of the innermost open scope are written: what has to be saved for the program to go on
   * from here, beside what it does again. One log is open at a time.
   */
  logWrites(): WriteLog {
    if (this.#recorder.written) throw new Error("Cannot log writes: another log is open");
    const written = this.#recorder.written = new Set<GPUBuffer>(), allocations = this.#pool.innermost;
    const all = () =>
      Array.from(allocations, ({ buffer, used, label }, place): LiveBuffer => ({
        place,
        words: { buffer, offset: 0, shape: [used / ELEMENT_BYTES], dtype: "u32", label },
      }));
    return {
      all,
      written: () => all().filter(({ words }) => written.has(words.buffer)),
      [Symbol.dispose]: () => {
        this.#recorder.written = null;
      },
    };
  }

  /** Counts what is allocated while it is open under `category`, without freeing it. */
  countAs(category: Category): Disposable {
    return this.#pool.countAs(category);
  }

  /**
   * GPU time by kernel name of what `work` records: at most 2,048 dispatches.
   *
   * @throws {Error} where the adapter has no timestamps
   */
  async profile(work: () => void | Promise<void>): Promise<KernelTime[]> {
    if (!this.info.features.includes("timestamp-query")) {
      throw new Error(`Cannot profile: adapter "${this.info.adapter}" has no timestamp queries`);
    }
    await this.flush();
    const profiler = new Profiler(this.#device);
    this.#recorder.profiler = profiler;
    try {
      await work();
      const staging = this.#recorder.submitProfile(profiler);
      if (staging) await profiler.collect(staging);
      this.#check();
      return profiler.times();
    } finally {
      this.#recorder.profiler = null;
      profiler.destroy();
    }
  }

  /** Destroys pooled free buffers and forgets their bind groups: for the end of a run. */
  trim(): void {
    this.submit();
    this.#recorder.forget();
    this.#pool.trim();
  }

  /** Finishes what is under way and destroys the device. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#recorder.submit();
    await this.#device.queue.onSubmittedWorkDone();
    this.#recorder.destroy();
    this.#pool.trim();
    this.#device.destroy();
  }

  #check(): void {
    if (this.#failure) throw this.#failure;
  }
}

function hostArray<D extends DType>({ dtype, shape }: Tensor<D>, bytes: ArrayBuffer): HostArrays[D] {
  const arrays = {
    ...{ f32: Float32Array, u32: Uint32Array, i32: Int32Array },
    ...{ f16: Float16Array, int8: Uint32Array, nf4: Uint32Array },
  };
  return new arrays[dtype](bytes, 0, hostLength({ dtype, shape })) as HostArrays[D];
}

/** Bytes that are written at once, and most that wait: 4 MiB. */
const STRETCH = 2 ** 22;

/** WebGPU writes whole words: an odd number of 16-bit floats gets a zero behind it. */
function wholeWords(data: HostArrays[DType]): HostArrays[DType] {
  if (data.byteLength % 4 === 0) return data;
  const padded = new Float16Array(data.length + 1);
  padded.set(data);
  return padded;
}

/** Kinds of adapters that launchers choose shapes for. */
export const PATHS = ["gpu", "software"] as const;
/** One of them. */
export type Path = typeof PATHS[number];

/** Features that are asked for where an adapter has them. */
const WANTED = ["timestamp-query", "shader-f16", "subgroups"];

/** How a GPU is opened. */
export interface OpenOptions {
  /** The kind of adapter that launchers choose shapes for, to try either on any adapter; the adapter's own where absent. */
  readonly path?: Path;
}

/**
 * Opens the machine's GPU with all limits that its adapter has.
 *
 * @throws {Error} where no WebGPU adapter answers; the message says how to get one
 */
export async function openGpu({ path }: OpenOptions = {}): Promise<Gpu> {
  const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) {
    throw new Error(
      `Cannot open a GPU: no WebGPU adapter was found (${system.adapterAdvice})`,
    );
  }
  const features = [...adapter.features].sort();
  const wanted = features.filter((feature) => WANTED.includes(feature));
  const limits = readLimits(adapter.limits);
  const device = await adapter.requestDevice({
    requiredFeatures: wanted as GPUFeatureName[],
    requiredLimits: limits,
  });
  const { vendor, architecture, device: card, isFallbackAdapter } = adapter.info;
  // Most browsers give no description, and Firefox no name of any kind.
  const description = adapter.info.description || [vendor, architecture, card].filter(Boolean).join(" ") ||
    (isFallbackAdapter ? "unnamed software adapter" : "unnamed adapter");
  return new Gpu(device, {
    adapter: description,
    hardware: hardwareOf(adapter.info),
    backend: backendOf(features, limits),
    features,
    limits,
    software: path
      ? path === "software"
      : isFallbackAdapter || /llvmpipe|lavapipe|swiftshader|software/i.test(description),
  }, await takesSubgroups(device));
}

function hardwareOf({ vendor, architecture, device }: GPUAdapterInfo): Hardware {
  // Deno tells numbers in decimals, by which nobody knows a card.
  const known = (text: string) =>
    /^\d+$/.test(text) ? `0x${Number(text).toString(16).padStart(4, "0")}` : text;
  return { vendor: known(vendor), architecture, device: known(device) };
}

function readLimits(limits: GPUSupportedLimits): Record<string, number> {
  const out: Record<string, number> = {};
  // Limits are getters of the prototype, so they are no own properties.
  for (const name in limits) {
    const value = (limits as unknown as Record<string, unknown>)[name];
    if (typeof value === "number") out[name] = value;
  }
  return out;
}

/** Deno does not name the backend; with the Vulkan driver hidden it falls back to GL, which lacks 16-bit floats. */
function backendOf(features: readonly string[], limits: Readonly<Record<string, number>>): string {
  if (system.graphics !== null) return system.graphics;
  return features.includes("shader-f16") || (limits.maxStorageBuffersPerShaderStage ?? 0) > 16
    ? "vulkan"
    : "gl or vulkan";
}
