/** @file What the values of options mean, checked. */
import { readDuration } from "../cost/estimate.ts";
import { a100, type GpuRates } from "../cost/growth/predict.ts";
import { type ExportKind, exportKinds } from "../report/exports/write_exports.ts";
import type { Asked } from "../settle/question.ts";
import type { Role } from "../sweep/folder.ts";
import { type Asked as AskedOfSlurm, LEAST_MINUTES, MOST_WORKERS } from "../slurm/batch.ts";
import { EQUALS, readAxis } from "../sweep/axes.ts";
import type { SweepOverrides } from "../sweep/sweep.ts";
import { unknownName } from "../../errors/unknown_name.ts";
import { FEWEST_PAIRS, LOOKS } from "../statistics/looks.ts";
import { MARGIN } from "../statistics/verdicts.ts";
import { UserError } from "../../errors/user_error.ts";
import { quoteArgument } from "../../errors/quote.ts";
import { portableName } from "../../files/hub_place.ts";
import { type Arguments, changePaths, type CommandName, commands } from "./commands.ts";

/** A command line as it can be typed on any machine: what was fetched from the Hub goes by its name there. */
export function asTyped(name: CommandName, args: readonly string[]): string {
  return [`./run ${name}`, ...changePaths(name, args, portableName).map(quoteArgument)].join(" ");
}

/** What the options change of a sweep. @throws {UserError} where a value can't be read */
export function readOverrides(
  { texts, paths }: { readonly texts: ReadonlyMap<string, string>; readonly paths: Arguments["paths"] },
): SweepOverrides {
  const list = (name: string) => texts.get(name)?.split(",").map((item) => item.trim());
  const numbers = (name: string, wanted: string, fits: (value: number) => boolean) =>
    list(name)?.map((item) => {
      const value = numberOf(item);
      if (!fits(value)) {
        throw new UserError(`Cannot read --${name} "${texts.get(name)}": ${wanted}`);
      }
      return value;
    });
  const whole = (least: number) => (value: number) => Number.isSafeInteger(value) && value >= least;
  const [tasks, optimizers] = [list("tasks"), list("optimizers")];
  const ranks = numbers("ranks", "whole numbers from 1 are needed, as in --ranks 2,8", whole(1));
  const learningRates = numbers(
    "learning-rates",
    "numbers above 0 are needed, as in --learning-rates 1e-3,2e-3",
    (value) => Number.isFinite(value) && value > 0,
  );
  const seeds = numbers(
    "seeds",
    "whole numbers from 0 to 4294967295 are needed, as in --seeds 0,1",
    (value) => whole(0)(value) && value <= 0xffffffff,
  );
  const steps = numbers("steps", "one whole number from 1 is needed", whole(1));
  if (steps && steps.length !== 1) {
    throw new UserError(`Cannot read --steps "${texts.get("steps")}": one number is needed`);
  }
  const sharpness = numbers(
    "sharpness",
    "one whole number from 1 to 64 is needed, as in --sharpness 12",
    (value) => whole(1)(value) && value <= 64,
  );
  if (sharpness && sharpness.length !== 1) {
    throw new UserError(`Cannot read --sharpness "${texts.get("sharpness")}": one number is needed`);
  }
  const counts = numbers(
    "examples",
    "whole numbers from 1 are needed, as in --examples 1000,200,500",
    whole(1),
  );
  if (counts && counts.length !== 3) {
    throw new UserError(
      `Cannot read --examples "${
        texts.get("examples")
      }": three numbers are needed, for training, validation and test`,
    );
  }
  const [trainExamples, validationExamples, testExamples] = counts ?? [];
  const data = texts.get("data"), targets = list("targets"), alsoTrain = list("also-train");
  const memory = readMemory(texts);
  const gpu = readGpu(texts),
    within = readMargin(texts),
    model = texts.get("model"),
    rates = texts.get("rates");
  return {
    ...(tasks && { tasks }),
    ...(optimizers && { optimizers }),
    ...(ranks && { ranks }),
    ...(learningRates && { learningRates }),
    ...(seeds && { seeds }),
    ...(steps && { steps: steps[0]! }),
    ...readVaried(paths.get("vary"), list("equal")),
    ...(targets && { targets }),
    ...(alsoTrain && { alsoTrain }),
    ...(memory && { memory }),
    ...(texts.has("retain") && { retain: texts.get("retain")! }),
    ...(sharpness && { sharpness: sharpness[0]! }),
    ...(data !== undefined && { data }),
    ...(counts && {
      examples: {
        trainExamples: trainExamples!,
        validationExamples: validationExamples!,
        testExamples: testExamples!,
      },
    }),
    ...(model !== undefined && { model }),
    ...(texts.has("adapter") && { adapter: texts.get("adapter")! }),
    ...(rates !== undefined && { rates }),
    ...(gpu && { gpu }),
    ...(within !== undefined && { within }),
  };
}

