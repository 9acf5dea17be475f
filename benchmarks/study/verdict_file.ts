/**
 * @file What a published claim came to, in `<out>/verdict.json`: written when its question is answered, and read by whoever
 * makes the report of the folder.
 */
import { z } from "zod";
import { writeWhole } from "../../files/write_file.ts";
import { readStored } from "../../training/stored_json.ts";
import { SettledPair } from "../sweep/plan.ts";

/** What a claim or a prediction came to. */
export const Outcome = z.enum(["confirmed", "refuted", "undecided"]);
export type Outcome = z.infer<typeof Outcome>;

/** What predictions compare. Differences of losses and times are of their logarithms, above 0 where the first has less. */
export const MEASURED = ["score", "test loss", "step time"] as const;

/** A prediction, judged. */
export const JudgedPrediction = z.strictObject({
  /** What is predicted: "LoRA is the same as Full fine-tuning in test loss at batch size 8". */
  asked: z.string(),
  measured: z.enum(MEASURED),
  /** Differences of less are the same. */
  margin: z.number(),
  outcome: Outcome,
  /** Over all tasks together, or a place each where it was judged by itself; none where runs are missing. */
  found: z.array(z.strictObject({
    /** "over 4 tasks", "Digits, batch size 8". */
    where: z.string(),
    difference: z.number(),
    interval: SettledPair.shape.interval,
    verdict: SettledPair.shape.verdict,
    outcome: Outcome,
    /** What was pooled, in the unit of the difference; none in a single place. */
    tasks: z.array(z.strictObject({ task: z.string(), difference: z.number() })),
  })),
});
export type JudgedPrediction = z.infer<typeof JudgedPrediction>;

/** The file. */
export const StoredVerdict = z.strictObject({
  schema: z.literal(1),
  claim: z.string(),
  source: z.string(),
  says: z.string(),
  outcome: Outcome,
  /** See `verdictLine`. */
  line: z.string(),
  /** What it was measured on where it was said. Absent in files of before reports opened with claims, as are predictions. */
  setting: z.string().exactOptional(),
  predictions: z.array(JudgedPrediction).exactOptional(),
  /** Of all runs, by their own clocks. */
  minutes: z.number(),
  runs: z.number(),
  commits: z.array(z.string()),
  /** First and last day of its runs. */
  days: z.array(z.string()),
});
export type StoredVerdict = z.infer<typeof StoredVerdict>;

const HERE = " here: ", UNLIKE = ". Unlike there: ";

/** "refuted here: that …, with numbers. Unlike there: …". */
export function verdictLine(outcome: Outcome, words: string, differs: string): string {
  return `${outcome}${HERE}${words}${UNLIKE}${differs}`;
}

/** What a verdict's line was made of. */
export function partsOf({ line }: Pick<StoredVerdict, "line">): {
  readonly words: string;
  /** What differs here from where it was said. */
  readonly differs: string;
} {
  const end = line.lastIndexOf(UNLIKE);
  return {
    words: line.slice(line.indexOf(HERE) + HERE.length, end),
    differs: line.slice(end + UNLIKE.length),
  };
}

/** Writes what the claim of a folder came to. */
export async function writeVerdict(out: string, verdict: StoredVerdict): Promise<void> {
  await writeWhole(pathIn(out), `${JSON.stringify(verdict, null, 1)}\n`);
}

/** What the claim of a folder came to; null where it tests none, or has no verdict. @throws {UserError} where the file is none */
export async function readVerdict(out: string): Promise<StoredVerdict | null> {
  return await readStored(pathIn(out), StoredVerdict);
}

function pathIn(out: string): string {
  return `${out}/verdict.json`;
}
