/** @file PNG and JPEG files in folders: one folder a class, with folders for the splits around them or without. */
import type { LabelledImage } from "./contents.ts";
import { DataError, reasonOf } from "./data_error.ts";
import type { DataSet, Folder, Part, Role } from "./data_set.ts";
import { labelledImage, MOST_IMAGE_BYTES, TOO_LARGE } from "./image_file.ts";
import type { Skip } from "../skip.ts";

const IMAGE = /\.(png|jpe?g)$/i;

/** Names that folders of splits go by. */
const SPLITS: Readonly<Record<string, Role>> = {
  train: "train",
  training: "train",
  val: "validation",
  valid: "validation",
  validation: "validation",
  test: "test",
  testing: "test",
};

/** `train/CLASS/*.png` and `test/CLASS/*.png`, or `CLASS/*.png` alone. Classes are numbered in the order of their names. */
export const imageFolder: DataSet<"vision"> = {
  id: "image-folder",
  title: "a folder of PNG or JPEG files a class",
  family: "vision",
  source: "https://docs.pytorch.org/vision/stable/generated/torchvision.datasets.ImageFolder.html",
  files: ["train/CLASS/*.png", "test/CLASS/*.jpg", "CLASS/*.png"],
  roleOf: () => undefined,
  // deno-lint-ignore require-await -- as its neighbours
  async find(folder) {
    const byRole = new Map<Role, { file: string; name: string }[]>();
    for (const file of folder.files) {
      const place = IMAGE.test(file) ? placeOf(file) : null;
      if (!place) continue;
      const images = byRole.get(place.role) ?? [];
      images.push({ file, name: place.name });
      byRole.set(place.role, images);
    }
    const names = [...byRole.values()].flatMap((images) => images.map(({ name }) => name));
    const classes = [...new Set(names)].sort(byNumberOrName);
    if (classes.length === 1) throw oneClass(folder, classes[0]!, names.length);
    return Array.from(byRole, ([role, images]): Part<LabelledImage> => ({
      role,
      set: "",
      classes,
      files: images.map(({ file }) => file),
      async *read() {
        for (const { file, name } of images) yield await readImage(folder, file, classes.indexOf(name));
      },
    }));
  },
};

/** The split and the class that a path tells; null for an image that lies in no class's folder. */
function placeOf(file: string): { readonly role: Role; readonly name: string } | null {
  const folders = file.split("/").slice(0, -1);
  const role = SPLITS[folders[0]?.toLowerCase() ?? ""];
  const inside = role ? folders.slice(1) : folders;
  return inside.length === 1 ? { role: role ?? "train", name: inside[0]! } : null;
}

/** Any model is right about all images of one class: that is no data set, and most often other folders are meant. */
function oneClass(folder: Folder, name: string, count: number): DataError {
  const list = folder.files.find((file) => /(^|\/)(labels?|annotations?)\.(csv|tsv|txt|json)$/i.test(file));
  return new DataError(
    `Cannot use the images in ${folder.path}: all ${
      count.toLocaleString("en-US")
    } are of one class, "${name}", as ` +
      `folders name the classes and two are needed${list === undefined ? "" : `; ${list} is not read`}`,
  );
}

/** "2" before "10". */
function byNumberOrName(a: string, b: string): number {
  const [x, y] = [a, b].map((name) => /^\d+$/.test(name) ? Number(name) : NaN) as [number, number];
  return Number.isNaN(x) || Number.isNaN(y) ? (a < b ? -1 : 1) : x - y;
}

/** An image of a folder with its class. @throws {DataError} where the file can't be read */
export async function readImage(folder: Folder, file: string, label: number): Promise<LabelledImage | Skip> {
  const path = folder.full(file);
  let bytes: Uint8Array;
  try {
    if ((await Deno.stat(path)).size > MOST_IMAGE_BYTES) return TOO_LARGE;
    bytes = await Deno.readFile(path);
  } catch (error) {
    throw new DataError(`Cannot read ${path}: ${reasonOf(error)}`);
  }
  return await labelledImage(bytes, label);
}
