/** @file The runs of a cell at one learning rate. */
import type { RunResult } from "../../training/run.ts";
import type { DoneRun, RunsAtRate } from "./study.ts";

/** Those of some results that ran at a rate, by seed. */
export function runsAt(learningRate: number, results: readonly RunResult[]): RunsAtRate {
  const own = results.filter(({ config }) => config.schedule.learningRate === learningRate)
    .toSorted((a, b) => a.config.seed - b.config.seed);
  return {
    learningRate,
    runs: own.filter((result): result is DoneRun => result.status === "done"),
    diverged: own.filter((result) => result.status === "diverged").map((result) => result.config.seed),
  };
}
