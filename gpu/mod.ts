/** The device: tensors, kernels, launches. Knows nothing of learning. @module */
export {
  Gpu,
  type GpuInfo,
  type Hardware,
  type LiveBuffer,
  openGpu,
  type OpenOptions,
  type Pack,
  type Path,
  PATHS,
  type Work,
  type WriteLog,
} from "./gpu.ts";
export { defineKernel, type Kernel, type KernelSpec, type Launch, lineOfGroups } from "./kernel.ts";
export type { Category, Memory, Scope } from "./pool.ts";
export type { KernelTime } from "./profiler.ts";
export {
  alignBytes,
  allocatedBytes,
  byteLength,
  type DType,
  elementCount,
  type HostArrays,
  type LowPrecision,
  type Shape,
  type Tensor,
  withShape,
} from "./tensor.ts";
