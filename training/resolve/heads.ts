/** @file What classifies texts, or real images on a tower from a folder: an adapter's classifier, the classes' names as a text tower reads them, or a new head. */
import { quote } from "../../errors/quote.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import { isFile } from "../../models/checkpoints/checkpoint_folder.ts";
import { createClipText } from "../../models/clip_text.ts";
import type { ModelEntry } from "../../models/entry.ts";
import type { Model, VisionBatch } from "../../models/model.ts";
import { isOfKind } from "../../models/parameter_kind.ts";
import type { WeightSource } from "../../models/weights.ts";
import { LOGIT_SCALE, zeroShotClassifier, zeroShotHead } from "../../models/zero_shot.ts";
import { numberedClasses } from "../../tasks/own/layout.ts";
import type { Task, TaskData } from "../../tasks/task.ts";
import { readModelTokenizer } from "../../tasks/text/hugging_face_tokenizer.ts";
import { alsoTrained } from "../also_trained.ts";
import { type KnownModel, matchTargetModules, type Registries, resolveModel } from "../configuration.ts";
import { plainForward } from "../loop/forward.ts";
import { lookup } from "../lookup.ts";
import type { RunConfig } from "../run.ts";
import { UserError } from "../../errors/user_error.ts";

/** Radford et al., arXiv 2103.00020, section 3.1.4. */
function describe(name: string): string {
  return `a photo of a ${name.replaceAll("_", " ")}.`;
}

/**
 * The config with the head of its model, so that another head makes another run: the one that it names, else "adapter" where
 * the model's adapter brings a classifier of as many classes as the data have, else "zero-shot" where folder and data have what
 * that takes, else "new". The same config where the model is no encoder of texts, and no image tower in a folder or the images are
 * the task's own.
 *
 * @throws {UserError} where it names "adapter" or "zero-shot" and something is missing, and where a class's description is none
 * for the text tower
 * @throws {DataError} where the data or the tokenizer can't be read
 */
export async function withHeadChoice(
  config: RunConfig,
  { tasks, models }: Pick<Registries, "tasks" | "models">,
): Promise<RunConfig> {
  const { model, task: { id, data } } = config;
  const entry = resolveModel<KnownModel>(model, models), isEncoder = entry.family === "encoder";
  const isTower = entry.family === "vision" && entry.folder !== undefined && data !== undefined;
  if (!(isEncoder || isTower) || model.head === "new") return config;
  if (model.adapter && model.head !== "zero-shot") {
    const lack = await lackOfAdapterHead(config, lookup("task", tasks, id), entry);
    if (lack === null) return { ...config, model: { ...model, head: "adapter" } };
    if (model.head === "adapter") {
      throw new UserError(`Cannot use head "adapter" with model "${model.id}": ${lack}`);
    }
  }
  if (isEncoder) {
    if (model.head === undefined) return { ...config, model: { ...model, head: "new" } };
    throw new UserError(`Cannot use head "${model.head}" with model "${model.id}": it classifies texts`);
  }
  const names = await lookup("task", tasks, id).realData?.classNames?.(data!);
  const missing = entry.adapterHead && entry.adapterHead.classes !== entry.outputs
    ? "the adapter's classifier takes the place of its projection"
    : !entry.text
    ? `${entry.folder} is no whole CLIP, its text tower and logit_scale are needed`
    : !await isFile(`${entry.folder}/tokenizer.json`)
    ? `${entry.folder} has no tokenizer.json`
    : names === undefined
    ? `the classes of ${data} have no names`
    : null;
  if (missing === null && config.alsoTrain?.length) {
    const trained = alsoTrained(
      config,
      // What methods train of their own accord is no head.
      {},
      entry,
      matchTargetModules(config.targetModules, entry.targetModules()),
    )
      .find(({ name }) => isOfKind("head", name));
    if (trained) {
      throw new UserError(
        `Cannot also train ${trained.name} of model "${model.id}": classes are told by their names there, "head": "new" is needed`,
      );
    }
  }
  if (missing === null) await describeClasses(entry, names!);
  else if (model.head === "zero-shot") {
    throw new UserError(`Cannot use head "zero-shot" with model "${model.id}": ${missing}`);
  }
  return { ...config, model: { ...model, head: missing === null ? "zero-shot" : "new" } };
}

/** The classes of data of the user's as their task numbers them; none of other data. */
export function classNamesOf({ task: { layout } }: Pick<RunConfig, "task">): readonly string[] {
  return layout ? numberedClasses(layout) : [];
}

/**
 * Why a model's adapter has no classifier for a task's data, in words; null where it has one. Adapters do not name their classes:
 * as many as the data have are taken for these, in the data's order.
 *
 * @throws {UserError} where the task has fewer examples than the config asks for
 * @throws {DataError} where the data can't be read
 */
