/** @file GPU memory: buffers by size class, scopes that free them, live and peak bytes by category. */
import { allocatedBytes, byteLength, type DType, type Shape, type Tensor } from "./tensor.ts";

/** What memory is used for; the reports' memory table has these rows. */
export type Category = "weights" | "adapters" | "state" | "gradients" | "activations" | "scratch" | "data";

/** Frees what was allocated while it was open. Use with `using`. */
export interface Scope extends Disposable {
  /** Hands a tensor to the enclosing scope, so that it outlives this one. */
  keep<T extends Tensor<DType>>(tensor: T): T;
  /** True where it will free the tensor. */
  owns(tensor: Tensor<DType>): boolean;
  /** Hands all that it holds to the enclosing scope; what comes back frees that before the enclosing scope ends. */
  hold(): Disposable;
}

/** Live bytes of tensors, and the most since `resetPeak`. Pooled free buffers do not count. */
export interface Memory {
  /** Bytes of tensors that are alive. */
  readonly liveBytes: number;
  /** Most live bytes since `resetPeak`. */
  readonly peakBytes: number;
  /** Peak of each category by itself; they need not be reached at the same moment. Those that nothing was in are absent. */
  readonly peakBytesByCategory: Readonly<Record<string, number>>;
  /** Live bytes of each category. */
  readonly liveBytesByCategory: Readonly<Record<string, number>>;
}

/** A buffer in use. */
export interface Allocation {
  /** Where it is. */
  readonly buffer: GPUBuffer;
  /** As the tensor was called that it was allocated for. */
  readonly label: string;
  /** Bytes of that tensor, whole words. */
  readonly used: number;
  /** Order of creation. */
  readonly serial: number;
  /** Of the buffer. */
  readonly bytes: number;
  /** What it is counted as. */
  readonly category: Category;
}

interface OpenScope {
  readonly label: string;
  readonly allocations: Set<Allocation>;
}

/** Operations name their results after their operands: without an end, labels of a deep network double with each block. */
function shorten(label: string): string {
  return label.length <= LONGEST_LABEL ? label : `${label.slice(0, LONGEST_LABEL - 1)}…`;
}
const LONGEST_LABEL = 120;

/**
 * Allocates tensors in scopes and keeps freed buffers for the next ones.
 *
 * Of the free buffers of a size the oldest is given out, so the buffers that a step meets depend only on what is alive
 * when it begins, not on the order in which earlier steps freed theirs: bind groups can be used again.
 */
export class Pool {
  readonly #device: GPUDevice;
  /** By size; the oldest last. */
  readonly #free = new Map<number, Pick<Allocation, "buffer" | "serial">[]>();
  #serial = 0;
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
    for (const [category, bytes] of this.#live) if (bytes > 0) this.#peak.set(category, bytes);
  }

