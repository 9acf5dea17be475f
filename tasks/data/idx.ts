/** @file IDX files of images and labels, as MNIST and its relatives are published. */
import { readPieces } from "./bytes.ts";
import type { LabelledImage } from "./contents.ts";
import { baseName, type DataSet, type Folder, folderOf, type Part } from "./data_set.ts";
import { DataError } from "./data_error.ts";

/** The only type of value that the published sets have. */
const UNSIGNED_BYTES = 0x08;

/** An IDX file's contents. */
export interface IdxArray {
  readonly shape: readonly number[];
  /** Row-major. */
  readonly data: Uint8Array;
}

/** Most values of a file: twice those of the largest set that is published so (EMNIST's), as all are held at once. */
const MOST_VALUES = 2 ** 30;
/** Bytes of a header with as many axes as there can be. */
const LONGEST_HEADER = 4 + 4 * 255;

/**
 * Reads an IDX file of unsigned bytes, compressed with gzip or not, no further than its header says.
 *
 * @throws {DataError} where the file is no such file, is cut short, goes on behind its end or has too many values
 */
export async function readIdx(path: string): Promise<IdxArray> {
  let start = new Uint8Array(0), array: IdxArray | null = null, filled = 0;
  const fill = ({ shape, data }: IdxArray, values: Uint8Array) => {
    if (filled + values.length > data.length) {
      throw new DataError(
        `Cannot read ${path}: it goes on behind the ${data.length} bytes of [${shape.join(", ")}]`,
      );
    }
    data.set(values, filled);
    filled += values.length;
  };
  const begin = () => {
    const shape = shapeOf(path, start), count = shape.reduce((product, size) => product * size, 1);
    if (count > MOST_VALUES) {
      const most = MOST_VALUES.toLocaleString("en-US");
      throw new DataError(
        `Cannot read ${path}: its shape is [${shape.join(", ")}], ${most} values at most are read`,
      );
    }
    array = { shape, data: new Uint8Array(count) };
    fill(array, start.subarray(4 + 4 * shape.length));
    return array;
  };
  for await (const piece of readPieces(path)) {
    if (array) {
      fill(array, piece);
      continue;
    }
    const longer = new Uint8Array(start.length + piece.length);
    longer.set(start);
    longer.set(piece, start.length);
    start = longer;
    if (start.length >= LONGEST_HEADER) begin();
  }
  const { shape, data } = array ?? begin();
  if (filled < data.length) {
    throw new DataError(
      `Cannot read ${path}: it has ${filled} bytes behind its header, ${data.length} are needed for [${
        shape.join(", ")
      }]`,
    );
  }
  return { shape, data };
}

/** The sizes that a file's beginning tells. */
function shapeOf(path: string, start: Uint8Array): number[] {
  const axes = start[3] ?? 0;
  if (start.length < 4 || start[0] !== 0 || start[1] !== 0 || axes === 0) {
    throw new DataError(`Cannot read ${path}: it does not begin as an IDX file does`);
  }
  if (start[2] !== UNSIGNED_BYTES) {
    const type = start[2]!.toString(16).padStart(2, "0");
    throw new DataError(`Cannot read ${path}: its values are of type 0x${type}, 0x08 is needed`);
  }
  if (start.length < 4 + 4 * axes) throw new DataError(`Cannot read ${path}: it ends within its header`);
  const view = new DataView(start.buffer, start.byteOffset);
  return Array.from({ length: axes }, (_, axis) => view.getUint32(4 + 4 * axis));
}

/** Names of a set's files; EMNIST has several sets in one folder, told apart by what their names begin with. */
const NAME = /^(?<prefix>.*?)(?<split>train|t10k|test)-(?<kind>images[-.]idx3|labels[-.]idx1)-ubyte(\.gz)?$/;

/** MNIST, Fashion-MNIST, KMNIST, EMNIST: files of images, each with one of labels beside it. */
export const idx: DataSet<"vision"> = {
  id: "idx",
  title: "images as IDX",
  family: "vision",
  source: "http://yann.lecun.com/exdb/mnist",
  files: [
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
  ],
  roleOf(name) {
    const found = NAME.exec(name)?.groups;
    return found && (found["split"] === "train" ? "train" : "test");
  },
  // deno-lint-ignore require-await -- a missing partner must reject, not throw
  async find(folder): Promise<readonly Part<LabelledImage>[]> {
    return folder.files.flatMap((images): Part<LabelledImage>[] => {
      const name = baseName(images), found = NAME.exec(name)?.groups;
      if (!found || !found["kind"]!.startsWith("images")) return [];
      const labels = partnerOf(images, folder);
      return [{
        role: idx.roleOf(name)!,
        set: folderOf(images) + found["prefix"],
        files: [images, labels],
        read: () => readPair(folder.full(images), folder.full(labels)),
      }];
    });
  },
};

/** The file of labels beside one of images, compressed or not whatever that one is. */
function partnerOf(images: string, folder: Folder): string {
  const plain = images.replace(/images([-.])idx3-ubyte(\.gz)?$/, "labels$1idx1-ubyte");
  const found = [plain, `${plain}.gz`].find((file) => folder.files.includes(file));
  if (found) return found;
  throw new DataError(
    `Cannot read ${folder.full(images)}: ${baseName(plain)} or ${baseName(plain)}.gz is needed beside it`,
  );
}

async function* readPair(imagesPath: string, labelsPath: string): AsyncGenerator<LabelledImage> {
  const images = await readIdx(imagesPath), labels = await readIdx(labelsPath);
  const [count, height, width] = images.shape;
  if (images.shape.length !== 3 || height === 0 || width === 0) {
    throw new DataError(
      `Cannot read ${imagesPath}: its shape is [${images.shape.join(", ")}], three sizes are needed`,
    );
  }
  if (labels.shape.length !== 1 || labels.shape[0] !== count) {
    throw new DataError(
      `Cannot read ${labelsPath}: its shape is [${
        labels.shape.join(", ")
      }], [${count}] is needed for ${imagesPath}`,
    );
  }
  const size = height! * width!;
  for (let i = 0; i < count!; i++) {
    const pixels = images.data.slice(i * size, (i + 1) * size);
    yield { width: width!, height: height!, channels: 1, pixels, label: labels.data[i]! };
  }
}
