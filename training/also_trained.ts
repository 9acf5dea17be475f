/** @file What a run trains beside its adapters: parameters themselves, as PEFT's `modules_to_save` and `bias` have it. */
import { UserError } from "../errors/user_error.ts";
import { isOfKind, PARAMETER_KINDS, type ParameterKind } from "../models/parameter_kind.ts";
import type { ParameterList } from "../models/weights.ts";
import { matchesWildcard } from "./wildcard.ts";

function isKind(pattern: string): pattern is ParameterKind {
  return PARAMETER_KINDS.some((kind) => kind === pattern);
}

/** A kind means all of it, `*` stands for any characters, and a name for all modules that end with it, weight and bias. */
function isMeant(pattern: string, name: string): boolean {
  if (isKind(pattern)) return isOfKind(pattern, name);
  const module = name.replace(/\.(weight|bias)$/, "");
  if (pattern.includes("*")) return matchesWildcard(pattern, name) || matchesWildcard(pattern, module);
  return [name, module].some((one) => one === pattern || one.endsWith(`.${pattern}`));
}

/**
 * The parameters that patterns mean, in the model's order.
 *
 * @param adapted names of the linear maps that are adapted: their weights are no part of it
 * @throws {UserError} where a pattern means nothing, or an adapted weight
 */
export function matchParameters<P extends { readonly name: string }>(
  patterns: readonly string[],
  parameters: readonly P[],
  adapted: readonly string[],
): P[] {
  const isAdapted = ({ name }: P) => adapted.some((map) => `.${name}`.endsWith(`.${map}.weight`));
  for (const pattern of patterns) {
    const meant = parameters.filter(({ name }) => isMeant(pattern, name));
    if (meant.length === 0) {
      throw new UserError(
        isKind(pattern)
          ? `Cannot also train "${pattern}": the model has none of its own`
          : `Cannot also train "${pattern}": the model has no such module, its parameters are ${
            namesOf(parameters)
          }`,
      );
    }
    const twice = meant.find(isAdapted);
    if (twice) throw new UserError(`Cannot also train "${pattern}": ${twice.name} is adapted already`);
  }
  return parameters.filter(({ name }) => patterns.some((pattern) => isMeant(pattern, name)));
}

/** Names with numbers of layers left out, each once. */
function namesOf(parameters: readonly { readonly name: string }[]): string {
  return [...new Set(parameters.map(({ name }) => name.replaceAll(/\.\d+\./g, ".*.")))].join(", ");
}

/** What a method trains of its own accord: see `OptimizerModule.alsoTrains`. */
interface AlsoTraining {
  readonly alsoTrains?: readonly ParameterKind[] | undefined;
}

/** The patterns of what a config and its method train beside adapters. */
export function alsoTrainedPatterns(
  { alsoTrain = [] }: { readonly alsoTrain?: readonly string[] },
  { alsoTrains = [] }: AlsoTraining,
): string[] {
  return [...new Set([...alsoTrain, ...alsoTrains])];
}

/** What a model lacks of the parameters that a method trains, in one sentence, or null. */
export function lackingKinds(
  { alsoTrains = [] }: AlsoTraining,
  { parameters }: { readonly parameters: ParameterList },
): string | null {
  const lacking = alsoTrains.find((kind) => !parameters.some(({ name }) => isOfKind(kind, name)));
  return lacking === undefined ? null : `it trains ${lacking}, and the model has none`;
}

/**
 * What a config and its method train beside adapters, and beside a new head, which every method trains.
 *
 * @param targetModules those that are adapted
 * @throws {UserError} as `matchParameters` does
 */
export function alsoTrained(
  config: { readonly alsoTrain?: readonly string[] },
  method: AlsoTraining,
  { parameters, newHead }: { readonly parameters: ParameterList; readonly newHead?: ParameterList },
  targetModules: readonly { readonly name: string }[],
): ParameterList {
  const patterns = alsoTrainedPatterns(config, method);
  const found = matchParameters(patterns, parameters, targetModules.map(({ name }) => name));
  return found.filter(({ name }) => !newHead || !isOfKind("head", name));
}
