/** @file What a comparison found: the JSON that `--json` prints, and the table for people. */
import type { Peer } from "./peer.ts";

/** A library on a problem. */
export interface Row extends Pick<Peer, "name" | "backend"> {
  /** E.g. "L2 V64": layers and vocabulary. */
  readonly config: string;
  /** Median over rounds; null where it could not run. */
  readonly msPerStep: number | null;
  /** Loss of the last compared step; null where it could not run. */
  readonly loss: number | null;
  /** Losses of the compared steps. */
  readonly losses?: readonly number[];
  /** Largest difference from our losses, relative to them. */
  readonly lossDifference?: number;
  /** The first step, with whatever is compiled then. */
  readonly firstStepMs?: number;
  /** Processor time of all threads, the software adapter's too; not known of another process. Median over rounds. */
  readonly cpuMsPerStep?: number;
  /** Least and most of all rounds. */
  readonly spread?: readonly [number, number];
  /** Timed steps of a round. */
  readonly steps?: number;
  readonly rounds?: number;
  /** What a reader should know of how it ran. */
  readonly note?: string;
  /** Why it could not run. */
  readonly error?: string;
}

/** Our step beside its own matrix products. Rates in GFLOP/s, times in milliseconds, medians over rounds. */
export interface OurStep {
  readonly config: string;
  /** Of the weights' matrix products of one step. */
  readonly gflop: number;
  readonly matmulMs: number;
  readonly matmulGflops: number;
  readonly stepMs: number;
  /** Whole step over its weight products. */
  readonly stepOverMatmuls: number;
  /** Best median rate of a few large products. */
  readonly bestGflops: number;
  /** The product that had it. */
  readonly bestProduct: string;
  /** The weight products' rate over the best. */
  readonly shareOfBest: number;
  /** Two of the above in processor time, which other work on the machine changes less. Void on a real GPU. */
  readonly byCpuTime: Pick<OurStep, "stepOverMatmuls" | "shareOfBest">;
}

/** Everything that a run prints. */
export interface Outcome {
  /** The adapter's own description. */
  readonly adapter: string;
  readonly rows: readonly Row[];
  readonly ourStep: { readonly configs: readonly OurStep[] };
  /** How it was measured, in a few sentences. */
  readonly method: string;
}

/** Largest |theirs - ours| / |ours|. Infinite where one is not a number or the counts differ. */
export function lossDifference(ours: readonly number[], theirs: readonly number[]): number {
  if (ours.length !== theirs.length) return Infinity;
  const differences = ours.map((loss, i) => Math.abs(theirs[i]! - loss) / Math.abs(loss));
  return differences.every(Number.isFinite) ? Math.max(...differences) : Infinity;
}

/** The tables that are printed without `--json`. */
export function formatOutcome({ adapter, rows, ourStep, method }: Outcome): string {
  const ourTimes = new Map(
    rows.filter(({ name }) => name === "ours").map((row) => [row.config, row.msPerStep]),
  );
  const peers = rows.map((row) => {
    const label = [row.config, row.name, row.backend];
    if (row.msPerStep === null) return [...label, `did not run: ${row.error}`];
    const ratio = row.msPerStep / (ourTimes.get(row.config) ?? NaN);
    return [
      ...label,
      row.msPerStep.toFixed(1),
      row.spread!.map((ms) => ms.toFixed(1)).join("-"),
      row.cpuMsPerStep?.toFixed(1) ?? "",
      `${ratio.toFixed(2)}x`,
      row.loss!.toFixed(5),
      row.lossDifference!.toExponential(0),
      (row.firstStepMs! / 1000).toFixed(1),
      `${row.rounds} x ${row.steps}`,
      row.note ?? "",
    ];
  });
  const steps = ourStep.configs.map((step) => [
    step.config,
    step.gflop.toFixed(2),
    step.stepMs.toFixed(1),
    step.matmulMs.toFixed(1),
    step.stepOverMatmuls.toFixed(2),
    step.byCpuTime.stepOverMatmuls.toFixed(2),
    step.matmulGflops.toFixed(1),
    `${step.bestGflops.toFixed(1)} (${step.bestProduct})`,
    `${(100 * step.shareOfBest).toFixed(0)}%`,
    `${(100 * step.byCpuTime.shareOfBest).toFixed(0)}%`,
  ]);
  return [
    `One training step, full fine-tuning with AdamW, on ${adapter}`,
    "",
    formatTable(
      [
        ...["config", "library", "backend", "ms/step", "range", "CPU ms", "over ours", "loss", "loss off by"],
        ...["first step s", "timed steps", ""],
      ],
      peers,
    ),
    "",
    "Our step and its weight matmuls alone",
    "",
    formatTable(
      [
        ...["config", "GFLOP", "step ms", "matmuls ms", "step / matmuls", "by CPU time", "matmul GFLOP/s"],
        ...["best GFLOP/s", "of best", "by CPU time"],
      ],
      steps,
    ),
    "",
    method,
  ].join("\n");
}

/** Columns as wide as their widest entry; a row's last entry may run on. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) =>
    Math.max(...all.map((row) => column === row.length - 1 ? 0 : (row[column] ?? "").length))
  );
  return all.map((row) => row.map((text, column) => text.padEnd(widths[column]!)).join("  ").trimEnd()).join(
    "\n",
  );
}
