/** @file The registry: one line per chart, in the order of the report. */
import type { Chart } from "./chart.ts";
import { costToTarget } from "./cost_to_target.ts";
import { differenceOverTasks } from "./difference_over_tasks.ts";
import { discrepancyByKind } from "./discrepancy_by_kind.ts";
import { discrepancyByLayer } from "./discrepancy_by_layer.ts";
import { discrepancyByModule } from "./discrepancy_by_module.ts";
import { discrepancyByStep } from "./discrepancy_by_step.ts";
import { effectiveRankByStep } from "./effective_rank_by_step.ts";
import { growthOfPeakBytes } from "./growth_of_peak_bytes.ts";
import { growthOfStepTime } from "./growth_of_step_time.ts";
import { improvementOverTasks } from "./improvement_over_tasks.ts";
import { inspectedByStep } from "./inspected_by_step.ts";
import { lossByRate } from "./loss_by_rate.ts";
import { lossBySeconds } from "./loss_by_seconds.ts";
import { lossByStep } from "./loss_by_step.ts";
import { moveOfAByStep } from "./move_of_a_by_step.ts";
import { performanceProfile } from "./performance_profile.ts";
import { ranksKept } from "./ranks_kept.ts";
import { scoreAgainstCost } from "./score_against_cost.ts";
import { scoreAgainstDiscrepancy } from "./score_against_discrepancy.ts";
import { scoreAgainstForgetting } from "./score_against_forgetting.ts";
import { scoreByRank } from "./score_by_rank.ts";
import { scoreByRate } from "./score_by_rate.ts";
import { scoreByTask } from "./score_by_task.ts";
import { secondOrderByStep } from "./second_order_by_step.ts";

/** Every chart of a report. */
export const charts: readonly Chart[] = [
  differenceOverTasks,
  performanceProfile,
  improvementOverTasks,
  scoreByRank,
  scoreByTask,
  lossByStep,
  lossBySeconds,
  costToTarget,
  scoreAgainstCost,
  scoreAgainstForgetting,
  discrepancyByStep,
  discrepancyByLayer,
  discrepancyByKind,
  discrepancyByModule,
  scoreAgainstDiscrepancy,
  secondOrderByStep,
  moveOfAByStep,
  effectiveRankByStep,
  ranksKept,
  inspectedByStep,
  lossByRate,
  scoreByRate,
  growthOfStepTime,
  growthOfPeakBytes,
];

/** Charts that stand beside the answer, by id, the one to be shown first. */
export const ANSWER_CHARTS: readonly string[] = [
  performanceProfile,
  scoreByRank,
  growthOfStepTime,
  growthOfPeakBytes,
].map((
  { id },
) => id);

/** Charts that say why, by id. */
export const WHY_CHARTS: readonly string[] = [discrepancyByStep, scoreAgainstDiscrepancy].map(({ id }) => id);