/** Fields that vary. @throws {UserError} where one can't be read, or is given twice */
function readVaried(
  axes: readonly string[] | undefined,
  equal: readonly string[] | undefined,
): Pick<SweepOverrides, "vary" | "equal"> {
  const read = axes?.map(readAxis) ?? [], names = read.map(([name]) => name);
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) {
    throw new UserError(
      `Cannot read --vary ${twice} twice: all its values go behind one, as in ${twice}=1,2,3`,
    );
  }
  const kept = equal?.map((what) => {
    const known = EQUALS.find((one) => one === what);
    if (known) return known;
    throw unknownName(`--equal "${what}"`, what, EQUALS);
  });
  return { ...(axes && { vary: Object.fromEntries(read) }), ...(kept && { equal: kept }) };
}

/** How runs save memory; undefined where nothing is said. @throws {UserError} where a value is not known */
function readMemory(texts: ReadonlyMap<string, string>): SweepOverrides["memory"] {
  const choice = (name: "frozen-weights" | "frozen-embeddings" | "checkpointing" | "activations") => {
    const value = texts.get(name), known = commands.bench.options[name].names as readonly string[];
    if (value !== undefined && !known.includes(value)) {
      throw unknownName(`--${name} "${value}"`, value, known);
    }
    return value;
  };
  const frozenWeights = choice("frozen-weights"), frozenEmbeddings = choice("frozen-embeddings");
  const checkpointing = choice("checkpointing"), activations = choice("activations");
  const steps = texts.get("loftq"), loftq = steps === undefined ? undefined : Number(steps.trim() || NaN);
  if (loftq !== undefined && !(Number.isInteger(loftq) && loftq >= 1 && loftq <= 100)) {
    throw new UserError(`Cannot read --loftq "${steps}": one whole number from 1 to 100 is needed`);
  }
  const chosen = frozenWeights ?? frozenEmbeddings ?? checkpointing ?? activations ?? loftq;
  if (chosen === undefined) return undefined;
  // The names that help tells are those that a config takes.
  return {
    ...frozenWeights && { frozenWeights },
    ...frozenEmbeddings && { frozenEmbeddings },
    ...loftq !== undefined && { loftq },
    ...checkpointing && { checkpointing },
    ...activations && { activations },
  } as SweepOverrides["memory"];
}

/** Settings of "check". @throws {UserError} where a value can't be read */
export function readCheckSettings(
  texts: ReadonlyMap<string, string>,
): { readonly rank?: number; readonly learningRate?: number } {
  const read = (name: string, wanted: string, fits: (value: number) => boolean) => {
    const text = texts.get(name);
    if (text === undefined) return undefined;
    const value = numberOf(text);
    if (!fits(value)) throw new UserError(`Cannot read --${name} "${text}": ${wanted} is needed`);
    return value;
  };
  const rank = read("rank", "a whole number from 1", (value) => Number.isSafeInteger(value) && value >= 1);
  const rate = read("learning-rate", "a number above 0", (value) => value > 0 && Number.isFinite(value));
  return { ...(rank !== undefined && { rank }), ...(rate !== undefined && { learningRate: rate }) };
}

