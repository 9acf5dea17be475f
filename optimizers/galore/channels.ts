/** @file Rows or columns of a gradient, each times how far an optimizer went in its low-rank part, and the limit of that. */
import type { Gpu } from "../../gpu/gpu.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import { elementCount, type Tensor } from "../../gpu/tensor.ts";
import { composeKernel } from "../../kernels/wgsl/compose.ts";
import { groupsFor } from "../../kernels/wgsl/groups.ts";
import { rowGroups, rowLanes, type RowOptions } from "../../kernels/wgsl/rows.ts";
import { snippets } from "../../kernels/wgsl/snippets.ts";
import scalesSource from "./channel_scales.wgsl" with { type: "text" };
import limitSource from "./limit_growth.wgsl" with { type: "text" };
import scaleSource from "./scale_channels.wgsl" with { type: "text" };

const scalesKernel = composeKernel({
  name: "channel_scales",
  source: scalesSource,
  buffers: { n: "read", r: "read", g: "read", scales: "read_write", squares: "read_write" },
  uniforms: {
    rows: "u32",
    rank: "u32",
    length: "u32",
    low_channel: "u32",
    low_step: "u32",
    channel: "u32",
    step: "u32",
  },
  constants: { LANES: 1 },
  workgroupBytes: () => 64 * 4,
}, { snippets });
const limitKernel = composeKernel({
  name: "limit_growth",
  source: limitSource,
  buffers: { squares: "read", scales: "read_write", last: "read_write" },
  uniforms: { channels: "u32", growth: "f32" },
  constants: {},
  workgroupBytes: () => 64 * 4,
}, { snippets });
const scaleKernel = defineKernel({
  name: "scale_channels",
  source: scaleSource,
  buffers: { scales: "read", g: "read_write" },
  uniforms: { count: "u32", columns: "u32", by_rows: "u32" },
  constants: {},
});

/** What scales a gradient's channels. */
export interface ChannelScaling extends RowOptions {
  /** What the optimizer made of `low`, of either sign. */
  readonly direction: Tensor;
  /** The gradient's low-rank part: `[out, r]` where channels are rows, `[r, in]` where they are columns. */
  readonly low: Tensor;
  /** What channels are. */
  readonly channels: "rows" | "columns";
  /** The norm of the last one, `[1]`; 0 where there was none. */
  readonly last: Tensor;
  /** How many times `last` the norm may be; 0 for no limit. */
  readonly growth: number;
}

/**
 * Multiplies each channel of `gradient` `[out, in]` by |direction_j| / (|low_j| + 1e-8), and all of them so that the norm is at most
 * `growth` times the last one. In place, with `last`.
 */
export function scaleChannels(gpu: Gpu, gradient: Tensor, scaling: ChannelScaling): void {
  const { direction, low, last, growth } = scaling;
  const [out, columns] = gradient.shape as [number, number];
  const byRows = scaling.channels === "rows", channels = byRows ? out : columns;
  const rank = elementCount(low.shape) / channels;
  using _ = gpu.scope("channel scales", "scratch");
  const scales = gpu.empty([channels], "channel scales"), squares = gpu.empty([channels], "channel squares");
  // Columns lie side by side, so a lane each reads them as well as many could.
  const lanes = byRows ? rowLanes(gpu, scaling) : 1;
  gpu.launch(scalesKernel, {
    buffers: { n: direction, r: low, g: gradient, scales, squares },
    uniforms: byRows
      ? {
        rows: out,
        rank,
        length: columns,
        low_channel: rank,
        low_step: 1,
        channel: columns,
        step: 1,
      }
      : {
        rows: columns,
        rank,
        length: out,
        low_channel: 1,
        low_step: columns,
        channel: 1,
        step: columns,
      },
    constants: { LANES: lanes },
    workgroups: rowGroups(channels, lanes),
  });
  gpu.launch(limitKernel, {
    buffers: { squares, scales, last },
    uniforms: { channels, growth },
    workgroups: [1],
  });
  const count = elementCount(gradient.shape);
  gpu.launch(scaleKernel, {
    buffers: { scales, g: gradient },
    uniforms: { count, columns, by_rows: Number(byRows) },
    workgroups: groupsFor(count),
  });
}
