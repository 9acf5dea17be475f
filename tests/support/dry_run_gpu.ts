/**
 * @file A dry-run GPU: it allocates, packs, launches and counts as a real one does, and has no memory behind it.
 * What shapes and memory of models are checked with that no test could hold.
 */
import { Gpu } from "../../gpu/gpu.ts";
import type { WeightSource } from "../../models/weights.ts";
import { elementCount } from "../../gpu/tensor.ts";

/** Limits of a large GPU; what is not here no launcher asks for. */
const LIMITS = {
  maxBufferSize: 2 ** 40,
  maxStorageBufferBindingSize: 2 ** 32 - 4,
  maxStorageBuffersPerShaderStage: 16,
  maxComputeWorkgroupStorageSize: 48 * 1024,
  maxComputeInvocationsPerWorkgroup: 1024,
  maxComputeWorkgroupSizeX: 1024,
  maxComputeWorkgroupsPerDimension: 65535,
};

/** What a test may watch of a dry-run GPU's queue. */
type Watched = Partial<Pick<GPUQueue, "writeBuffer" | "submit">>;

/** A GPU of which everything but its contents is real. Whatever is downloaded is 0. */
export function dryRunGpu(watched: Watched = {}): Gpu {
  const never = new Promise<never>(() => {});
  const nothing = (): unknown => part;
  // Encoders, passes, layouts, pipelines and bind groups: whatever is asked of them is done.
  const part: unknown = new Proxy({}, { get: (_, name) => name === "then" ? undefined : nothing });
  const device = {
    limits: LIMITS,
    lost: never,
    queue: { writeBuffer() {}, submit() {}, onSubmittedWorkDone: () => Promise.resolve(), ...watched },
    addEventListener() {},
    pushErrorScope() {},
    popErrorScope: () => Promise.resolve(null),
    createBuffer: ({ size, label }: GPUBufferDescriptor) => ({
      size,
      label,
      destroy() {},
      mapAsync: () => Promise.resolve(),
      getMappedRange: () => new ArrayBuffer(size),
    }),
    createBindGroupLayout: nothing,
    createPipelineLayout: nothing,
    createShaderModule: nothing,
    createComputePipeline: nothing,
    createCommandEncoder: nothing,
    createBindGroup: () => ({}),
    destroy() {},
  };
  return new Gpu(device as unknown as GPUDevice, {
    adapter: "paper",
    backend: "none",
    features: [],
    limits: LIMITS,
    software: false,
  });
}

/** Weights that are all 0: the system gives memory only to what is read or written. */
export const zeroWeights: WeightSource = (_, shape) => new Float32Array(elementCount(shape));