/**
 * The question of the command "settle".
 *
 * @param ownTask the task of data of the user's, where there is one
 * @throws {UserError} where a value can't be read, or something is missing
 */
export function readAsked(
  texts: ReadonlyMap<string, string>,
  positional: readonly string[],
  ownTask: string | null = null,
): Asked {
  const list = (name: string) => {
    const text = texts.get(name);
    if (text === undefined) {
      throw new UserError(`Cannot settle: --${name} is needed, as in --task digits --rank 8`);
    }
    return [...new Set(text.split(",").map((item) => item.trim()))];
  };
  const methods = [...new Set(positional)], against = texts.get("against");
  const others = methods.filter((one) => one !== against);
  if (others.length < (against === undefined ? 2 : 1)) {
    const given = methods.length === 0 ? "none is given" : `${methods.join(", ")} alone is given`;
    throw new UserError(
      `Cannot settle: two methods are needed, as in ./run settle lora-pro lora --task digits --rank 8; ${given}`,
    );
  }
  const ranks = list("rank").map((item) => {
    const rank = numberOf(item);
    if (!(Number.isSafeInteger(rank) && rank >= 1)) {
      throw new UserError(
        `Cannot read --rank "${texts.get("rank")}": whole numbers from 1 are needed, as in --rank 2,8`,
      );
    }
    return rank;
  });
  const within = readMargin(texts) ?? MARGIN;
  const budget = texts.get("budget") ?? "30m";
  if (readDuration(budget) === null) {
    throw new UserError(`Cannot read --budget "${budget}": a time such as 90s, 30m or 2h is needed`);
  }
  return {
    methods: others,
    ...(against !== undefined && { against }),
    tasks: ownTask === null ? list("task") : [ownTask],
    ranks: [...new Set(ranks)],
    within,
    budget,
    ...readAtLeast(texts.get("at-least")),
  };
}

/** @throws {UserError} where it is no number of pairs that a question can have */
function readAtLeast(text: string | undefined): Pick<Asked, "atLeast"> {
  if (text === undefined) return {};
  const atLeast = numberOf(text), most = LOOKS.at(-1)!;
  if (Number.isInteger(atLeast) && atLeast >= FEWEST_PAIRS && atLeast <= most) return { atLeast };
  throw new UserError(
    `Cannot read --at-least "${text}": a whole number of pairs from ${FEWEST_PAIRS} to ${most} is needed`,
  );
}

/** The kinds that `--export` names. @throws {UserError} where one is not known */
export function readExports(text: string | undefined): ReadonlySet<ExportKind> {
  const kinds = text?.split(",").map((kind) => kind.trim()) ?? [];
  return new Set(kinds.map((kind) => {
    const known = exportKinds.find((one) => one === kind);
    if (known) return known;
    throw unknownName(`kind of export "${kind}"`, kind, exportKinds);
  }));
}

/** The margin that `--within` gives; undefined where it isn't given. @throws {UserError} where it can't be read */
export function readMargin(texts: ReadonlyMap<string, string>): number | undefined {
  const text = texts.get("within");
  if (text === undefined) return undefined;
  const margin = numberOf(text);
  if (margin > 0 && margin <= 1) return margin;
  throw new UserError(`Cannot read --within "${text}": a share above 0 and at most 1 is needed`);
}

/** Options about the GPU that predictions are for. */
export const gpuOptions = ["gpu-tflops", "gpu-gbs", "gpu-efficiency"] as const;

