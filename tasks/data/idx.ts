/** @file IDX files of images and labels, as MNIST and its relatives are published. */
import { readWhole } from "./bytes.ts";
import type { LabelledImage } from "./contents.ts";
import { baseName, type DataSet, type Folder, type Part, type Role } from "./data_set.ts";
import { DataError } from "./data_error.ts";

/** The only type of value that the published sets have. */
const UNSIGNED_BYTES = 0x08;

/** An IDX file's contents. */
export interface IdxArray {
  readonly shape: readonly number[];
  /** Row-major. */
  readonly data: Uint8Array;
}

/**
 * Reads an IDX file of unsigned bytes, compressed with gzip or not.
 *
 * @throws {DataError} where the file is no such file, is cut short or goes on behind its end
 */
export async function readIdx(path: string): Promise<IdxArray> {
  const bytes = await readWhole(path);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const axes = bytes[3] ?? 0, header = 4 + 4 * axes;
  if (bytes.length < 4 || bytes[0] !== 0 || bytes[1] !== 0 || axes === 0) {
    throw new DataError(`Cannot read ${path}: it does not begin as an IDX file does`);
  }
  if (bytes[2] !== UNSIGNED_BYTES) {
    throw new DataError(
      `Cannot read ${path}: its values are of type 0x${
        bytes[2]!.toString(16).padStart(2, "0")
      }, 0x08 is needed`,
    );
  }
  if (bytes.length < header) throw new DataError(`Cannot read ${path}: it ends within its header`);
  const shape = Array.from({ length: axes }, (_, axis) => view.getUint32(4 + 4 * axis));
  const needed = header + shape.reduce((product, size) => product * size, 1);
  if (bytes.length !== needed) {
    throw new DataError(
      `Cannot read ${path}: it has ${bytes.length} bytes, ${needed} are needed for [${shape.join(", ")}]`,
    );
  }
  return { shape, data: bytes.subarray(header) };
}

const IMAGES = /^(?<prefix>.*?)(?<split>train|t10k|test)-images[-.]idx3-ubyte(\.gz)?$/;

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
  // deno-lint-ignore require-await -- a missing partner must reject, not throw
  async find(folder): Promise<readonly Part<LabelledImage>[]> {
    return folder.files.flatMap((images): Part<LabelledImage>[] => {
      const found = IMAGES.exec(baseName(images))?.groups;
      if (!found) return [];
      const labels = partnerOf(images, folder);
      const role: Role = found["split"] === "train" ? "train" : "test";
      return [{
        role,
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
