/** @file How a checkpoint wants its images: `preprocessor_config.json` beside it, or what is usual for its kind. */
import { z } from "zod";
import { CheckpointError } from "./checkpoint.ts";
import { isFile } from "./checkpoint_folder.ts";
import { readCheckpointJson } from "./checkpoint_json.ts";
import { explainIssue } from "../../errors/explain_issue.ts";
import type { ImageFilter, ImageInput, ImageResize } from "../model.ts";

/** The file's name, as Hugging Face has it. */
export const PREPROCESSOR = "preprocessor_config.json";

/** Of red, green and blue. Source: https://github.com/openai/CLIP, clip.py. */
const CLIP: ImageInput = {
  channels: 3,
  mean: [0.48145466, 0.4578275, 0.40821073],
  deviation: [0.26862954, 0.26130258, 0.27577711],
};
/** From -1 for black to 1 for white, as our own grey models are trained: CLIP has no constants for grey. */
const GREY: ImageInput = { channels: 1, mean: [0.5], deviation: [0.5] };

/** What a processor of Hugging Face's does where its file does not say. */
interface Processor {
  /** Whether a single number for `size` is that of both sides, or of the shorter one. */
  readonly isStretched: boolean;
  readonly crops: boolean;
  /** By Pillow's number. */
  readonly resample: number;
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

const HALF = { mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5] };
const asClip = { isStretched: false, crops: true, resample: 3, mean: CLIP.mean, deviation: CLIP.deviation };

/** By what a file calls them, without the endings of their kind. Source: `image_processing_*.py` of transformers 4.57. */
const PROCESSORS: Readonly<Record<string, Processor>> = {
  CLIP: asClip,
  Bit: asClip,
  ViT: { isStretched: true, crops: false, resample: 2, ...HALF },
  DeiT: { isStretched: true, crops: true, resample: 3, ...HALF },
  Siglip: { isStretched: true, crops: false, resample: 3, ...HALF },
};

/** Pillow's numbers of the filters that are known here. */
const FILTERS: Readonly<Record<number, ImageFilter>> = { 0: "nearest", 2: "bilinear", 3: "bicubic" };

const PIXELS = "a size in pixels from 1 is needed";
const pixels = z.int(PIXELS).min(1, PIXELS);
const square = z.strictObject({ height: pixels, width: pixels });
const shortest = z.strictObject({ shortest_edge: pixels });
const TYPE = `one of ${Object.keys(PROCESSORS).map((name) => `${name}ImageProcessor`).join(", ")} is needed`;
const type = z.string().refine((name) => processorOf(name) !== undefined, TYPE).optional();

const Preprocessor = z.object({
  image_processor_type: type,
  feature_extractor_type: type,
  do_resize: z.literal(true, "true is needed: images are resized").default(true),
  size: z.union([pixels, square, shortest], PIXELS).optional(),
  resample: z.number().refine(
    (one) => Object.hasOwn(FILTERS, one),
    "0 (nearest), 2 (bilinear) or 3 (bicubic) is needed",
  )
    .optional(),
  do_center_crop: z.boolean().optional(),
  crop_size: z.union([pixels, square], PIXELS).optional(),
  do_rescale: z.boolean().default(true),
  rescale_factor: z.number().positive("a number above 0 is needed").default(1 / 255),
  do_normalize: z.boolean().default(true),
  image_mean: z.array(z.number()).optional(),
  image_std: z.array(z.number().positive("a number above 0 is needed")).optional(),
  // What would change images, and is not known here.
  do_pad: z.literal(false, "false is needed").optional(),
  do_reduce_labels: z.literal(false, "false is needed").optional(),
  do_flip_channel_order: z.literal(false, "false is needed").optional(),
  offset: z.literal(false, "false is needed").optional(),
});

function processorOf(name: string): Processor | undefined {
  const short = name.replace(/(ImageProcessor(Fast|Pil)?|FeatureExtractor)$/, "");
  return Object.hasOwn(PROCESSORS, short) ? PROCESSORS[short] : undefined;
}

/**
 * How the image model in a folder takes images: as its `preprocessor_config.json` says, or `given` where there is none; where
 * these say nothing, as the processor that they name does, or `given`'s, or CLIP's.
 *
 * @param tower what the model takes, in pixels along each side; where it takes others too, as DINOv2 does, the file decides
 * @param given what another file of the folder says, as `preprocessor_config.json` would, or what is usual for its kind
 * @throws {CheckpointError} where the file is unsound, of other channels or another size, or asks for what is not known
 * here, and for towers of neither 1 nor 3 channels
 */
