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

/** A GPU of which everything but its contents is real. Whatever is downloaded is 0. */
export function dryRunGpu(): Gpu {
  const never = new Promise<never>(() => {});
  const nothing = (): unknown => part;
  // Encoders, passes, layouts, pipelines and bind groups: whatever is asked of them is done.
  const part: unknown = new Proxy({}, { get: (_, name) => name === "then" ? undefined : nothing });
  const device = {
    limits: LIMITS,
    lost: never,
    queue: { writeBuffer() {}, submit() {}, onSubmittedWorkDone: () => Promise.resolve() },
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

let zeros = new Float32Array(0);

/** Weights that are all 0, and one array for all of them: the system gives memory to what is read or written alone. */
export const zeroWeights: WeightSource = (_, shape) => {
  const count = elementCount(shape);
  if (zeros.length < count) zeros = new Float32Array(count);
  return zeros.subarray(0, count);
};
