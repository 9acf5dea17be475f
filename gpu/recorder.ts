/** @file One command buffer until it is submitted; bind groups and uniform slots are reused. */
import { type Kernel, type KernelSpec, type Launch, MOST_GROUPS } from "./kernel.ts";
import { type Pipelines, UNIFORM_BYTES } from "./pipelines.ts";
import type { Profiler } from "./profiler.ts";
import { byteLength, type DType, type Tensor } from "./tensor.ts";

/** Dispatches of one command buffer; a longer one is submitted in parts. */
const SLOTS = 4096;

/** Records dispatches, copies and clears. */
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
  readonly #bindGroups = new Map<string, GPUBindGroup>();
  readonly #bufferKeys = new Map<GPUBuffer, number>();
  #nextBufferKey = 0;
  #encoder: GPUCommandEncoder | null = null;
  #pass: GPUComputePassEncoder | null = null;
  #slot = 0;
  #lastKernel = "";

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

  launch<S extends KernelSpec>(kernel: Kernel<S>, launch: Launch<S>): void {
    const { spec } = kernel;
    const tensors = Object.keys(spec.buffers).map((name) => launch.buffers[name]!);
    this.#check(spec, tensors, launch.workgroups);
    if (this.#slot === SLOTS) this.submit();
    const pipeline = this.#pipelines.pipeline(kernel, launch.constants ?? {});
    const group = this.#bindGroup(kernel, tensors);
    const offsets = Object.keys(spec.uniforms).length > 0 ? [this.#writeUniforms(spec, launch.uniforms)] : [];
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
  }

  copy(source: Tensor<DType>, target: { readonly buffer: GPUBuffer; readonly offset: number }): void {
    this.#endPass();
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

  #writeUniforms(spec: KernelSpec, uniforms: Readonly<Record<string, number>>): number {
    const offset = this.#slot++ * UNIFORM_BYTES;
    let word = offset / 4;
    for (const [name, type] of Object.entries(spec.uniforms)) this.#words[type][word++] = uniforms[name]!;
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
    return group;
  }

  #bufferKey(buffer: GPUBuffer): number {
    let key = this.#bufferKeys.get(buffer);
    if (key === undefined) this.#bufferKeys.set(buffer, key = this.#nextBufferKey++);
    return key;
  }

  #check(
    spec: KernelSpec,
    tensors: readonly Tensor<DType>[],
    workgroups: readonly (number | undefined)[],
  ): void {
    for (const count of workgroups) {
      if (count !== undefined && !(Number.isInteger(count) && count >= 1 && count <= MOST_GROUPS)) {
        throw new RangeError(
          `Cannot launch "${spec.name}" on [${workgroups}] workgroups: 1 to ${MOST_GROUPS} a dimension are allowed`,
        );
      }
    }
    const access = Object.values(spec.buffers);
    const limit = this.#device.limits.maxStorageBufferBindingSize;
    for (const [i, tensor] of tensors.entries()) {
      if (boundBytes(tensor) > limit) {
        throw new RangeError(
          `Cannot launch "${spec.name}": "${tensor.label}" [${tensor.shape}] has ${
            byteLength(tensor)
          } bytes, this adapter binds ${limit}`,
        );
      }
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

/** Kernels may read whole vectors of four, so bindings end on 16 bytes; allocations are multiples of 256. */
function boundBytes(tensor: Tensor<DType>): number {
  return Math.ceil(byteLength(tensor) / 16) * 16;
}
