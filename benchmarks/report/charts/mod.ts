/** @file The registry: one line per chart, in the order of the report. */
import type { Chart } from "../report.ts";
import { discrepancyBySite } from "./discrepancy_by_site.ts";
import { discrepancyByStep } from "./discrepancy_by_step.ts";
import { effectiveRankByStep } from "./effective_rank_by_step.ts";
import { growthOfPeakBytes } from "./growth_of_peak_bytes.ts";
import { growthOfStepTime } from "./growth_of_step_time.ts";
import { inspectedByStep } from "./inspected_by_step.ts";
import { lossByRate } from "./loss_by_rate.ts";
import { lossBySeconds } from "./loss_by_seconds.ts";
import { lossByStep } from "./loss_by_step.ts";
import { moveOfAByStep } from "./move_of_a_by_step.ts";
import { scoreAgainstCost } from "./score_against_cost.ts";
import { scoreByRank } from "./score_by_rank.ts";
import { scoreByTask } from "./score_by_task.ts";
import { scoreByRate } from "./score_by_rate.ts";
import { secondOrderByStep } from "./second_order_by_step.ts";

/** Every chart of a report. */
export const charts: readonly Chart[] = [
  scoreByRank,
  scoreByTask,
  lossByStep,
  lossBySeconds,
  discrepancyByStep,
  discrepancyBySite,
  secondOrderByStep,
  moveOfAByStep,
  effectiveRankByStep,
  inspectedByStep,
  scoreAgainstCost,
  lossByRate,
  scoreByRate,
  growthOfStepTime,
  growthOfPeakBytes,
];
