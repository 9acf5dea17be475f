/** @file How costs grow with size, and the models that were fitted to them. */
import { exponentOf, type Fit } from "../../cost/growth/fit.ts";
import { LEAST, type Overhead, overheadsOf } from "../../cost/growth/overhead.ts";
import { AXES, type Axis, type GrowthPoint } from "../../cost/growth/points.ts";
import { flopsOf } from "../../../training/cost/work.ts";
import { formatBytes, formatRank, formatSignificant } from "../format.ts";
import type { MethodGrowth, Study } from "../../study/study.ts";
import type { Table } from "../table.ts";

const time = ({ stepMs }: GrowthPoint) => stepMs;
const memory = ({ peakBytes }: GrowthPoint) => peakBytes;

/** Exponents of growth, and what fits without the largest size foretell of it; null where nothing varies. */
export function growthTable(study: Study): Table | null {
  const rows = lines(study).flatMap(({ name, line }) =>
    AXES.flatMap((axis) => {
      const exponent = exponentOf(line.points, axis, time), bytes = exponentOf(line.points, axis, memory);
      if (!exponent || !bytes) return [];
      const sizes = line.points.filter(({ axes }) => axes.includes(axis)).map(({ size }) => size[axis]!);
      return [[
        name,
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
    note: "Slopes on logarithmic scales: 1 is proportional growth, 0 none. “All” is over every size of the " +
      "axis, “end” over its two largest. “Foretold” is how far off a fit without the axis' largest size is " +
      "at that size: an honest test of a prediction, over one step of the axis.",
    columns: ["Method", "Axis", "Sizes", "Time: all", "end", "foretold", "Peak: all", "end", "foretold"],
    rows,
  };
}

/** What steps take beyond LoRA's, and where that has doubled; null where LoRA's growth was not measured beside another's. */
export function overheadsTable(study: Study): Table | null {
  const rows = overheadLines(study).flatMap(({ name, overheads }) =>
    overheads.map(({ axis, base, shares, doublesAt }) => {
      const last = shares.at(-1)!;
      return [
        name,
        axis,
        signed(base.share),
        signed(last.share),
        `${axis} ${last.at}`,
        doublesAt === null ? "—" : `${axis} ${Math.round(doublesAt)}`,
      ];
    })
  );
  if (rows.length === 0) return null;
  return {
    title: "What steps take beyond LoRA's",
    note:
      "A method's step less LoRA's in the same size, as a share of LoRA's. “Base” is the size in which the other " +
      "axes were varied. “Doubles” is the size above it, between two measured ones by their logarithms, at which the " +
      `share is twice the base's and at least ${
        percent(LEAST)
      }; a dash says that it is not so within the sizes.`,
    columns: ["Method", "Axis", "Base", "Largest", "at", "Doubles"],
    rows,
  };
}

/** The fitted coefficients of step time; null where nothing was fitted. */
export function timeModelTable(study: Study): Table | null {
  const rows = lines(study).flatMap(({ name, line: { time } }) =>
    time === null ? [] : [[
      name,
      time.coefficients["step"]!.toFixed(1),
      time.coefficients["maps"]!.toFixed(2),
      rateOf(time.coefficients["wide"]!),
      rateOf(time.coefficients["thin"]!),
      rateOf(time.coefficients["bytes"]!),
      String(time.points),
      time.r2.toFixed(3),
      percent(time.largestError),
    ]]
  );
  if (rows.length === 0) return null;
  return {
    title: "Fitted step time",
    note:
      "A constant + a constant for each linear map of the model + FLOPs over a rate, for products of full " +
      "size and for thin products and updates, + memory traffic over a bandwidth. FLOPs and traffic are " +
      "counted by formula; the coefficients are fitted to relative errors and held at 0 or above. A dash is " +
      "a term that explains nothing beside the others. Terms that grow alike can't be told apart, so trust " +
      "single coefficients less than their sum.",
    columns: [
      "Method",
      "Step, ms",
      "Map, ms",
      "Full-size, GFLOP/s",
      "Thin, GFLOP/s",
      "Memory, GB/s",
      "Sizes",
      "R²",
      "Largest error",
    ],
    rows,
  };
}

/** The fitted coefficients of peak bytes; null where nothing was fitted. */
export function memoryModelTable(study: Study): Table | null {
  const rows = lines(study).flatMap(({ name, line: { memory } }) =>
    memory === null ? [] : [[
      name,
      memory.coefficients["persistent"]!.toFixed(3),
      memory.coefficients["activations"]!.toFixed(3),
      String(memory.points),
      memory.r2.toFixed(4),
      percent(memory.largestError),
    ]]
  );
  if (rows.length === 0) return null;
  return {
    title: "Fitted peak bytes",
    note:
      "A multiple of the bytes that are alive all the time (weights, factors, gradients of what is trained, state) + a " +
      "multiple of those that a forward pass leaves for its backward pass. Both are counted by formula.",
    columns: [
      "Method",
      "Bytes a permanent byte",
      "Bytes an activation byte",
      "Sizes",
      "R²",
      "Largest error",
    ],
    rows,
  };
}

/** Every measured size beside its fitted cost; null where nothing varies. */
export function sizesTable(study: Study): Table | null {
  const rows = lines(study).flatMap(({ name, line }) =>
    line.points.toSorted(bySize).map((point) => [
      name,
      String(point.size.tokens),
      String(point.size.width),
      String(point.size.layers),
      formatRank(point.size.rank),
      formatSignificant(flopsOf(point.count) / 1e9),
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

/** Methods with their points; named with the task where there are several. */
function lines(study: Study): { name: string; line: MethodGrowth }[] {
  return study.growth.flatMap(({ task, methods }) =>
    methods.map((line) => ({
      name: study.growth.length > 1 ? `${line.method.label}, ${task.title}` : line.method.label,
      line,
    }))
  );
}

/** Methods beside LoRA with what their steps take beyond LoRA's. */
export function overheadLines(
  study: Study,
): { readonly name: string; readonly overheads: readonly Overhead[] }[] {
  return study.growth.flatMap(({ task, methods }) => {
    const lora = methods.find(({ method }) => method.optimizer === "lora");
    return lora === undefined ? [] : methods.filter((line) => line !== lora).map(({ method, points }) => ({
      name: study.growth.length > 1 ? `${method.label}, ${task.title}` : method.label,
      overheads: points.length === 0 ? [] : overheadsOf(points, lora.points),
    }));
  });
}

function bySize(one: GrowthPoint, other: GrowthPoint): number {
  const differences = AXES.map((axis) => (one.size[axis] ?? 0) - (other.size[axis] ?? 0));
  return differences.find((difference) => difference !== 0) ?? 0;
}

function heldOut(fit: Fit | null, axis: Axis): string {
  const found = fit?.heldOut.find((one) => one.axis === axis);
  if (!found) return "—";
  const rounded = (100 * Math.abs(found.error)).toFixed(1);
  return `${found.error < 0 && Number(rounded) > 0 ? "−" : "+"}${rounded}%`;
}

/** "+11%", "−2.0%". */
function signed(share: number): string {
  return `${share < 0 ? "−" : "+"}${percent(Math.abs(share))}`;
}

/** Milliseconds a unit as 10⁹ units a second. */
function rateOf(msPerUnit: number): string {
  return msPerUnit === 0 ? "—" : formatSignificant(1 / (1e6 * msPerUnit));
}

function percent(share: number): string {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)}%`;
}
