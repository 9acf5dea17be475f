/** @file One command buffer until it is submitted; what was recorded once is not worked out again. */
import { type Kernel, type KernelSpec, type Launch, MAX_GROUPS } from "./kernel.ts";
import { type Pipelines, UNIFORM_BYTES } from "./pipelines.ts";
import type { Profiler } from "./profiler.ts";
import { byteLength, type DType, type Tensor } from "./tensor.ts";

/** Dispatches of one command buffer; a longer one is submitted in parts. */
const SLOTS = 4096;

/** What a kernel's spec says, listed once. */
interface Outline {
  readonly buffers: readonly string[];
  readonly uniforms: readonly (readonly [name: string, type: "u32" | "i32" | "f32"])[];
  readonly constants: readonly (readonly [name: string, standard: number])[];
}

/** A dispatch as it was recorded at this place of an earlier command buffer. */
interface Recorded {
  readonly kernel: Kernel;
  readonly constants: readonly number[];
  /** The buffer, first byte and bound bytes of each tensor. */
  readonly places: readonly (GPUBuffer | number)[];
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  /** Buffers that it writes. */
  readonly writes: readonly GPUBuffer[];
}

/**
 * Records dispatches, copies and clears.
 *
 * Training repeats itself: the dispatch at a place of a command buffer is mostly the one that stood there in the command
 * buffer before, on the same buffers. Each is compared with that one, and its pipeline and bind group are taken over;
 * only uniforms are written anew.
 */
export class Recorder {
  readonly #device: GPUDevice;
  readonly #pipelines: Pipelines;
  readonly #fail: (error: Error) => void;
  readonly #ring: GPUBuffer;
  readonly #staging = new ArrayBuffer(SLOTS * UNIFORM_BYTES);
  readonly #words = {
    u32: new Uint32Array(this.#staging),
    i32: new Int32Array(this.#staging),
    f32: new Float32Array(this.#staging),
  };
  readonly #outlines = new Map<Kernel, Outline>();
  readonly #recorded: Recorded[] = [];
  #place = 0;
  readonly #bindGroups = new Map<string, GPUBindGroup>();
  readonly #bufferKeys = new Map<GPUBuffer, number>();
  #nextBufferKey = 0;
  #encoder: GPUCommandEncoder | null = null;
  #pass: GPUComputePassEncoder | null = null;
  #slot = 0;
  #lastKernel = "";
  #dispatches = 0;
  #submits = 0;
  #groups = 0;
  readonly #kernels = new Set<string>();

  /** Set while somebody asks which buffers are written. */
  written: Set<GPUBuffer> | null = null;
  /** Set while a profile is taken: each dispatch then has a pass of its own. */
  profiler: Profiler | null = null;

  constructor(device: GPUDevice, pipelines: Pipelines, fail: (error: Error) => void) {
    this.#device = device;
    this.#pipelines = pipelines;
    this.#fail = fail;
    this.#ring = device.createBuffer({
      label: "uniforms",
      size: SLOTS * UNIFORM_BYTES,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
  }

  /** What was recorded since `resetWork`: see `Work`. */
  get work(): { dispatches: number; submits: number; bindGroups: number; kernels: string[] } {
    return {
      dispatches: this.#dispatches,
      submits: this.#submits,
      bindGroups: this.#groups,
      kernels: [...this.#kernels].sort(),
    };
  }

  resetWork(): void {
    this.#dispatches = this.#submits = this.#groups = 0;
    this.#kernels.clear();
  }

  launch<S extends KernelSpec>(kernel: Kernel<S>, launch: Launch<S>): void {
    const { spec } = kernel, outline = this.#outlineOf(kernel);
    checkWorkgroups(spec, launch.workgroups);
    if (this.#slot === SLOTS) this.submit();
    const { pipeline, group, writes } = this.#resolve(kernel, outline, launch);
    if (this.written) { for (const buffer of writes) this.written.add(buffer); }
    const offsets = outline.uniforms.length > 0 ? [this.#writeUniforms(outline, launch.uniforms)] : [];
    if (this.profiler) {
      if (this.profiler.full) {
        throw new RangeError(
          `Cannot profile more dispatches: "${spec.name}" is one too many for one profile`,
        );
      }
      this.#endPass();
    }
    const pass = this.#pass ??= this.#encode().beginComputePass({
      label: spec.name,
      ...(this.profiler ? { timestampWrites: this.profiler.writes(spec.name) } : {}),
    });
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group, offsets);
    const [x, y = 1, z = 1] = launch.workgroups;
    pass.dispatchWorkgroups(x, y, z);
    this.#lastKernel = spec.name;
    this.#dispatches++;
    this.#kernels.add(spec.name);
  }

  copy(source: Tensor<DType>, target: { readonly buffer: GPUBuffer; readonly offset: number }): void {
    this.#endPass();
    this.written?.add(target.buffer);
    this.#encode().copyBufferToBuffer(
      source.buffer,
      source.offset,
      target.buffer,
      target.offset,
      byteLength(source),
    );
  }

  clear(target: Tensor<DType>): void {
    this.#endPass();
    this.written?.add(target.buffer);
    this.#encode().clearBuffer(target.buffer, target.offset, byteLength(target));
  }

  /** Hands everything recorded so far to the GPU, without waiting. */
  submit(): void {
    if (!this.#encoder) return;
    this.#endPass();
    if (this.#slot > 0) {
      this.#device.queue.writeBuffer(this.#ring, 0, this.#staging, 0, this.#slot * UNIFORM_BYTES);
    }
    this.#device.queue.submit([this.#encoder.finish()]);
    this.#encoder = null;
    this.#slot = 0;
    this.#place = 0;
    this.#submits++;
    const last = this.#lastKernel;
    this.#device.popErrorScope().then((error) => {
      if (error) {
        this.#fail(new Error(`The GPU refused recorded work (last kernel "${last}"): ${error.message}`));
      }
    }, () => {});
  }

