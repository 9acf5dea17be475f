/** @file Time per kernel name from timestamp queries. */

/** GPU time of one kernel over a profile. */
export interface KernelTime {
  /** The kernel's name. */
  readonly kernel: string;
  /** Dispatches. */
  readonly launches: number;
  /** GPU time of all of them. */
  readonly milliseconds: number;
}

/** Two timestamps a pass; a pass holds one dispatch while a profile is taken. */
const CAPACITY = 2048;

/** Collects timestamps of single dispatches while it is running. */
export class Profiler {
  readonly #device: GPUDevice;
  readonly #queries: GPUQuerySet;
  readonly #resolved: GPUBuffer;
  readonly #times = new Map<string, { launches: number; milliseconds: number }>();
  #names: string[] = [];

  constructor(device: GPUDevice) {
    this.#device = device;
    this.#queries = device.createQuerySet({ type: "timestamp", count: 2 * CAPACITY });
    this.#resolved = device.createBuffer({
      label: "timestamps",
      size: 16 * CAPACITY,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    });
  }

  /** True where the next pass would find no room: submit and `collect` first. */
  get full(): boolean {
    return this.#names.length === CAPACITY;
  }

  /** Where the next pass, one dispatch of `kernel`, writes its times. */
  writes(kernel: string): GPUComputePassTimestampWrites {
    const slot = this.#names.push(kernel) - 1;
    return {
      querySet: this.#queries,
      beginningOfPassWriteIndex: 2 * slot,
      endOfPassWriteIndex: 2 * slot + 1,
    };
  }

  /** Copies the collected timestamps into a fresh buffer; call `collect` after the submit. */
  resolve(encoder: GPUCommandEncoder): GPUBuffer | null {
    if (this.#names.length === 0) return null;
    const bytes = 16 * this.#names.length;
    const staging = this.#device.createBuffer({
      label: "timestamps read back",
      size: bytes,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    encoder.resolveQuerySet(this.#queries, 0, 2 * this.#names.length, this.#resolved, 0);
    encoder.copyBufferToBuffer(this.#resolved, 0, staging, 0, bytes);
    return staging;
  }

  /** Adds up what a resolved buffer holds. */
  async collect(staging: GPUBuffer): Promise<void> {
    const names = this.#names;
    this.#names = [];
    await staging.mapAsync(GPUMapMode.READ);
    const stamps = new BigUint64Array(staging.getMappedRange().slice(0));
    staging.destroy();
    names.forEach((kernel, i) => {
      const time = this.#times.get(kernel) ?? { launches: 0, milliseconds: 0 };
      time.launches++;
      time.milliseconds += Number(stamps[2 * i + 1]! - stamps[2 * i]!) / 1e6;
      this.#times.set(kernel, time);
    });
  }

  /** Every kernel seen so far, the most expensive first. */
  times(): KernelTime[] {
    return [...this.#times].map(([kernel, time]) => ({ kernel, ...time })).sort((a, b) =>
      b.milliseconds - a.milliseconds
    );
  }

  destroy(): void {
    this.#queries.destroy();
    this.#resolved.destroy();
  }
}
