/** @file What a step costs by formula: FLOPs, memory traffic and memory, from the sizes of model, batch and method. */
import { elementCount } from "../../gpu/tensor.ts";
import type { Architecture, CountedMap } from "../../models/architecture.ts";
import { isOfKind } from "../../models/parameter_kind.ts";
import type { ParameterList } from "../../models/weights.ts";
import { ADAMW_WORK } from "../../optimizers/adamw.ts";
import type { CountedModule, Options, StepSizes, StepWork } from "../../optimizers/optimizer.ts";
import { alsoTrained } from "../also_trained.ts";
import { allOptions, type KnownModel, type KnownOptimizer, matchTargetModules } from "../configuration.ts";
import type { RunConfig } from "../run.ts";

/** A step to count. */
export interface CountedStep {
  readonly architecture: Architecture;
  /** Examples of a step. */
  readonly batchSize: number;
  /** Parts that they come in: activations of one part are alive at a time, and each reads all weights. */
  readonly accumulate: number;
  /** Names of the maps that are adapted. */
  readonly targetModules: ReadonlySet<string>;
  /** What is trained itself beside them; absent where nothing is. */
  readonly also?: ParameterList;
  readonly method: { stepWork(options: Options, sizes: StepSizes): StepWork };
  /** Complete. */
  readonly options: Options;
}

/** The counts of a step. FLOPs and elements as in `StepWork`. */
export interface StepCount {
  /** Rows that a block works on: tokens. */
  readonly tokens: number;
  /** Linear maps of the model: what the number of dispatches goes with. */
  readonly maps: number;
  /** FLOPs of the model's forward pass. */
  readonly forwardFlops: number;
  /** FLOPs of all products of full size: forward, gradients of activations, gradients of weights, attention. */
  readonly wideFlops: number;
  /** Of these, FLOPs of the gradients of weights, which a method with factors does without. */
  readonly weightFlops: number;
  /** FLOPs of the method's thin products. */
  readonly factorFlops: number;
  /** FLOPs of the method's update. */
  readonly updateFlops: number;
  /** Elements that forward and backward read and write. */
  readonly elements: number;
  /** Elements that clipping and the update read and write: gradients, factors or weights, state. */
  readonly updateElements: number;
  /** Numbers of the model, alive all the time. */
  readonly parameters: number;
  /** Numbers that training adds, alive all the time: factors, gradients of what is trained, state. */
  readonly added: number;
  /** Numbers that one forward pass leaves for its backward pass. */
  readonly activations: number;
}

/** All FLOPs of a step. */
export function flopsOf(count: Pick<StepCount, "wideFlops" | "factorFlops" | "updateFlops">): number {
  return count.wideFlops + count.factorFlops + count.updateFlops;
}

/** FLOPs of a step that are there for the method: gradients of weights or products with factors, and the update. */
export function methodFlopsOf(
  count: Pick<StepCount, "weightFlops" | "factorFlops" | "updateFlops">,
): number {
  return count.weightFlops + count.factorFlops + count.updateFlops;
}

/** Rows of x that go through a map where so many examples come in parts. */
function rowsOf({ rows, shared = 0 }: CountedMap, examples: number, parts: number): number {
  return examples * rows + parts * shared;
}

/** FLOPs of a forward pass over so many examples, or of as many passes as they have parts. */
export function forwardFlopsOf({ maps, attentions }: Architecture, examples: number, parts = 1): number {
  const products = maps.reduce((sum, map) => sum + 2 * rowsOf(map, examples, parts) * map.in * map.out, 0);
  return products + examples * attentions.reduce((sum, one) => sum + attentionFlops(one), 0);
}

/** FLOPs of both products of attentions. */
function attentionFlops({ count, queries, keys, width }: Architecture["attentions"][number]): number {
  return 4 * count * queries * keys * width;
}