  /** Allocates in the innermost open scope. @throws {RangeError} where a size is no whole number or too large */
  empty<D extends DType>(shape: Shape, label: string, dtype: D): Tensor<D> {
    if (!shape.every((size) => Number.isSafeInteger(size) && size >= 1)) {
      throw new RangeError(`Cannot allocate "${label}" [${shape}]: sizes of 1 or more are needed`);
    }
    this.requireRoom({ shape, dtype, label });
    const bytes = allocatedBytes(byteLength({ shape, dtype }));
    const scope = this.#scopes.at(-1)!;
    const { buffer, serial } = this.#free.get(bytes)?.pop() ?? this.#create(bytes);
    const name = shorten(label), used = byteLength({ shape, dtype });
    const allocation = { buffer, label: name, used, serial, bytes, category: this.#category };
    scope.allocations.add(allocation);
    this.#owners.set(allocation.buffer, { scope, allocation });
    this.#count(allocation.category, bytes);
    return { buffer: allocation.buffer, offset: 0, shape, dtype, label: name };
  }

  /** What the innermost open scope holds, in the order in which it came to it: a set that goes on changing with it. */
  get innermost(): ReadonlySet<Allocation> {
    return this.#scopes.at(-1)!.allocations;
  }

  /** @throws {RangeError} where a tensor is larger than a buffer or a binding may be: no kernel could read it */
  requireRoom({ shape, dtype, label }: Omit<Tensor<DType>, "buffer" | "offset">): void {
    const bytes = byteLength({ shape, dtype });
    if (bytes > this.mostBytes || allocatedBytes(bytes) > this.#device.limits.maxBufferSize) {
      throw new RangeError(
        `Cannot allocate "${label}" [${shape}]: it has ${bytes} bytes, this adapter allows ${this.mostBytes} a tensor`,
      );
    }
  }

  /** Most bytes of one tensor: what a buffer may have and a kernel may bind, in whole vectors of four. */
  get mostBytes(): number {
    const { maxBufferSize, maxStorageBufferBindingSize } = this.#device.limits;
    return Math.floor(Math.min(maxBufferSize, maxStorageBufferBindingSize) / 16) * 16;
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
    const handOver = (allocation: Allocation) => {
      scope.allocations.delete(allocation);
      parent.allocations.add(allocation);
      this.#owners.set(allocation.buffer, { scope: parent, allocation });
    };
    return {
      keep: (tensor) => {
        const owner = this.#owners.get(tensor.buffer);
        if (owner?.scope !== scope) {
          throw new Error(
            `Cannot keep "${tensor.label}" beyond scope "${label}": it was not allocated there`,
          );
        }
        handOver(owner.allocation);
        return tensor;
      },
      owns: ({ buffer }) => this.#owners.get(buffer)?.scope === scope,
      hold: () => {
        const held = [...scope.allocations];
        held.forEach(handOver);
        return { [Symbol.dispose]: () => held.splice(0).reverse().forEach((one) => this.#releaseEarly(one)) };
      },
      [Symbol.dispose]: () => {
        if (this.#scopes.at(-1) !== scope) {
          throw new Error(
            `Cannot close scope "${label}": "${this.#scopes.at(-1)!.label}" is still open inside it`,
          );
        }
        this.#scopes.pop();
        counting[Symbol.dispose]();
        for (const allocation of [...scope.allocations].reverse()) this.#release(allocation);
      },
    };
  }

  /** Frees a tensor before its scope ends. */
  free({ buffer }: Tensor<DType>): void {
    const owner = this.#owners.get(buffer);
    if (owner) this.#releaseEarly(owner.allocation);
  }

  /** Destroys all free buffers. */
  trim(): void {
    for (const buffers of this.#free.values()) for (const { buffer } of buffers) buffer.destroy();
    this.#free.clear();
  }

  #create(bytes: number): { readonly buffer: GPUBuffer; readonly serial: number } {
    this.created++;
    const buffer = this.#device.createBuffer({
      label: `pool ${bytes}`,
      size: bytes,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
    return { buffer, serial: this.#serial++ };
  }

  /** Nothing where the scope that it came to has ended. */
  #releaseEarly(allocation: Allocation): void {
    const owner = this.#owners.get(allocation.buffer);
    if (owner?.allocation !== allocation) return;
    owner.scope.allocations.delete(allocation);
    this.#release(allocation);
  }

  #release(allocation: Allocation): void {
    this.#owners.delete(allocation.buffer);
    this.#count(allocation.category, -allocation.bytes);
    const buffers = this.#free.get(allocation.bytes) ?? [];
    this.#free.set(allocation.bytes, buffers);
    let place = buffers.length;
    while (place > 0 && buffers[place - 1]!.serial < allocation.serial) place--;
    buffers.splice(place, 0, { buffer: allocation.buffer, serial: allocation.serial });
  }

  #count(category: Category, bytes: number): void {
    const live = (this.#live.get(category) ?? 0) + bytes;
    this.#live.set(category, live);
    this.#peak.set(category, Math.max(this.#peak.get(category) ?? 0, live));
    this.#liveBytes += bytes;
    this.#peakBytes = Math.max(this.#peakBytes, this.#liveBytes);
  }
}
