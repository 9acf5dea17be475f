/** @file How costs grow with size, and the models that were fitted to them. */
import { exponentOf, type Fit } from "../../growth/fit.ts";
import { AXES, type Axis, type GrowthPoint } from "../../growth/points.ts";
import { flopsOf } from "../../../training/work.ts";
import { formatBytes, formatDifference, formatRank } from "../format.ts";
import type { MethodGrowth, Study, Table } from "../report.ts";

const time = ({ stepMs }: GrowthPoint) => stepMs;
const memory = ({ peakBytes }: GrowthPoint) => peakBytes;

/** Exponents of growth, and what fits without the largest size foretell of it; null where nothing varies. */
export function growthTable(study: Study): Table | null {
  const rows = lines(study).flatMap(({ task, line }) =>
    AXES.flatMap((axis) => {
      const exponent = exponentOf(line.points, axis, time), bytes = exponentOf(line.points, axis, memory);
      if (!exponent || !bytes) return [];
      const sizes = line.points.filter(({ axes }) => axes.includes(axis)).map(({ size }) => size[axis]!);
      return [[
        task,
        line.method.label,
        axis,
        `${Math.min(...sizes)} to ${Math.max(...sizes)}`,
        exponent.overall.toFixed(2),
        exponent.last.toFixed(2),
        heldOut(line.time, axis),
        bytes.overall.toFixed(2),
        bytes.last.toFixed(2),
        heldOut(line.memory, axis),
      ]];
    })
  );
  if (rows.length === 0) return null;
  return {
    title: "How costs grow",
    note:
      "Slopes on logarithmic scales: 1 is proportional growth, 0 none. “All” is over every size of the axis, “end” over " +
      "its two largest. “Foretold” is how far a model that never saw the axis' largest size is off there: the honest " +
      "test of a prediction, over one step of the axis.",
    columns: [
      "Task",
      "Method",
      "Axis",
      "Sizes",
      "Time: all",
      "Time: end",
      "Time: foretold",
      "Peak: all",
      "Peak: end",
      "Peak: foretold",
    ],
    rows,
  };
}

/** The fitted coefficients; null where nothing varies. */
export function costModelTable(study: Study): Table | null {
  const rows = lines(study).flatMap(({ task, line }) => {
    if (!line.time || !line.memory) return [];
    const { coefficients: ms } = line.time, { coefficients: bytes } = line.memory;
    return [[
      task,
      line.method.label,
      String(line.time.points),
      ms["step"]!.toFixed(1),
      ms["maps"]!.toFixed(2),
      rateOf(ms["wide"]!),
      rateOf(ms["thin"]!),
      rateOf(ms["bytes"]!),
      line.time.r2.toFixed(3),
      percent(line.time.largestError),
      bytes["persistent"]!.toFixed(2),
      bytes["activations"]!.toFixed(2),
      line.memory.r2.toFixed(3),
      percent(line.memory.largestError),
    ]];
  });
  if (rows.length === 0) return null;
  return {
    title: "Cost models",
    note:
      "Step time = a constant + a constant for each linear map + FLOPs over a rate, for products of full size and for " +
      "thin ones and updates, + memory traffic over a bandwidth. Peak bytes = a multiple of what is alive all the time " +
      "(weights, factors, gradients, state) + a multiple of what a forward pass leaves for its backward pass. FLOPs, " +
      "traffic and bytes are counted by formula; the coefficients are fitted to relative errors and held at 0 or above. " +
      "A dash is a term that explains nothing beside the others: terms that grow alike can't be told apart, so single " +
      "coefficients are weaker than the sum.",
    columns: [
      "Task",
      "Method",
      "Sizes",
      "Step, ms",
      "Map, ms",
      "Full-size, GFLOP/s",
      "Thin, GFLOP/s",
      "Memory, GB/s",
      "Time: R²",
      "largest error",
      "Bytes a permanent byte",
      "Bytes an activation byte",
      "Peak: R²",
      "largest error",
    ],
    rows,
  };
}

/** Every measured size beside its fitted cost; null where nothing varies. */
export function sizesTable(study: Study): Table | null {
  const rows = lines(study).flatMap(({ task, line }) =>
    line.points.map((point) => [
      task,
      line.method.label,
      String(point.size.tokens),
      String(point.size.width),
      String(point.size.layers),
      formatRank(point.size.rank),
      (flopsOf(point.count) / 1e9).toPrecision(3),
      point.stepMs.toFixed(1),
      line.time ? line.time.predict(point.count).toFixed(1) : "—",
      formatBytes(point.peakBytes),
      line.memory ? formatBytes(Math.round(line.memory.predict(point.count))) : "—",
    ])
  );
  if (rows.length === 0) return null;
  return {
    title: "Measured sizes",
    note: "Medians over seeds. GFLOP are counted by formula, a multiplication and an addition as two.",
    columns: [
      "Task",
      "Method",
      "Tokens",
      "Width",
      "Layers",
      "Rank",
      "GFLOP",
      "Step, ms",
      "fitted",
      "Peak",
      "fitted",
    ],
    rows,
  };
}

function lines(study: Study): { task: string; line: MethodGrowth }[] {
  return study.growth.flatMap(({ task, methods }) => methods.map((line) => ({ task: task.title, line })));
}

function heldOut(fit: Fit | null, axis: Axis): string {
  const found = fit?.heldOut.find((one) => one.axis === axis);
  return found ? `${formatDifference(100 * found.error).replace(/\.\d+$/, "")}%` : "—";
}

/** Milliseconds a unit as 10⁹ units a second. */
function rateOf(msPerUnit: number): string {
  return msPerUnit === 0 ? "—" : (1 / (1e6 * msPerUnit)).toPrecision(3);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)}%`;
}
