/** @file The contract of a chart. */
import type { Study } from "../../study/study.ts";
import type { Drawing } from "../drawing/lay_out.ts";

/** One chart of a report. A new chart is one file that exports one of these, and a registry line. */
export interface Chart {
  /** File name of the emitted specification, e.g. "score-by-rank". */
  readonly id: string;
  readonly title: string;
  /** What a reader learns from it, in a sentence or two; the report's caption. */
  readonly caption: string;
  /** Pure. Null where the results hold nothing to show. */
  draw(study: Study): Drawing | null;
}
