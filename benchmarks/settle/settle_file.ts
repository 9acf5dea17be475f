/**
 * @file What a question set out to do, in `<out>/settle.json`: written before the first run, with its rates before the first
 * scored run, and with its answer at the end. A question that goes on is held against it.
 */
import { z } from "zod";
import { UserError } from "../../errors/user_error.ts";
import { canonicalJson } from "../../files/canonical_json.ts";
import { namesIn, writeWhole } from "../../files/write_file.ts";
import { readStored } from "../../training/stored_json.ts";
import { LOOKS } from "../statistics/looks.ts";
import { boundsFor, looksOf } from "../statistics/sequential.ts";
import { FIRST_SEED, type Question } from "./question.ts";

const NAME = "settle.json";

const numbers = z.array(z.number());

/** What is asked, and how it will be judged. */
const Agreed = z.strictObject({
  /** The largest difference that counts as none. */
  within: z.number(),
  /** Of all verdicts of a cell together: so often at most, one is wrong. */
  level: z.number(),
  /** Numbers of pairs after which it is judged. */
  looks: numbers,
  tuningSeeds: numbers,
  /** Seed of the first pair; the next one's is one more. Pair i has slice i of the test examples. */
  firstSeed: z.int(),
  cells: z.array(z.strictObject({
    task: z.string(),
    rank: z.int(),
    /** What |mean| √n / s is held against at each look. */
    bounds: z.strictObject({ differ: numbers, same: numbers }),
    /** Names of the methods' configs, at a rate of 1 and the first tuning seed, by method. */
    contenders: z.record(z.string(), z.string()),
    /** Rates that are tried at first, by method. */
    rates: z.record(z.string(), numbers),
    comparisons: z.array(z.strictObject({ of: z.string(), against: z.string() })),
  })),
});
type Agreed = z.infer<typeof Agreed>;

/** The rate of a contender, by the name of its config. */
const Choice = z.strictObject({
  contender: z.string(),
  method: z.string(),
  task: z.string(),
  learningRate: z.number(),
  runnerUp: z.number().nullable(),
  lead: z.number().nullable(),
  atEdge: z.boolean(),
  /** Mean log loss at each rate that was tried; null where a run diverged. */
  tried: z.array(z.strictObject({ learningRate: z.number(), logLoss: z.number().nullable() })),
});
export type Choice = z.infer<typeof Choice>;

/** The file. */
export const SettleFile = z.strictObject({
  schema: z.literal(1),
  question: z.string(),
  agreed: Agreed,
  /** Null until all rates are chosen; then they stay. */
  choices: z.array(Choice).nullable(),
  /** What was found, for people; null until then. */
  answer: z.array(z.string()).nullable(),
});
export type SettleFile = z.infer<typeof SettleFile>;

/** All errors of a cell's verdicts together are at most so frequent. */
const LEVEL = 0.05;

/** What a question's file says before anything has run. */
export function newFile({ spec, cells, margin, atLeast, atMost, tuningSeeds }: Question): SettleFile {
  const byName = <T>(cell: Question["cells"][number], read: (one: typeof cell.contenders[number]) => T) =>
    Object.fromEntries(cell.contenders.map((one) => [one.name, read(one)]));
  const agreed: Agreed = {
    within: margin,
    level: LEVEL,
    looks: looksOf({ atLeast }).filter((look) => look <= atMost),
    tuningSeeds: [...tuningSeeds],
    firstSeed: FIRST_SEED,
    cells: cells.map((cell) => {
      const bounds = boundsFor(cell.comparisons.length);
      const [differ, same] = [bounds.differ, bounds.same].map((one) =>
        one.filter((_, look) => LOOKS[look]! >= atLeast)
      );
      return {
        task: cell.task,
        rank: cell.rank,
        bounds: { differ: differ!, same: same! },
        contenders: byName(cell, ({ id }) => id),
        rates: byName(cell, ({ rates }) => [...rates]),
        comparisons: cell.comparisons.map(({ of, against }) => ({ of: of.name, against: against.name })),
      };
    }),
  };
  return { schema: 1, question: spec.question, agreed, choices: null, answer: null };
}

/**
 * The file of a question that was begun in a folder; a new one where none was.
 *
 * @throws {UserError} where it is another question's, and where the file can't be used
 */
export async function openFile(out: string, question: Question): Promise<SettleFile> {
  const fresh = newFile(question), found = await readStored(pathIn(out), SettleFile);
  if (found === null) return fresh;
  if (canonicalJson(found.agreed) !== canonicalJson(fresh.agreed)) {
    throw new UserError(
      `Cannot settle this in ${out}: another question was begun there, or this one with other settings ` +
        `("${found.question}"); another --out is needed`,
    );
  }
  return found;
}

/** Whether a question was begun in a folder. */
export async function hasFile(out: string): Promise<boolean> {
  return (await namesIn(out)).includes(NAME);
}

/** Writes a question's file. */
export async function writeFile(out: string, file: SettleFile): Promise<void> {
  await writeWhole(pathIn(out), `${JSON.stringify(file, null, 1)}\n`);
}

function pathIn(out: string): string {
  return `${out}/${NAME}`;
}
