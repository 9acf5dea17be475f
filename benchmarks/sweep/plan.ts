/** @file What a bench set out to do: `<out>/sweep.json`, from which reports know what is missing. */
import { z } from "zod";
import { runIds } from "../../training/run.ts";
import { RunConfig } from "../../training/schemas.ts";
import { writeWhole } from "../../files/write_file.ts";
import { readStored } from "../../training/stored_json.ts";
import { GpuRates } from "../cost/growth/predict.ts";
import { ChosenRate } from "../rates/rates.ts";
import { EQUALS } from "./axes.ts";
import { Described } from "./described.ts";
import { type Expansion, Margin, SweepSpec } from "./sweep.ts";

/** Two methods that were compared until it was decided, by the names that reports give them. */
export const SettledPair = z.strictObject({
  /** The task's id. */
  task: z.string(),
  title: z.string(),
  rank: z.number(),
  of: z.string(),
  against: z.string(),
  /** How much more the first scores. */
  difference: z.number(),
  interval: z.strictObject({ low: z.number(), high: z.number() }).nullable(),
  verdict: z.enum(["better", "worse", "same", "identical", "undecided"]),
  /** Differences of less are the same. */
  margin: z.number(),
  /** Pairs in which the first scores more, of how many. */
  wins: z.number(),
  pairs: z.number(),
});

/** A question's answer in a few words: see `Headline` of the report. */
export const SettledHeadline = z.strictObject({
  verdict: z.string(),
  what: z.string(),
  sure: z.string(),
  change: z.string(),
});

/** A run by its name. */
export const PlannedRun = z.strictObject({ id: z.string(), config: RunConfig });
export type PlannedRun = { readonly id: string; readonly config: RunConfig };

/** A sweep as it was asked for, with every run in full. */
export const Plan = z.strictObject({
  schema: z.literal(1),
  name: z.string(),
  question: z.string(),
  /** What was typed. */
  command: z.string(),
  /** The tuning sweep that the rates are from; null where they are stated. */
  ratesFrom: z.string().nullable(),
  rates: z.array(ChosenRate),
  notes: z.array(z.string()),
  /** What predictions are for, where the sweep or the command said so. */
  gpu: GpuRates.exactOptional(),
  /** What the runs took from files, for reports that are made without them. */
  described: Described.exactOptional(),
  /** What stayed as it was while fields varied. */
  equal: z.array(z.enum(EQUALS)).exactOptional(),
  /** Differences of scores of less are the same, where the sweep or the command said so. */
  within: Margin.exactOptional(),
  /** True where a search decides which of the runs are made; once it has ended, the runs are those. */
  search: z.literal(true).exactOptional(),
  /** What pairs of methods came to that were compared until it was decided: the report opens with it. */
  settled: z.strictObject({
    /** For people, at most four. */
    lines: z.array(z.string()),
    headline: SettledHeadline,
    /** The same in numbers, by the rule that decided it. */
    pairs: z.array(SettledPair),
  }).exactOptional(),
  /** The question that is settled, for whoever settles it again; absent where no sweep says it whole. */
  asks: SweepSpec.exactOptional(),
  runs: z.array(PlannedRun),
});
export type SettledPair = z.infer<typeof SettledPair>;
export type SettledHeadline = z.infer<typeof SettledHeadline>;
export type Plan = Omit<z.infer<typeof Plan>, "runs"> & { readonly runs: readonly PlannedRun[] };

/**
 * Names the runs of an expanded sweep.
 *
 * @param described what they took from files; null where that is nothing
 */
export async function makePlan(
  spec: SweepSpec,
  expansion: Expansion,
  command: string,
  ratesFrom: string | null,
  described: Described | null = null,
): Promise<Plan> {
  const ids = await runIds(expansion.configs);
  const runs = expansion.configs.map((config, i) => ({ id: ids[i]!, config }));
  return {
    schema: 1,
    name: spec.name,
    question: spec.question,
    command,
    ratesFrom,
    rates: [...expansion.rates],
    notes: [...expansion.notes],
    ...(spec.gpu && { gpu: spec.gpu }),
    ...(described && { described }),
    ...(spec.equal && { equal: [...spec.equal] }),
    ...(spec.within !== undefined && { within: spec.within }),
    ...(spec.search !== undefined && { search: true as const }),
    runs,
  };
}

/**
 * Whether two plans are of the same runs. A search's plan has, once it has ended, only those of its runs that were made.
 */
export function isSamePlan(stored: Plan, plan: Plan): boolean {
  const ids = new Set(plan.runs.map(({ id }) => id));
  const isComplete = plan.search ? stored.runs.length <= ids.size : stored.runs.length === ids.size;
  return stored.name === plan.name && isComplete && stored.runs.every(({ id }) => ids.has(id));
}

/** Writes a plan into an output folder. */
export async function writePlan(out: string, plan: Plan): Promise<void> {
  await writeWhole(`${out}/sweep.json`, `${JSON.stringify(plan, null, 1)}\n`);
}

/**
 * Reads an output folder's plan; null where there is none.
 *
 * @throws {UserError} where the file is there and isn't a plan
 */
export async function readPlan(out: string): Promise<Plan | null> {
  return await readStored(`${out}/sweep.json`, Plan);
}
