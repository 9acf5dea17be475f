/** @file Images as lines of numbers: UCI's optdigits, and CSV files that begin with the class. */
import { readLines } from "./bytes.ts";
import type { LabelledImage } from "./contents.ts";
import { baseName, type DataSet, folderOf, type Part, type Role } from "./data_set.ts";
import { DataError } from "./data_error.ts";

/** How a kind of file writes an image. */
interface Layout {
  /** Where the class stands on a line. */
  readonly label: "first" | "last";
  /** The number that stands for white. */
  readonly white: number;
}

const OPTDIGITS: Layout = { label: "last", white: 16 };
const CLASS_FIRST: Layout = { label: "first", white: 255 };

/** 8 × 8 handwritten digits with values from 0 to 16, the class last. */
export const optdigits: DataSet<"vision"> = csvSet({
  id: "optdigits",
  title: "optdigits",
  source: "https://archive.ics.uci.edu/dataset/80",
  files: ["optdigits.tra", "optdigits.tes"],
  names: [
    [/^(?<prefix>optdigits.*)\.tra(\.gz)?$/, "train"],
    [/^(?<prefix>optdigits.*)\.tes(\.gz)?$/, "test"],
  ],
  layout: OPTDIGITS,
});

/** Square grey images with values from 0 to 255, the class first, with a header or without. */
export const imageCsv: DataSet<"vision"> = csvSet({
  id: "image-csv",
  title: "images as CSV",
  source: "https://www.kaggle.com/datasets/oddrationale/mnist-in-csv",
  files: ["mnist_train.csv", "mnist_test.csv"],
  names: [
    [/^(?<prefix>.*[-_])?train\.csv(\.gz)?$/, "train"],
    [/^(?<prefix>.*[-_])?test\.csv(\.gz)?$/, "test"],
  ],
  layout: CLASS_FIRST,
});

function csvSet(
  given: Omit<DataSet<"vision">, "find" | "family" | "roleOf"> & {
    /** Names of files with what they are for; the group `prefix` tells sets in one folder apart. */
    readonly names: readonly (readonly [RegExp, Role])[];
    readonly layout: Layout;
  },
): DataSet<"vision"> {
  const { names, layout, ...rest } = given;
  const nameOf = (file: string) => names.find(([pattern]) => pattern.test(baseName(file)));
  return {
    ...rest,
    family: "vision",
    roleOf: (name) => nameOf(name)?.[1],
    async find(folder) {
      const parts: Part<LabelledImage>[] = [];
      for (const file of folder.files) {
        const found = nameOf(file);
        if (!found || !await hasNumbers(folder.full(file))) continue;
        const [pattern, role] = found, prefix = pattern.exec(baseName(file))?.groups?.["prefix"] ?? "";
        const set = folderOf(file) + prefix;
        parts.push({ role, set, files: [file], read: () => readImages(folder.full(file), layout) });
      }
      return parts;
    },
  };
}

/** False where the second line is mostly text: `train.csv` is a common name. */
async function hasNumbers(path: string): Promise<boolean> {
  for await (const { number, text } of readLines(path)) {
    if (number === 1) continue;
    const values = text.split(",").map((value) => value.trim()).filter((value) => value !== "");
    return 2 * values.filter((value) => Number.isFinite(Number(value))).length >= values.length;
  }
  return true;
}

async function* readImages(path: string, { label, white }: Layout): AsyncGenerator<LabelledImage> {
  let fields = 0;
  for await (const { number, text } of readLines(path)) {
    if (text.trim() === "") continue;
    const values = text.split(",").map((value) => value.trim() === "" ? NaN : Number(value));
    // A header has no number in it.
    if (number === 1 && values.every(Number.isNaN)) continue;
    const fault = (what: string) => new DataError(`Cannot read ${path}: line ${number} has ${what}`);
    if (fields === 0) {
      const side = Math.sqrt(values.length - 1);
      if (values.length < 2 || !Number.isInteger(side)) {
        throw fault(`${values.length} fields, the class and the pixels of a square are needed`);
      }
      fields = values.length;
    }
    if (values.length !== fields) throw fault(`${values.length} fields, ${fields} are needed`);
    const [target, pixels] = label === "first"
      ? [values[0]!, values.slice(1)]
      : [values.at(-1)!, values.slice(0, -1)];
    if (!Number.isInteger(target) || target < 0) {
      throw fault(`no class: ${target} where a whole number is needed`);
    }
    if (pixels.some((value) => !(value >= 0 && value <= white))) {
      throw fault(`a value that is no number from 0 to ${white}`);
    }
    const side = Math.sqrt(fields - 1);
    yield {
      width: side,
      height: side,
      channels: 1,
      pixels: Uint8Array.from(pixels, (value) => Math.round(255 * value / white)),
      label: target,
    };
  }
}
