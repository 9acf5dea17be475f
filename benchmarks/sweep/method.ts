/** @file What makes two runs use the same method: the optimizer and its options, rank aside. */
import { allOptions, type Registries } from "../../training/configuration.ts";
import { canonicalJson } from "../../files/canonical_json.ts";
import type { RunConfig } from "../../training/run.ts";

type OptimizerChoice = RunConfig["optimizer"];

/** The option "rank" of a run's method; null where it has none. */
export function rankOf(optimizer: OptimizerChoice): number | null {
  const rank = optimizer.options["rank"];
  return typeof rank === "number" ? rank : null;
}

/** " (width 128, layers 2, batch 8)" for a run of a resized model; nothing for a model of its own size. */
export function nameSize({ model: { width, layers }, batchSize }: RunConfig): string {
  if (width === undefined && layers === undefined) return "";
  const parts = [width === undefined ? [] : `width ${width}`, layers === undefined ? [] : `layers ${layers}`];
  return ` (${[...parts.flat(), `batch ${batchSize}`].join(", ")})`;
}

/** What classifies texts, or real images on a tower of the user's, in words. */
export const HEADS: Readonly<Record<NonNullable<RunConfig["model"]["head"]>, string>> = {
  "adapter": "the adapter's classifier (trained further)",
  "zero-shot": "a zero-shot head (frozen, from the text tower)",
  "new": "a new head (trained)",
};

/** The method's options without its rank. */
export function optionsWithoutRank(optimizer: OptimizerChoice): OptimizerChoice["options"] {
  return Object.fromEntries(Object.entries(optimizer.options).filter(([name]) => name !== "rank"));
}

/** Equal for runs of the same method, whatever their rank, rate, seed and task: of the same bytes, where it is from a file. */
export function methodKey(optimizer: OptimizerChoice): string {
  return keyOf(optimizer.id, optionsWithoutRank(optimizer), optimizer.module?.fingerprint);
}

/** The key of a method's settings without its rank, and the fingerprint of its file where it is from one. */
export function keyOf(id: string, options: OptimizerChoice["options"], module?: string): string {
  return canonicalJson({ id, options, module });
}

/**
 * Names for people, by method key, e.g. "LoRA-GA". Methods that would be called the same get the options that tell them
 * apart; the other settings are told by `settingsOf`. Methods that the registry no longer knows go by their id.
 */
export function labelMethods(
  choices: readonly OptimizerChoice[],
  registries: Pick<Registries, "optimizers" | "described">,
): ReadonlyMap<string, string> {
  const methods = new Map(choices.map((choice) => [methodKey(choice), choice]));
  const plain = new Map(
    [...methods].map(([key, choice]) => [key, findMethod(choice, registries)?.title ?? choice.id]),
  );
  return new Map([...plain].map(([key, label]) => {
    const twins = [...methods].filter(([other]) => other !== key && plain.get(other) === label).map((
      [, twin],
    ) => twin);
    if (twins.length === 0) return [key, label];
    const own = optionsWithoutRank(methods.get(key)!);
    const file = methods.get(key)!.module?.fingerprint;
    const isOtherFile = twins.some(({ module }) => module?.fingerprint !== file);
    const telling = Object.keys(own).filter((name) => twins.some((twin) => twin.options[name] !== own[name]));
    const told = telling.map((name) => `${name} ${formatOption(own[name]!)}`);
    if (isOtherFile) told.push(file === undefined ? "as shipped" : `file ${file.slice(0, 8)}`);
    return [key, [label, ...told].join(", ")];
  }));
}

/** "16", "1e-6", "efficient". */
function formatOption(value: number | boolean | string): string {
  const isSmall = typeof value === "number" && value !== 0 && Math.abs(value) < 1e-3;
  return isSmall ? value.toExponential() : String(value);
}

/** A method's settings for people, e.g. "alpha/sqrt(r); alpha 16, mode efficient"; empty where it has none. */
export function settingsOf(
  choice: OptimizerChoice,
  registries: Pick<Registries, "optimizers" | "described">,
): string {
  const options = Object.entries(optionsWithoutRank(choice)).map(([name, value]) =>
    `${name} ${formatOption(value)}`
  );
  const module = Object.values(registries.optimizers).find(({ id }) => id === choice.id);
  const text = module
    ? module.describe(allOptions(module, { optimizer: choice }))
    : findMethod(choice, registries)?.describe(choice.options) ?? "";
  return [text, options.join(", ")].filter((part) => part !== "").join("; ");
}

function findMethod(
  choice: OptimizerChoice,
  { optimizers, described }: Pick<Registries, "optimizers" | "described">,
) {
  const isIt = ({ id }: { readonly id: string }) => id === choice.id;
  return Object.values(optimizers).find(isIt) ?? described?.methods.find(isIt);
}