export async function readImageInput(
  folder: string,
  tower: { readonly side: number; readonly channels: number; readonly takesOthers?: boolean },
  given: unknown,
): Promise<{ readonly input: ImageInput; readonly side: number }> {
  const { channels } = tower;
  const standard = standardImageInput(channels);
  if (!standard) {
    throw new CheckpointError(
      `Cannot read model "${folder}": its images have ${channels} channels, 1 or 3 are needed`,
    );
  }
  const path = `${folder}/${PREPROCESSOR}`, own = await isFile(path);
  const validate = (reason: string, cause?: unknown) =>
    new CheckpointError(`Cannot read ${own ? path : `the image constants of ${folder}`}: ${reason}`, {
      cause,
    });
  const json = own ? await readCheckpointJson(path, validate) : given;
  const parsed = Preprocessor.safeParse(json ?? {});
  if (!parsed.success) throw validate(explainIssue(parsed.error.issues[0]!, json));
  const { data } = parsed, named = data.image_processor_type ?? data.feature_extractor_type;
  const processor = processorOf(named ?? usualType(given)) ?? asClip;
  const { side, resize } = sizesOf(data, processor, tower, validate);
  const input = channels === 1
    ? standard
    : { ...standard, mean: processor.mean, deviation: processor.deviation };
  // From 0 to 1, where others have it from 0 to this.
  const most = data.do_rescale ? data.rescale_factor * 255 : 255, isOne = Math.abs(most - 1) < 1e-9;
  const scaled = (numbers: readonly number[]) => isOne ? numbers : numbers.map((one) => one / most);
  const { image_mean: mean = input.mean, image_std: deviation = input.deviation } = data;
  for (const [name, { length }] of [["image_mean", mean], ["image_std", deviation]] as const) {
    if (length !== channels) throw validate(`${name} has ${length} numbers, ${channels} are needed`);
  }
  const normal = data.do_normalize
    ? { mean: scaled(mean), deviation: scaled(deviation) }
    : { mean: Array(channels).fill(0), deviation: scaled(Array(channels).fill(1)) };
  const isClips = resize.shorter === side && !resize.isStretched && resize.filter === "bicubic";
  return { side, input: { ...standard, ...normal, ...(!isClips && { resize }) } };
}

function usualType(given: unknown): string {
  const named = (given as { readonly image_processor_type?: unknown } | null | undefined)
    ?.image_processor_type;
  return typeof named === "string" ? named : "CLIPImageProcessor";
}

/** The pixels that images are resized and cut to. */
function sizesOf(
  data: z.output<typeof Preprocessor>,
  { isStretched: stretches, crops, resample }: Processor,
  { side: own, takesOthers }: { readonly side: number; readonly takesOthers?: boolean },
  validate: (reason: string) => CheckpointError,
): { readonly side: number; readonly resize: ImageResize } {
  const sideOf = (name: string, size: z.output<typeof square> | number | undefined) => {
    if (size === undefined || typeof size === "number") return size;
    if (size.height === size.width) return size.height;
    throw validate(`${name} is ${size.width} by ${size.height} pixels, a square is needed`);
  };
  const { size, do_center_crop: isCut = crops } = data;
  const isShorter = typeof size === "object" && "shortest_edge" in size;
  const resized = isShorter ? size.shortest_edge : sideOf("size", size);
  const isStretched = typeof size === "object" ? !isShorter : stretches;
  const cut = isCut ? sideOf("crop_size", data.crop_size) : undefined;
  if (!isCut && !isStretched) {
    throw validate("do_center_crop is false where only the shorter side has a size, true is needed");
  }
  const side = (isCut ? cut : resized) ?? own, shorter = resized ?? side;
  if (side !== own && !takesOthers) {
    throw validate(`${isCut ? "crop_size" : "size"} is ${side} pixels, the ${own} of the model are needed`);
  }
  if (shorter < side) {
    throw validate(`size is ${shorter} pixels, at least the ${side} that are cut out of them are needed`);
  }
  const filter = FILTERS[data.resample ?? resample]!;
  return { side, resize: { shorter, ...(isStretched && { isStretched }), filter } };
}

/** How images are taken where nobody says it: as CLIP takes them, or from -1 to 1 in grey; null for other channels. */
export function standardImageInput(channels: number): ImageInput | null {
  return [CLIP, GREY].find((standard) => standard.channels === channels) ?? null;
}

/** The same as a `preprocessor_config.json`. */
export function preprocessorJson({ mean, deviation }: ImageInput): unknown {
  return { do_normalize: true, image_mean: mean, image_std: deviation };
}