/** The GPU that predictions are for; undefined where no option speaks of one. @throws {UserError} where a rate can't be read */
export function readGpu(texts: ReadonlyMap<string, string>): GpuRates | undefined {
  const given = gpuOptions.filter((name) => texts.has(name));
  if (given.length === 0) return undefined;
  const [tflops, gbs, efficiency = a100.efficiency] = gpuOptions.map((name) => {
    const text = texts.get(name);
    if (text === undefined) return undefined;
    const value = numberOf(text);
    if (!(value > 0 && Number.isFinite(value)) || (name === "gpu-efficiency" && value > 1)) {
      const wanted = name === "gpu-efficiency" ? "a number above 0 and at most 1" : "a number above 0";
      throw new UserError(`Cannot read --${name} "${text}": ${wanted} is needed`);
    }
    return value;
  });
  if (tflops === undefined && gbs === undefined) return { ...a100, efficiency };
  if (tflops === undefined || gbs === undefined) {
    const missing = tflops === undefined ? "--gpu-tflops" : "--gpu-gbs";
    throw new UserError(
      `Cannot predict costs for a GPU: ${missing} is needed too, as in --gpu-tflops 312 --gpu-gbs 2039`,
    );
  }
  return { name: "of the rates that were given", tflops, gbs, efficiency };
}

/** What a process is to do of a sweep. @throws {UserError} where it is asked for two things */
export function readRole(flags: ReadonlySet<string>, texts: ReadonlyMap<string, string>): Role {
  if (texts.has("jobs")) {
    throw new UserError("Cannot start --jobs from here: ./run does, each a process of its own");
  }
  const asked = (["plan", "worker", "report"] as const).filter((role) => flags.has(role));
  if (asked.length > 1) {
    throw new UserError(`Cannot take --${asked[0]} and --${asked[1]} at once: one comes after the other`);
  }
  return asked[0] ?? "whole";
}

/** What is asked of Slurm. @throws {UserError} where a value can't be read, or something is missing */
export function readJobs(texts: ReadonlyMap<string, string>): AskedOfSlurm {
  const whole = (name: string, wanted: string, least: number, most: number) => {
    const text = texts.get(name)!, value = numberOf(text);
    if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
    throw new UserError(`Cannot read --${name} "${text}": ${wanted}`);
  };
  if (!texts.has("workers")) {
    throw new UserError("Cannot share a sweep by Slurm: --workers W is needed, as in --workers 4");
  }
  const time = texts.get("time"), ms = time === undefined ? null : readDuration(time);
  if (time !== undefined && (ms === null || ms < LEAST_MINUTES * 60_000)) {
    throw new UserError(
      `Cannot read --time "${time}": a time such as 30m or 2h is needed, of ${LEAST_MINUTES}m at least, since a worker ` +
        "keeps its run two minutes before the end",
    );
  }
  return {
    workers: whole("workers", `a whole number from 1 to ${MOST_WORKERS} is needed`, 1, MOST_WORKERS),
    gpus: texts.has("gpus")
      ? whole("gpus", "0 or 1 is needed, since a worker uses one GPU: more workers use more", 0, 1) as 0 | 1
      : 1,
    cores: texts.has("cores") ? whole("cores", "a whole number from 1 to 1024 is needed", 1, 1024) : 2,
    minutes: ms === null ? null : Math.ceil(ms / 60_000),
    partition: texts.get("partition") ?? null,
  };
}

/** Whether what runs train is to be kept. @throws {UserError} where something else is */
export function readKeep(text: string | undefined): boolean {
  if (text === undefined || text === "trained") return text !== undefined;
  throw unknownName(`thing to keep "${text}"`, text, ["trained"]);
}

/** Milliseconds between checkpoints where nothing is said. */
const CHECKPOINT_EVERY = 10 * 60_000;

/** Milliseconds between checkpoints, Infinity for "never". @throws {UserError} where it can't be read */
export function readCheckpointEvery(text: string | undefined): number {
  if (text === undefined) return CHECKPOINT_EVERY;
  if (text === "never") return Infinity;
  const ms = readDuration(text);
  if (ms === null) {
    throw new UserError(
      `Cannot read --checkpoint-every "${text}": a time such as 90s, 10m or 1h is needed, or never`,
    );
  }
  return ms;
}

/** A number as people write it; NaN for anything else that JavaScript takes for one: an empty text, 0x10, Infinity. */
function numberOf(text: string): number {
  return /^(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN;
}