export async function lackOfAdapterHead(
  { task: { id: _, module: _module, ...amounts }, seed }: Pick<RunConfig, "task" | "seed">,
  task: Pick<Task, "load">,
  model: KnownModel,
): Promise<string | null> {
  const { adapterHead } = model;
  if (!adapterHead) return "the adapter brings no classifier";
  const { classes, lacks } = adapterHead;
  if (lacks !== null) return `the adapter's classifier lacks ${quote(lacks)}`;
  let wanted: number;
  try {
    wanted = (await task.load({ seed, ...amounts }, model)).needs.outputs;
  } catch (error) {
    if (error instanceof RangeError) throw new UserError(error.message);
    throw error;
  }
  return wanted === classes
    ? null
    : `the adapter's classifier is of ${classes} classes, and the data have ${wanted}`;
}

/**
 * What a model with a config's head gives and costs, without a GPU; the model itself where the config names none.
 *
 * @throws {UserError} where the data's classes have no names, or one's description is none for the text tower
 */
export async function shapedByHead<M extends KnownModel>(
  { id, head }: RunConfig["model"],
  model: M,
  { classes, needs }: Pick<TaskData, "classes" | "needs">,
): Promise<M> {
  if (head === undefined) return model;
  if (head !== "zero-shot") return model.withNewHead!(needs.outputs) as M;
  await describeData(id, model, classes);
  const count = classes!.length, { outputs, memory } = model;
  return {
    ...model,
    outputs: count,
    memory: {
      ...memory,
      // The head, and what scales its images to unit length.
      constants: [...memory.constants, count * outputs, outputs],
      tape(examples) {
        const tape = memory.tape(examples);
        // Images of unit length with their norms, and logits; the gradients of both.
        const own = [[2, examples * outputs], [1, 2 * examples], [2, examples * count]] as const;
        return { ...tape, around: [...tape.around, ...own] };
      },
    },
  };
}

/**
 * The entry with a config's head for the classes of a task's data; the entry itself where the config names none. A
 * zero-shot head is made here, and everything that this allocates on the GPU is freed.
 *
 * @param source has the weights of both towers
 * @throws {UserError} where the data's classes have no names, or one's description is none for the text tower
 */
export async function withHead(
  gpu: Gpu,
  { id, head }: RunConfig["model"],
  entry: ModelEntry,
  { classes, needs: { outputs } }: TaskData,
  source: WeightSource,
): Promise<ModelEntry> {
  if (head === undefined) return entry;
  if (head !== "zero-shot") return entry.withNewHead!(outputs, head === "adapter" ? "given" : "seeded");
  const descriptions = await describeData(id, entry, classes);
  const rows = await madeOf(gpu, entry.text!, source, descriptions);
  const shape = [descriptions.length, entry.outputs];
  return {
    ...entry,
    outputs: descriptions.length,
    create(gpu, source, half) {
      const tower = entry.create(gpu, source, half) as Model<VisionBatch>;
      return zeroShotClassifier(gpu, tower, gpu.upload(rows, "f32", shape, "zero-shot head")) as Model;
    },
  };
}

async function madeOf(
  gpu: Gpu,
  text: NonNullable<ModelEntry["text"]>,
  source: WeightSource,
  descriptions: readonly Int32Array[],
): Promise<Float32Array<ArrayBuffer>> {
  using _ = gpu.scope("text tower", "weights");
  const tower = createClipText(gpu, text, source), [logitScale] = source(LOGIT_SCALE, []);
  return await zeroShotHead(gpu, tower, plainForward, descriptions.map((text) => [text]), logitScale!);
}

/** The descriptions of the classes of a task's data. @throws {UserError} where there are no names, or no text tower */
async function describeData(
  id: string,
  model: Pick<KnownModel, "id" | "folder" | "text">,
  classes: TaskData["classes"],
): Promise<Int32Array[]> {
  if (classes && model.text) return await describeClasses(model, classes);
  const missing = classes ? "it has no text tower" : "the classes of the data have no names";
  throw new UserError(`Cannot use head "zero-shot" with model "${id}": ${missing}`);
}

/** For each class the tokens of its description, with start and end token as the folder's tokenizer has them. */
async function describeClasses(
  { id, folder, text }: Pick<KnownModel, "id" | "folder" | "text">,
  names: readonly string[],
): Promise<Int32Array[]> {
  const { vocabulary, length, endToken } = text!;
  const model = { outputs: vocabulary, inputSize: length, folder: folder! };
  const purpose = `use head "zero-shot" with model "${id}"`;
  const { tokenizer: { start, stop, encode } } = await readModelTokenizer(model, purpose);
  if (endToken !== null && stop !== endToken) {
    throw new UserError(
      `Cannot ${purpose}: texts end with token ${stop} by its tokenizer, and with ${endToken} by its config`,
    );
  }
  return names.map((name) => {
    const description = describe(name);
    let tokens: Int32Array;
    try {
      tokens = encode(description);
    } catch (error) {
      if (error instanceof RangeError) throw new UserError(`Cannot ${purpose}: ${error.message}`);
      throw error;
    }
    const whole = Int32Array.of(...start === undefined ? [] : [start], ...tokens, stop);
    if (whole.length <= length) return whole;
    throw new UserError(
      `Cannot ${purpose}: "${description}" has ${whole.length} tokens, ${length} at most are needed`,
    );
  });
}
