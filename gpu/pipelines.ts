/** @file Compiles a kernel once per set of constants, and checks what the driver does not. */
import type { Kernel, KernelSpec } from "./kernel.ts";

/** What a kernel's bind groups look like; shared by all its pipelines. */
export interface KernelLayout {
  readonly bindGroup: GPUBindGroupLayout;
  readonly pipeline: GPUPipelineLayout;
  /** A short number for cache keys. */
  readonly key: number;
}

/** Bytes of one uniform slot: 64 fields, and a multiple of every offset alignment that WebGPU allows. */
export const UNIFORM_BYTES = 256;

/** The pipelines of one device. */
export class Pipelines {
  readonly #device: GPUDevice;
  readonly #fail: (error: Error) => void;
  readonly #layouts = new Map<Kernel, KernelLayout>();
  readonly #modules = new Map<Kernel, GPUShaderModule>();
  readonly #pipelines = new Map<Kernel, Map<string, GPUComputePipeline>>();

  /** `fail` receives what the driver says later. */
  constructor(device: GPUDevice, fail: (error: Error) => void) {
    this.#device = device;
    this.#fail = fail;
  }

  layout(kernel: Kernel): KernelLayout {
    const known = this.#layouts.get(kernel);
    if (known) return known;
    const { name, buffers, uniforms } = kernel.spec;
    const access = Object.values(buffers);
    const most = this.#device.limits.maxStorageBuffersPerShaderStage;
    if (access.length > most) {
      throw new RangeError(
        `Cannot build kernel "${name}": it binds ${access.length} buffers, this adapter allows ${most}`,
      );
    }
    const entries: GPUBindGroupLayoutEntry[] = access.map((mode, binding) => ({
      binding,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type: mode === "read" ? "read-only-storage" : "storage" },
    }));
    if (Object.keys(uniforms).length > 0) {
      entries.push({
        binding: access.length,
        visibility: GPUShaderStage.COMPUTE,
        buffer: { type: "uniform", hasDynamicOffset: true },
      });
    }
    const bindGroup = this.#device.createBindGroupLayout({ label: name, entries });
    const layout = {
      bindGroup,
      pipeline: this.#device.createPipelineLayout({ label: name, bindGroupLayouts: [bindGroup] }),
      key: this.#layouts.size,
    };
    this.#layouts.set(kernel, layout);
    return layout;
  }

  pipeline(
    kernel: Kernel,
    constants: Readonly<Record<string, number | boolean | undefined>>,
  ): GPUComputePipeline {
    const values = fullConstants(kernel.spec, constants);
    const key = Object.values(values).join();
    let pipelines = this.#pipelines.get(kernel);
    if (!pipelines) this.#pipelines.set(kernel, pipelines = new Map());
    const known = pipelines.get(key);
    if (known) return known;
    const pipeline = this.#compile(kernel, values);
    pipelines.set(key, pipeline);
    return pipeline;
  }

  #compile(kernel: Kernel, constants: Readonly<Record<string, number>>): GPUComputePipeline {
    const { name, source, workgroupBytes } = kernel.spec;
    const used = workgroupBytes?.(constants) ?? 0;
    const limit = this.#device.limits.maxComputeWorkgroupStorageSize;
    if (used > limit) {
      throw new RangeError(
        `Cannot build kernel "${name}" with ${
          JSON.stringify(constants)
        }: it needs ${used} bytes of workgroup memory, this adapter has ${limit}`,
      );
    }
    this.#device.pushErrorScope("validation");
    let module = this.#modules.get(kernel);
    if (!module) {
      module = this.#device.createShaderModule({ label: name, code: source });
      this.#modules.set(kernel, module);
    }
    const pipeline = this.#device.createComputePipeline({
      label: name,
      layout: this.layout(kernel).pipeline,
      compute: { module, entryPoint: "main", constants: { ...constants } },
    });
    this.#device.popErrorScope().then((error) => {
      if (error) {
        this.#fail(
          new Error(`Cannot build kernel "${name}" with ${JSON.stringify(constants)}: ${error.message}`),
        );
      }
    }, () => {});
    return pipeline;
  }
}

function fullConstants(
  spec: KernelSpec,
  given: Readonly<Record<string, number | boolean | undefined>>,
): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(spec.constants).map(([name, value]) => [name, Number(given[name] ?? value)]),
  );
}
