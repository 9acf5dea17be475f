/** @file How a checkpoint wants its images: `preprocessor_config.json` beside it, or CLIP's own constants. */
import { z } from "zod";
import { CheckpointError } from "./checkpoint.ts";
import { isFile } from "./checkpoint_folder.ts";
import { readCheckpointJson } from "./checkpoint_json.ts";
import { explainIssue } from "../../errors/explain_issue.ts";
import type { ImageInput } from "../model.ts";

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

const Preprocessor = z.object({
  do_normalize: z.boolean().default(true),
  image_mean: z.array(z.number()).optional(),
  image_std: z.array(z.number().positive("a number above 0 is needed")).optional(),
});

/**
 * How the image tower in a folder takes images: by `image_mean` and `image_std` of its `preprocessor_config.json`, or of
 * `given` where there is none, or where neither says, by CLIP's. Resizing is not read: it is CLIP's for all.
 *
 * @param channels those of the tower
 * @param given what another file of the folder says, as `preprocessor_config.json` would
 * @throws {CheckpointError} where the file is unsound or of other channels, and for towers of neither 1 nor 3 channels
 */
export async function readImageInput(folder: string, channels: number, given: unknown): Promise<ImageInput> {
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
  if (!parsed.data.do_normalize) {
    return { ...standard, mean: Array(channels).fill(0), deviation: Array(channels).fill(1) };
  }
  const { image_mean: mean = standard.mean, image_std: deviation = standard.deviation } = parsed.data;
  for (const [name, { length }] of [["image_mean", mean], ["image_std", deviation]] as const) {
    if (length !== channels) throw validate(`${name} has ${length} numbers, ${channels} are needed`);
  }
  return { ...standard, mean, deviation };
}

const CROP = "a size in pixels from 1 is needed";
const pixels = z.int(CROP).min(1, CROP);
const Crop = z.object({
  do_center_crop: z.boolean().default(true),
  crop_size: z.union([pixels, z.object({ height: pixels, width: pixels })], CROP).optional(),
});

/**
 * The side that `preprocessor_config.json` cuts images to; null where it says nothing of it.
 *
 * @throws {CheckpointError} where the file is unsound, and for images that are no squares
 */
export async function readCropSide(folder: string): Promise<number | null> {
  const path = `${folder}/${PREPROCESSOR}`;
  if (!await isFile(path)) return null;
  const validate = (reason: string, cause?: unknown) =>
    new CheckpointError(`Cannot read ${path}: ${reason}`, { cause });
  const json = await readCheckpointJson(path, validate), parsed = Crop.safeParse(json);
  if (!parsed.success) throw validate(explainIssue(parsed.error.issues[0]!, json));
  const { do_center_crop: crops, crop_size: size } = parsed.data;
  if (!crops || size === undefined) return null;
  if (typeof size === "number") return size;
  if (size.height !== size.width) {
    throw validate(`crop_size is ${size.width} by ${size.height} pixels, a square is needed`);
  }
  return size.height;
}

/** How images are taken where nobody says it: as CLIP takes them, or from -1 to 1 in grey; null for other channels. */
export function standardImageInput(channels: number): ImageInput | null {
  return [CLIP, GREY].find((standard) => standard.channels === channels) ?? null;
}

/** The same as a `preprocessor_config.json`. */
export function preprocessorJson({ mean, deviation }: ImageInput): unknown {
  return { do_normalize: true, image_mean: mean, image_std: deviation };
}
