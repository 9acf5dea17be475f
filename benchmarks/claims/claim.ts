/** @file A published claim and the question that tests it, as written in `benchmarks/sweeps/claims/*.json`. */
import { z } from "zod";
import { unknownName } from "../../errors/unknown_name.ts";
import { UserError } from "../../errors/user_error.ts";
import { namesIn, readText, reasonOf } from "../../files/write_file.ts";
import { parseWith } from "../../training/configuration.ts";
import { FEWEST_TASKS } from "../statistics/pooled.ts";
import { SweepSpec } from "../sweep/sweep.ts";
import { MEASURED } from "../study/verdict_file.ts";

/** What a claim says of two methods: see `judgePrediction` for what confirms and what refutes it. */
export const RELATIONS = ["better", "worse", "same", "not better"] as const;
export type Relation = typeof RELATIONS[number];

/** One comparison that a claim predicts. */
export const Prediction = z.strictObject({
  /** Contenders, by the names that `settle` gives them: a method's id, with its options or its varied value where several are of it. */
  of: z.string().min(1),
  against: z.string().min(1),
  is: z.enum(RELATIONS),
  /** What is compared: the score, the logarithm of the test loss, or the time of a step. */
  outcome: z.enum(MEASURED).default("score"),
  /** "tasks": their mean differences are pooled. "each": every task, rank and variation is judged by itself. */
  over: z.enum(["tasks", "each"]),
  /** Of those judged by themselves, how many must bear the claim out; all where absent. */
  atLeast: z.int().min(1).exactOptional(),
  /** The variation that it is about, as reports name it, e.g. "batch size 128"; all where absent. */
  at: z.string().min(1).exactOptional(),
});
export type Prediction = z.infer<typeof Prediction>;

/** The file. */
export const Claim = z.strictObject({
  name: SweepSpec.shape.name,
  /** Who says it, with section or table. */
  source: z.string().min(1),
  /** What they say, in a sentence. */
  says: z.string().min(1),
  /** What they measured it on. */
  setting: z.string().min(1),
  /** What differs from that here. */
  differs: z.string().min(1),
  /** Where rates come from: chosen by the sweep `tune`, searched for each method, or as the methods state them. */
  rates: z.enum(["chosen", "searched", "stated"]),
  sweep: SweepSpec.omit({ name: true, question: true, rates: true }).required({ settle: true }),
  predictions: z.array(Prediction).min(1),
});
export type Claim = z.infer<typeof Claim>;

const folder = new URL("../sweeps/claims/", import.meta.url);

/** The claims that ship, by the order of their names. */
export async function readClaims(): Promise<Claim[]> {
  const names = (await namesIn(decodeURIComponent(folder.pathname))).filter((name) => name.endsWith(".json"))
    .sort();
  return await Promise.all(names.map(async (file) => {
    const shown = `benchmarks/sweeps/claims/${file}`, claim = await readClaim(new URL(file, folder), shown);
    if (`${claim.name}.json` !== file) {
      throw new UserError(`Cannot read ${shown}: its name is "${claim.name}"`);
    }
    return claim;
  }));
}

/**
 * The claims of these names, or at these paths; all that ship where there are none.
 *
 * @throws {UserError} for an unknown name, and for a file that is no claim
 */
export async function chooseClaims(asked: readonly string[]): Promise<readonly Claim[]> {
  const claims = await readClaims(), known = claims.map(({ name }) => name);
  if (asked.length === 0) return claims;
  return await Promise.all(asked.map(async (one) => {
    if (one.includes("/") || one.endsWith(".json")) return await readClaim(one, one);
    const found = claims.find(({ name }) => name === one);
    if (!found) throw unknownName(`claim "${one}"`, one, known);
    return found;
  }));
}

async function readClaim(path: string | URL, shown: string): Promise<Claim> {
  return checkClaim(parseWith(Claim, await readJson(path, shown), shown), shown);
}

/**
 * Holds a claim against its own rules.
 *
 * @throws {UserError} where pooling has too few tasks, or its pairs are not as many on each task
 */
export function checkClaim(claim: Claim, shown: string): Claim {
  const { sweep: { tasks, settle }, predictions } = claim;
  if (predictions.some(({ over }) => over === "tasks")) {
    if (tasks.length < FEWEST_TASKS) {
      throw new UserError(
        `Cannot read ${shown}: ${tasks.length} tasks are pooled, ${FEWEST_TASKS} are the fewest`,
      );
    }
    // Tasks that end when they look decided would not be a fair sample of differences.
    if (settle.atLeast === undefined || settle.atLeast !== settle.atMost) {
      throw new UserError(
        `Cannot read ${shown}: tasks are pooled, so "atLeast" and "atMost" must be the same number`,
      );
    }
  }
  return claim;
}

/** The sweep of a claim, with its question. */
export function sweepOf({ name, says, rates, sweep }: Claim): SweepSpec {
  return {
    ...sweep,
    name: `claim-${name}`,
    question: `Is it so here? ${says}`,
    ...(rates === "stated" ? {} : { rates: { chosenBy: "tune" } }),
  };
}

async function readJson(path: string | URL, shown: string): Promise<unknown> {
  try {
    return JSON.parse(await readText(path));
  } catch (error) {
    throw new UserError(
      `Cannot read ${shown}: ${error instanceof SyntaxError ? error.message : reasonOf(error)}`,
    );
  }
}
