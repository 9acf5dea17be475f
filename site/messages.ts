/** @file What the page and its worker say to each other. */
import { z } from "zod";
import { FEWEST_PAIRS, LOOKS } from "../benchmarks/statistics/looks.ts";

const ids = z.array(z.string()).min(1);

/** What can be asked for. */
export const Comparison = z.discriminatedUnion("kind", [
  /** Methods on tasks, each with so many seeds, as `./run bench quick` does it. */
  z.strictObject({
    kind: z.literal("bench"),
    tasks: ids,
    methods: ids,
    rank: z.int().min(1),
    seeds: z.int().min(1).max(64),
    /** The task's own where absent. */
    steps: z.int().min(1).exactOptional(),
  }),
  /** Two methods on a task until it is decided which is better, as `./run settle` does it. */
  z.strictObject({
    kind: z.literal("settle"),
    tasks: ids.max(1),
    methods: ids.min(2),
    rank: z.int().min(1),
    within: z.number().positive().max(1),
    /** Time for all runs together, e.g. "30m". */
    budget: z.string(),
    /** The method that all others are compared with; where absent, the first is compared with each of the others. */
    against: z.string().exactOptional(),
    /** Nothing is decided before so many pairs; the fewest that can decide where absent. */
    atLeast: z.int().min(FEWEST_PAIRS).max(LOOKS.at(-1)!).exactOptional(),
    /** The task's own where absent. */
    steps: z.int().min(1).exactOptional(),
  }),
  /** The question of a report's link. */
  z.strictObject({ kind: z.literal("question"), question: z.string() }),
  /** The runs of a report's link. */
  z.strictObject({ kind: z.literal("runs"), runs: z.string() }),
]);
export type Comparison = z.infer<typeof Comparison>;

/** What the page asks of the worker. */
export type Request =
  | { readonly type: "look" | "start"; readonly comparison: unknown }
  | { readonly type: "stop" }
  | { readonly type: "download" | "forget"; readonly name: string };

/** An entry of a list to choose from. */
export interface Choice {
  readonly id: string;
  readonly title: string;
}

/** A comparison that was begun here. */
export interface Begun {
  readonly name: string;
  readonly comparison: Comparison;
  readonly title: string;
  /** Runs that are stored. */
  readonly stored: number;
  /** True where its report is there. */
  readonly isDone: boolean;
}

/** What the worker tells the page. */
export type Message =
  | {
    readonly type: "ready";
    /** Null where there is no adapter. */
    readonly adapter: {
      readonly name: string;
      readonly isSoftware: boolean;
      readonly mostBufferBytes: number;
      readonly hasHalf: boolean;
    } | null;
    /** Why nothing can be trained here, and what to do about it, in one sentence; null where it can. */
    readonly lack: string | null;
    readonly browser: string;
    readonly commit: string;
    readonly tasks: readonly Choice[];
    readonly methods: readonly Choice[];
    readonly begun: readonly Begun[];
  }
  | {
    readonly type: "outlook";
    readonly name: string;
    /** What does the same on the command line; null for what a link asks. */
    readonly command: string | null;
    readonly question: string;
    /** What deciding a question would take, a sentence each; none for runs that are known beforehand. */
    readonly takes: readonly string[];
    /** 0 for a question. */
    readonly runs: number;
    readonly stored: number;
    readonly peakBytes: number;
  }
  | { readonly type: "refused"; readonly sentence: string }
  | { readonly type: "begun"; readonly name: string }
  | { readonly type: "stage"; readonly what: string }
  | { readonly type: "count"; readonly done: number; readonly total: number }
  | {
    readonly type: "run";
    readonly id: string;
    readonly name: string;
    readonly method: string;
    readonly seed: number;
    readonly steps: number;
  }
  | {
    readonly type: "progress";
    readonly phase: string;
    readonly step: number;
    readonly toGo: number | null;
    /** Points since the last message. */
    readonly trainLoss: readonly (readonly [step: number, value: number])[];
    readonly validationLoss: readonly (readonly [step: number, value: number])[];
    /** Means over target modules: of the step's distance from the full gradient, and of the least that there can be. */
    readonly discrepancy: readonly (readonly [step: number, error: number, bound: number | null])[];
  }
  | {
    readonly type: "finished";
    readonly id: string;
    readonly name: string;
    readonly score: number | null;
    readonly ms: number;
  }
  | { readonly type: "said"; readonly sentence: string }
  | {
    readonly type: "done";
    readonly name: string;
    readonly answer: readonly string[];
    readonly caveats: readonly string[];
    /** Where the report is, from the site; null where it was stopped. */
    readonly page: string | null;
    /** The same question with more time, where that is likely to decide what is not decided yet. */
    readonly more: { readonly minutes: number; readonly comparison: Comparison } | null;
  }
  | { readonly type: "failed"; readonly sentence: string }
  | { readonly type: "file"; readonly name: string; readonly blob: Blob }
  | { readonly type: "begunList"; readonly begun: readonly Begun[] };
