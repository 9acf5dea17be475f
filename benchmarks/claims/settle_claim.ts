/** @file Settles a published claim: asks its question in a folder, judges it, and keeps the verdict there. */
import { UserError } from "../../errors/user_error.ts";
import type { Registries } from "../../training/configuration.ts";
import type { Found } from "../settle/answer.ts";
import { lookAtQuestion } from "../settle/outlook.ts";
import { askQuestion, type Question } from "../settle/question.ts";
import { settle, type SettleOutcome } from "../settle/settle.ts";
import type { WorkParts } from "../sweep/folder.ts";
import { openStore } from "../sweep/store.ts";
import { readChosen } from "../sweep/sweep_files.ts";
import { readVerdict, type StoredVerdict, writeVerdict } from "../study/verdict_file.ts";
import { type Claim, sweepOf } from "./claim.ts";
import { comparedIn, comparisonsOf } from "./compared.ts";
import { judgeClaim } from "./verdict.ts";

/** How a claim went. */
export interface SettledClaim {
  readonly claim: Claim;
  readonly settled: SettleOutcome;
  /** Null where it was interrupted, and for a worker or a plan. */
  readonly verdict: StoredVerdict | null;
}

/**
 * The question of a claim.
 *
 * @throws {UserError} where a prediction is of what the question does not compare, and as `askQuestion` does
 */
export async function questionOf(claim: Claim, registries: Registries): Promise<Question> {
  const chosen = claim.rates === "stated" ? null : await readChosen("tune");
  const question = await askQuestion(sweepOf(claim), registries, chosen, claim.rates === "chosen");
  const known = comparisonsOf(question);
  for (const { of, against, at } of claim.predictions) {
    const own = known.filter((one) =>
      one.names.includes(of) && one.names.includes(against) && of !== against
    );
    if (own.some((one) => at === undefined || one.varied === `, ${at}`)) continue;
    const where = own.length > 0 ? ` at "${at}"` : "";
    const names = new Set(known.flatMap((one) => one.names));
    throw new UserError(
      `Cannot test claim "${claim.name}": it does not compare "${of}" with "${against}"${where}, and has ` +
        `${[...names].map((name) => `"${name}"`).join(", ")}`,
    );
  }
  return question;
}

/**
 * Tests a claim in a folder, or goes on with it. What is stored is not run again.
 *
 * @param command what was typed, for the report
 * @throws as `settle` does
 */
export async function settleClaim<G extends AsyncDisposable>(
  claim: Claim,
  out: string,
  command: string,
  registries: Registries,
  parts: WorkParts<G>,
): Promise<SettledClaim> {
  const conclude = async ({ judged, usedMs }: Found) => {
    const { outcome, line, predictions } = judgeClaim(claim, comparedIn(judged));
    const { results } = await openStore(out).read();
    const made = [...results.values()].map(({ environment }) => environment);
    const days = made.map(({ startedAt }) => startedAt.slice(0, 10)).sort();
    await writeVerdict(out, {
      schema: 1,
      claim: claim.name,
      source: claim.source,
      says: claim.says,
      outcome,
      line,
      setting: claim.setting,
      predictions: [...predictions],
      minutes: Number((usedMs / 60_000).toFixed(1)),
      runs: made.length,
      commits: [...new Set(made.map(({ commit }) => commit))].sort(),
      days: [...new Set([days[0], days.at(-1)])].filter((day) => day !== undefined),
    });
  };
  const settled = await settle(
    await questionOf(claim, registries),
    out,
    command,
    registries,
    parts,
    conclude,
  );
  // What was stored is what is told.
  return { claim, settled, verdict: settled.report && await readVerdict(out) };
}

/** What a claim takes at most. */
export interface ClaimPrice {
  readonly runs: number;
  /** Milliseconds of all runs, one after the other; null where nobody knows. */
  readonly ms: number | null;
}

/** What a claim would take, from paces that are known: changes nothing. @throws as `settleClaim` does before anything runs */
export async function priceOf(claim: Claim, out: string, registries: Registries): Promise<ClaimPrice> {
  const question = await questionOf(claim, registries);
  const { tuning, runMs } = await lookAtQuestion(question, out, registries);
  const each = [...runMs.values()],
    pairs = each.reduce<number | null>(
      (sum, ms) => sum === null || ms === null ? null : sum + ms * question.atMost,
      0,
    );
  return {
    runs: tuning.runs + each.length * question.atMost,
    ms: tuning.ms === null || pairs === null ? null : Math.min(tuning.ms + pairs, question.budgetMs),
  };
}
