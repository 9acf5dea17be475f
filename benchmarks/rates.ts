/** @file The learning rates that a tuning sweep chose, as stored, and how a later sweep uses them. */
import { z } from "zod";
import { OptionValues } from "../training/schemas.ts";
import { UserError } from "../training/user_error.ts";
import { methodKey } from "./method.ts";

/** What one rate of the grid came to. */
export const RateEvidence = z.strictObject({
  peak: z.number().positive(),
  seeds: z.array(z.int().min(0)),
  /** Last validation loss by seed; null where the run diverged. */
  validationLosses: z.array(z.number().nullable()),
});
export type RateEvidence = z.infer<typeof RateEvidence>;

/** The rate of one method at one rank on one task. */
export const ChosenRate = z.strictObject({
  task: z.string(),
  model: z.string(),
  optimizer: z.string(),
  /** Without the rank. */
  options: OptionValues,
  rank: z.number().nullable(),
  peak: z.number().positive(),
  /** True where the best rate is the smallest or largest that was tried: a wider grid may hold a better one. */
  atEdge: z.boolean(),
  steps: z.int().min(1),
  /** Whole runs' time over their steps, for estimates. */
  msPerStep: z.number().min(0),
  evidence: z.array(RateEvidence).min(1),
});
export type ChosenRate = z.infer<typeof ChosenRate>;

/** A tuning sweep's choices: the file `<name>.chosen.json`. */
export const ChosenRates = z.strictObject({
  schema: z.literal(1),
  sweep: z.string(),
  /** Where the runs were made. */
  environment: z.strictObject({
    adapter: z.string(),
    backend: z.string(),
    deno: z.string(),
    commit: z.string(),
  }),
  rates: z.array(ChosenRate),
});
export type ChosenRates = z.infer<typeof ChosenRates>;

/** A run whose rate is asked for. */
export interface RateQuery {
  readonly task: string;
  readonly optimizer: { readonly id: string; readonly options: ChosenRate["options"] };
  readonly rank: number | null;
  readonly steps: number;
}

/**
 * The rate that was chosen for a run: same task and optimizer, then same options and nearest rank as far as there are.
 * `notes` says in words where the tuned run differs from the one asked about.
 *
 * @throws {UserError} where nothing was chosen for this optimizer on this task
 */
export function rateFor(
  chosen: ChosenRates,
  query: RateQuery,
): { readonly rate: ChosenRate; readonly notes: string[] } {
  const sameMethod = chosen.rates.filter((rate) =>
    rate.task === query.task && rate.optimizer === query.optimizer.id
  );
  const key = methodKey(query.optimizer);
  const exact = sameMethod.filter((rate) => methodKey({ id: rate.optimizer, options: rate.options }) === key);
  const candidates = exact.length > 0 ? exact : sameMethod;
  const distance = (rate: ChosenRate) => Math.abs(Math.log2((rate.rank ?? 1) / (query.rank ?? 1)));
  const [rate] = candidates.toSorted((a, b) => distance(a) - distance(b) || (a.rank ?? 0) - (b.rank ?? 0));
  if (!rate) {
    throw new UserError(
      `Cannot find a learning rate for "${query.optimizer.id}" on "${query.task}": sweep "${chosen.sweep}" chose none ` +
        `(give --peaks, or run ./run bench ${chosen.sweep} and ship its choice)`,
    );
  }
  const what = `${query.optimizer.id}${query.rank === null ? "" : ` at rank ${query.rank}`} on ${query.task}`;
  const notes = [
    ...(rate.rank === query.rank ? [] : [`The rate of ${what} was tuned at rank ${rate.rank}`]),
    ...(exact.length > 0 ? [] : [`The rate of ${what} was tuned with other options`]),
    ...(rate.steps === query.steps
      ? []
      : [`The rate of ${what} was tuned at ${rate.steps} steps, not ${query.steps}`]),
  ];
  return { rate, notes };
}
