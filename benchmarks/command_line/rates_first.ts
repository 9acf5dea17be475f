/** @file Rates for data of the user's, on which nobody tuned a method: the tuning sweep that has to run before. */
import { quoteArgument } from "../../errors/quote.ts";
import { UserError } from "../../errors/user_error.ts";
import type { Role } from "../sweep/folder.ts";
import type { Plan } from "../sweep/plan.ts";
import { ratesNeeded, type SweepSpec } from "../sweep/sweep.ts";
import type { BenchRequest } from "./bench.ts";

/**
 * The sweep that chooses rates for one on data of the user's: its tuning sweep, with its methods, its ranks and its changes
 * but the seeds. Null where rates are given.
 *
 * @param request of the sweep itself
 */
export function ratesFirst(written: SweepSpec, request: BenchRequest): BenchRequest | null {
  const { overrides } = request, sweep = ratesNeeded(written);
  if (sweep === null || overrides.rates !== undefined || overrides.learningRates) return null;
  const methods = written.optimizers.map(({ id }) => id);
  const { seeds: _seeds, within: _within, gpu: _gpu, ...kept } = overrides;
  const optimizers = overrides.optimizers ?? (methods.includes("*") ? undefined : [...new Set(methods)]);
  return {
    ...request,
    sweep,
    overrides: { ...kept, ranks: overrides.ranks ?? written.ranks, ...(optimizers && { optimizers }) },
  };
}

/** What a dry run says of it. */
export function describeRatesFirst({ sweep }: BenchRequest, { runs }: Plan): string {
  return `Rates are searched first, by sweep "${sweep}" into a folder below: ${runs.length} more runs at most; until then those below stand in for them`;
}

/** The error for processes that would share a sweep before its rates are known. */
export function ratesBefore({ sweep, overrides: { data = "" } }: BenchRequest, role: Role): UserError {
  return new UserError(
    `Cannot share runs on data of your own by --${role} before their rates are chosen: ./run bench ${sweep} --data ${
      quoteArgument(data)
    } --out DIR chooses them, --rates DIR takes them`,
  );
}
