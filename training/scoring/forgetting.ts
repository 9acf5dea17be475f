/** @file How much a run forgets: the loss on held-out examples of what its base checkpoint was pre-trained on. */
import type { Gpu } from "../../gpu/gpu.ts";
import type { ModelEntry } from "../../models/entry.ts";
import type { Batch } from "../../models/model.ts";
import type { WeightSource } from "../../models/weights.ts";
import { canonicalJson } from "../../files/canonical_json.ts";
import { precisionsOf } from "../loop/bindings.ts";
import { plainForward } from "../loop/forward.ts";
import { heldOutLoss, heldOutSize } from "../loop/held_out.ts";
import { corpusOf, loadCorpus, retainedExamples } from "../resolve/corpus.ts";
import { readRetainedText } from "../resolve/retained_text.ts";
import type { Forgetting, RunConfig, TextFile } from "../run.ts";

/** Held-out examples of what a base checkpoint was pre-trained on, and its own loss on them. */
export interface Retained extends Pick<Forgetting, "corpus" | "before"> {
  /** The examples in batches of so many, always the same. */
  batches(size: number): Iterable<Batch>;
}

/** Losses of base checkpoints that were taken, by GPU and checkpoint: they are the same for all runs. */
const taken = new WeakMap<Gpu, Map<string, number>>();

/**
 * What a run's base checkpoint was pre-trained on, or the text that stands for it, and the loss on that before fine-tuning.
 * Null where nobody knows: where the weights are the user's and no text is named, where they are random, and where another
 * head takes the place of the checkpoint's.
 *
 * Everything that this allocates on the GPU is freed.
 *
 * @throws {DataError} where the text can't be read or has no rows
 */
export async function openRetained(
  gpu: Gpu,
  config: RunConfig,
  entry: ModelEntry,
  source: WeightSource,
): Promise<Retained | null> {
  const examples = await examplesOf(config, entry);
  if (!examples) return null;
  const { corpus, batches } = examples, losses = taken.get(gpu) ?? new Map<string, number>();
  taken.set(gpu, losses);
  const { model, retain, memory: { frozenWeights, frozenEmbeddings } = {}, targetModules } = config;
  const key = canonicalJson({
    model,
    ...retain ? { retain } : { examples: retainedExamples(config) },
    size: heldOutSize(config),
    ...frozenWeights && { frozenWeights, targetModules },
    ...frozenEmbeddings && { frozenEmbeddings },
  });
  let before = losses.get(key);
  if (before === undefined) {
    using _ = gpu.scope("base", "weights");
    const built = entry.create(gpu, source, precisionsOf(targetModules, config.memory, entry));
    before = await heldOutLoss(gpu, built, plainForward, batches(heldOutSize(config)));
    losses.set(key, before);
  }
  return { corpus, before, batches };
}

/** What the weights that a run begins with were pre-trained on; null where nobody knows. */
async function examplesOf(
  config: RunConfig,
  entry: ModelEntry,
): Promise<Pick<Retained, "corpus" | "batches"> | null> {
  if (config.retain) {
    return { corpus: nameOf(config.retain), ...await readRetainedText(config.retain, entry) };
  }
  const corpus = corpusOf(entry, config.model);
  if (!corpus) return null;
  const { validationBatches } = await loadCorpus(corpus, entry.recipe!.seed, retainedExamples(config));
  return { corpus: corpus.id, batches: validationBatches };
}

function nameOf({ path }: TextFile): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
