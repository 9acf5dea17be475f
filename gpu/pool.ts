/** @file GPU memory: buffers by size class, scopes that free them, live and peak bytes by category. */
import { byteLength, type DType, type Shape, type Tensor } from "./tensor.ts";

/** What memory is used for; the reports' memory table has these rows. */
export type Category = "weights" | "adapters" | "state" | "gradients" | "activations" | "scratch" | "data";

/** Frees what was allocated while it was open. Use with `using`. */
export interface Scope extends Disposable {
  /** Hands a tensor to the enclosing scope, so that it outlives this one. */
  keep<T extends Tensor<DType>>(tensor: T): T;
}

/** Live bytes of tensors, and the most since `resetPeak`. Pooled free buffers do not count. */
export interface Memory {
  /** Bytes of tensors that are alive. */
  readonly liveBytes: number;
  /** Most live bytes since `resetPeak`. */
  readonly peakBytes: number;
  /** Peak of each category by itself; they need not be reached at the same moment. */
  readonly peakBytesByCategory: Readonly<Record<string, number>>;
  /** Live bytes of each category. */
  readonly liveBytesByCategory: Readonly<Record<string, number>>;
}

interface Allocation {
  readonly buffer: GPUBuffer;
  readonly bytes: number;
  readonly category: Category;
}

interface OpenScope {
  readonly label: string;
  readonly allocations: Set<Allocation>;
}

/** Views are bound by themselves, so their offsets meet WebGPU's strictest alignment. */
const ALIGNMENT = 256;

/** Rounds up to a multiple of 256 bytes, the distance between tensors that share a buffer. */
export function alignBytes(bytes: number): number {
  return Math.max(ALIGNMENT, Math.ceil(bytes / ALIGNMENT) * ALIGNMENT);
}

/** Eight classes an octave: at most an eighth is wasted, and a step's tensors meet the same buffers again. */
function sizeClass(bytes: number): number {
  const aligned = alignBytes(bytes);
  const step = Math.max(ALIGNMENT, 2 ** (Math.floor(Math.log2(aligned)) - 3));
  return Math.ceil(aligned / step) * step;
}

/** Longest label of a tensor. */
const LONGEST_LABEL = 100;

/**
 * Operations name their results after their inputs, so a name doubles from layer to layer: uncut, the names of a model
 * of six layers are hundreds of megabytes.
 */
function shorten(label: string): string {
  return label.length <= LONGEST_LABEL ? label : `${label.slice(0, LONGEST_LABEL - 1)}…`;
}

/** Allocates tensors in scopes and keeps freed buffers for the next ones. */
export class Pool {
  readonly #device: GPUDevice;
  readonly #free = new Map<number, GPUBuffer[]>();
  readonly #owners = new Map<GPUBuffer, { scope: OpenScope; allocation: Allocation }>();
  readonly #scopes: OpenScope[] = [{ label: "device", allocations: new Set() }];
  #category: Category = "scratch";
  readonly #live = new Map<string, number>();
  readonly #peak = new Map<string, number>();
  /** Buffers that no earlier tensor had. */
  created = 0;
  #liveBytes = 0;
  #peakBytes = 0;

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  get memory(): Memory {
    return {
      liveBytes: this.#liveBytes,
      peakBytes: this.#peakBytes,
      peakBytesByCategory: Object.fromEntries(this.#peak),
      liveBytesByCategory: Object.fromEntries(this.#live),
    };
  }

  resetPeak(): void {
    this.#peakBytes = this.#liveBytes;
    this.#peak.clear();
    for (const [category, bytes] of this.#live) this.#peak.set(category, bytes);
  }

  /** Allocates in the innermost open scope. @throws {RangeError} where a size is no whole number or too large */
  empty<D extends DType>(shape: Shape, label: string, dtype: D): Tensor<D> {
    if (!shape.every((size) => Number.isSafeInteger(size) && size >= 1)) {
      throw new RangeError(`Cannot allocate "${label}" [${shape}]: sizes of 1 or more are needed`);
    }
    const bytes = sizeClass(byteLength({ shape, dtype }));
    const limit = this.#device.limits.maxBufferSize;
    if (bytes > limit) {
      throw new RangeError(
        `Cannot allocate "${label}" [${shape}]: ${bytes} bytes, this adapter allows ${limit} a buffer`,
      );
    }
    const scope = this.#scopes.at(-1)!;
    const allocation = {
      buffer: this.#free.get(bytes)?.pop() ?? this.#create(bytes),
      bytes,
      category: this.#category,
    };
    scope.allocations.add(allocation);
    this.#owners.set(allocation.buffer, { scope, allocation });
    this.#count(allocation.category, bytes);
    return { buffer: allocation.buffer, offset: 0, shape, dtype, label: shorten(label) };
  }

  /** Counts what is allocated while it is open under `category`. */
  countAs(category: Category): Disposable {
    const before = this.#category;
    this.#category = category;
    return { [Symbol.dispose]: () => this.#category = before };
  }

  /** Opens a scope; tensors are allocated in the innermost one, and counted under `category` where it is given. */
  scope(label: string, category: Category = this.#category): Scope {
    const scope: OpenScope = { label, allocations: new Set() };
    const parent = this.#scopes.at(-1)!;
    const counting = this.countAs(category);
    this.#scopes.push(scope);
    return {
      keep: (tensor) => {
        const owner = this.#owners.get(tensor.buffer);
        if (owner?.scope !== scope) {
          throw new Error(
            `Cannot keep "${tensor.label}" beyond scope "${label}": it was not allocated there`,
          );
        }
        scope.allocations.delete(owner.allocation);
        parent.allocations.add(owner.allocation);
        this.#owners.set(tensor.buffer, { scope: parent, allocation: owner.allocation });
        return tensor;
      },
      [Symbol.dispose]: () => {
        if (this.#scopes.at(-1) !== scope) {
          throw new Error(
            `Cannot close scope "${label}": "${this.#scopes.at(-1)!.label}" is still open inside it`,
          );
        }
        this.#scopes.pop();
        counting[Symbol.dispose]();
        // In reverse, so that the next step's allocations meet the same buffers in the same order.
        for (const allocation of [...scope.allocations].reverse()) this.#release(allocation);
      },
    };
  }

  /** Destroys all free buffers. */
  trim(): void {
    for (const buffers of this.#free.values()) for (const buffer of buffers) buffer.destroy();
    this.#free.clear();
  }

  #create(bytes: number): GPUBuffer {
    this.created++;
    return this.#device.createBuffer({
      label: `pool ${bytes}`,
      size: bytes,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
  }

  #release(allocation: Allocation): void {
    this.#owners.delete(allocation.buffer);
    this.#count(allocation.category, -allocation.bytes);
    const buffers = this.#free.get(allocation.bytes);
    if (buffers) buffers.push(allocation.buffer);
    else this.#free.set(allocation.bytes, [allocation.buffer]);
  }

  #count(category: Category, bytes: number): void {
    const live = (this.#live.get(category) ?? 0) + bytes;
    this.#live.set(category, live);
    this.#peak.set(category, Math.max(this.#peak.get(category) ?? 0, live));
    this.#liveBytes += bytes;
    this.#peakBytes = Math.max(this.#peakBytes, this.#liveBytes);
  }
}