/** Counts a step of a run with its model, in its size and with rows as long as they will be. */
export function countRunStep(
  config: Pick<RunConfig, "batchSize" | "accumulate" | "targetModules" | "alsoTrain" | "optimizer">,
  model: Pick<KnownModel, "architecture" | "targetModules" | "parameters" | "newHead">,
  method: Pick<KnownOptimizer, "defaults" | "stepWork" | "alsoTrains">,
): StepCount {
  const adapted = matchTargetModules(config.targetModules, model.targetModules());
  return countStep({
    also: alsoTrained(config, method, model, adapted),
    architecture: model.architecture,
    batchSize: config.batchSize,
    accumulate: config.accumulate,
    targetModules: new Set(adapted.map(({ name }) => name)),
    method,
    options: allOptions(method, config),
  });
}

/**
 * Counts a step.
 *
 * The forward pass of a map is 2 · rows · in · out, the gradient of its input as much again wherever something is
 * trained upstream: with weights' gradients 6 N FLOPs a token, with frozen weights 4 N. An attention is two products
 * forward and, since scores are formed again for queries and for keys, seven backward, causal or not. A backward pass
 * moves twice what the forward pass moves, an attention's three times.
 */
export function countStep(step: CountedStep): StepCount {
  const { architecture, batchSize, accumulate, targetModules: adapted, also = [], method, options } = step;
  const { maps, attentions, parameters } = architecture;
  const trained = new Set(maps.filter(({ name }) => adapted.has(name)).map(({ stage }) => stage));
  /** Whether a target module lies upstream of a map's input. */
  const isDownstream = ({ stage, upstream: [first, end] = [0, stage] }: CountedMap) =>
    [...trained].some((targetModule) => targetModule >= first && targetModule < end);
  const counted = (map: CountedMap): CountedModule => ({
    ...map,
    rows: rowsOf(map, batchSize, accumulate),
    inputGradient: isDownstream(map),
  });
  const work = method.stepWork(options, {
    targetModules: maps.filter(({ name }) => adapted.has(name)).map(counted),
    others: maps.filter(({ name, isGiven, isComputed }) => !adapted.has(name) && !isGiven && !isComputed)
      .map(counted),
    parameters,
    parts: accumulate,
  });
  const sum = <T>(items: readonly T[], count: (item: T) => number) =>
    items.reduce((total, item) => total + count(item), 0);
  // What trains all trains these too.
  const more = work.trainsAll ? [] : also, trainsBelow = more.some(({ name }) => !isOfKind("head", name));
  const moreMaps = maps.filter(({ name }) => more.some((one) => `.${one.name}`.endsWith(`.${name}.weight`)));
  const moreNumbers = sum(more, ({ shape }) => elementCount(shape));
  const below = maps.filter((map) => work.trainsAll || trainsBelow ? map.stage > 0 : isDownstream(map));
  const flops = (map: CountedMap) => 2 * rowsOf(map, batchSize, accumulate) * map.in * map.out;
  const backwardFlops = (map: CountedMap) => (map.isComputed ? 2 : 1) * flops(map);
  const moved = (map: CountedMap) =>
    rowsOf(map, batchSize, accumulate) * (map.in + map.out) + accumulate * map.in * map.out;
  const attention = batchSize * sum(attentions, attentionFlops);
  const heads = batchSize * sum(attentions, (one) => 2 * one.count * (one.queries + one.keys) * one.width);
  const forwardFlops = forwardFlopsOf(architecture, batchSize, accumulate);
  return {
    tokens: batchSize * architecture.tokens,
    maps: maps.length,
    forwardFlops,
    wideFlops: forwardFlops + sum(below, backwardFlops) + 3.5 * attention + work.weightFlops +
      sum(moreMaps, flops),
    weightFlops: work.weightFlops + sum(moreMaps, flops),
    factorFlops: work.factorFlops,
    updateFlops: work.updateFlops + ADAMW_WORK.flops * moreNumbers,
    elements: sum(maps, moved) + sum(below, moved) + 4 * heads +
      3 * batchSize * architecture.elementwise + work.elements + sum(moreMaps, moved),
    // Gradients of what is trained are added to, measured, clipped and cleared: five elements each.
    updateElements: 5 * work.trained + work.updateElements + (5 + ADAMW_WORK.elements) * moreNumbers,
    parameters,
    added: work.added + work.trained + work.state + (1 + ADAMW_WORK.state) * moreNumbers,
    activations: (batchSize * architecture.activations + work.activations) / accumulate,
  };
}