  /** Resolves a profile's timestamps into the current command buffer, which it submits. */
  submitProfile(profiler: Profiler): GPUBuffer | null {
    this.#endPass();
    const staging = profiler.resolve(this.#encode());
    this.submit();
    return staging;
  }

  /** Forgets bind groups, so that destroyed buffers can go. */
  forget(): void {
    this.#bindGroups.clear();
    this.#recorded.length = 0;
    this.#bufferKeys.clear();
  }

  destroy(): void {
    this.forget();
    this.#ring.destroy();
  }

  #encode(): GPUCommandEncoder {
    if (!this.#encoder) {
      this.#device.pushErrorScope("validation");
      this.#encoder = this.#device.createCommandEncoder();
    }
    return this.#encoder;
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = null;
  }

  #outlineOf(kernel: Kernel): Outline {
    let outline = this.#outlines.get(kernel);
    if (!outline) {
      const { buffers, uniforms, constants } = kernel.spec;
      outline = {
        buffers: Object.keys(buffers),
        uniforms: Object.entries(uniforms),
        constants: Object.entries(constants).map(([name, value]) => [name, Number(value)]),
      };
      this.#outlines.set(kernel, outline);
    }
    return outline;
  }

  /** Pipeline and bind group of a dispatch: those of this place before, where it is the same dispatch. */
  #resolve(kernel: Kernel, outline: Outline, launch: Launch<KernelSpec>): Recorded {
    const place = this.#place++, before = this.#recorded[place];
    if (before?.kernel === kernel && repeats(before, outline, launch)) return before;
    const tensors = outline.buffers.map((name) => launch.buffers[name]!);
    this.#check(kernel.spec, tensors);
    const recorded = {
      kernel,
      constants: outline.constants.map(([name, standard]) => Number(launch.constants?.[name] ?? standard)),
      places: tensors.flatMap((tensor) => [tensor.buffer, tensor.offset, boundBytes(tensor)]),
      pipeline: this.#pipelines.pipeline(kernel, launch.constants ?? {}),
      group: this.#bindGroup(kernel, tensors),
      writes: tensors.filter((_, i) => kernel.spec.buffers[outline.buffers[i]!] === "read_write").map((
        { buffer },
      ) => buffer),
    };
    this.#recorded[place] = recorded;
    return recorded;
  }

  #writeUniforms(outline: Outline, uniforms: Readonly<Record<string, number>>): number {
    const offset = this.#slot++ * UNIFORM_BYTES;
    let word = offset / 4;
    for (const [name, type] of outline.uniforms) this.#words[type][word++] = uniforms[name]!;
    return offset;
  }

  #bindGroup(kernel: Kernel, tensors: readonly Tensor<DType>[]): GPUBindGroup {
    const layout = this.#pipelines.layout(kernel);
    let key = `${layout.key}`;
    for (const tensor of tensors) {
      key += `,${this.#bufferKey(tensor.buffer)}:${tensor.offset}:${boundBytes(tensor)}`;
    }
    const known = this.#bindGroups.get(key);
    if (known) return known;
    const entries: GPUBindGroupEntry[] = tensors.map((tensor, binding) => ({
      binding,
      resource: { buffer: tensor.buffer, offset: tensor.offset, size: boundBytes(tensor) },
    }));
    if (Object.keys(kernel.spec.uniforms).length > 0) {
      entries.push({
        binding: tensors.length,
        resource: { buffer: this.#ring, offset: 0, size: UNIFORM_BYTES },
      });
    }
    const group = this.#device.createBindGroup({
      label: `${kernel.spec.name}(${tensors.map((tensor) => tensor.label).join(", ")})`,
      layout: layout.bindGroup,
      entries,
    });
    this.#bindGroups.set(key, group);
    this.#groups++;
    return group;
  }

  #bufferKey(buffer: GPUBuffer): number {
    let key = this.#bufferKeys.get(buffer);
    if (key === undefined) this.#bufferKeys.set(buffer, key = this.#nextBufferKey++);
    return key;
  }

  #check(spec: KernelSpec, tensors: readonly Tensor<DType>[]): void {
    const access = Object.values(spec.buffers);
    for (const [i, tensor] of tensors.entries()) {
      if (access[i] !== "read_write") continue;
      // WebGPU counts a read and a write of one buffer in one dispatch as a conflict, even at different places.
      for (const [j, other] of tensors.entries()) {
        if (
          i !== j && other.buffer === tensor.buffer &&
          (access[j] === "read" || other.offset === tensor.offset)
        ) {
          throw new Error(
            `Cannot launch "${spec.name}": it would write "${tensor.label}" and also use "${other.label}" of the same buffer`,
          );
        }
      }
    }
  }
}

function checkWorkgroups(spec: KernelSpec, workgroups: readonly (number | undefined)[]): void {
  for (const count of workgroups) {
    if (count !== undefined && !(Number.isInteger(count) && count >= 1 && count <= MAX_GROUPS)) {
      throw new RangeError(
        `Cannot launch "${spec.name}" on [${workgroups}] workgroups: 1 to ${MAX_GROUPS} a dimension are allowed`,
      );
    }
  }
}

function repeats(before: Recorded, outline: Outline, launch: Launch<KernelSpec>): boolean {
  let at = 0;
  for (const name of outline.buffers) {
    const tensor = launch.buffers[name]!;
    if (
      before.places[at++] !== tensor.buffer || before.places[at++] !== tensor.offset ||
      before.places[at++] !== boundBytes(tensor)
    ) return false;
  }
  const { constants = {} } = launch;
  return outline.constants.every(([name, standard], i) =>
    before.constants[i] === Number(constants[name] ?? standard)
  );
}

/** Kernels may read whole vectors of four, so bindings end on 16 bytes; allocations are multiples of 256. */
function boundBytes(tensor: Tensor<DType>): number {
  return Math.ceil(byteLength(tensor) / 16) * 16;
}
