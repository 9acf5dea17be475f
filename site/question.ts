/** @file What the page asks to settle, as `./run settle` reads it: the same question, rates, pairs and looks. */
import { pack, unpackQuestion } from "../benchmarks/report/page/site_link.ts";
import { specOf } from "../benchmarks/settle/question.ts";
import { override, type SweepSpec } from "../benchmarks/sweep/sweep.ts";
import { digestOf } from "../files/canonical_json.ts";
import type { Registries } from "../training/configuration.ts";
import type { Comparison } from "./messages.ts";

/** A question that the page's form, or a report's link, asks. */
export type AskedQuestion = Extract<Comparison, { kind: "settle" | "question" }>;

/** A question as it was understood. */
export interface ReadQuestion {
  readonly spec: SweepSpec;
  /** Names the folder of its results: the same for every budget. */
  readonly name: string;
  /** What does the same on the command line; null for the question of a link. */
  readonly command: string | null;
}

/** @throws {UserError} for unknown names, and for a link that is not whole */
export async function readQuestion(asked: AskedQuestion, registries: Registries): Promise<ReadQuestion> {
  if (asked.kind === "question") {
    const spec = await unpackQuestion(asked.question);
    const { budget: _, ...settle } = spec.settle!;
    return { spec, name: `linked-${(await digestOf({ ...spec, settle })).slice(0, 8)}`, command: null };
  }
  const { methods, against, tasks, rank, within, budget, atLeast, steps } = asked;
  const others = methods.filter((id) => id !== against);
  const whole = {
    methods: others,
    tasks,
    ranks: [rank],
    within,
    budget,
    ...(against !== undefined && { against }),
    ...(atLeast !== undefined && { atLeast }),
  };
  const spec = override(
    specOf(whole, registries),
    { within, ...(steps !== undefined && { steps }) },
    registries,
  );
  const command = [
    `./run settle ${others.join(" ")}`,
    ...against === undefined ? [] : [`--against ${against}`],
    `--task ${tasks.join()} --rank ${rank} --within ${within} --budget ${budget}`,
    ...atLeast === undefined ? [] : [`--at-least ${atLeast}`],
    ...steps === undefined ? [] : [`--steps ${steps}`],
  ].join(" ");
  const name = [
    spec.name,
    ...atLeast === undefined ? [] : [`n${atLeast}`],
    ...steps === undefined ? [] : [`s${steps}`],
  ].join("-");
  return { spec, name, command };
}

/** The same question with so many minutes for all its runs. */
export async function withMinutes(asked: AskedQuestion, minutes: number): Promise<AskedQuestion> {
  const budget = `${minutes}m`;
  if (asked.kind === "settle") return { ...asked, budget };
  const spec = await unpackQuestion(asked.question);
  return { kind: "question", question: await pack({ ...spec, settle: { ...spec.settle!, budget } }) };
}
