/**
 * @file Graph models of TensorFlow.js: `model.json`, which lists tensors, and the files in which their elements lie one behind the
 * other.
 *
 * Source: https://github.com/tensorflow/tfjs, tfjs-core/src/io/types.ts (WeightsManifestConfig).
 */
import { z } from "zod";
import { elementCount } from "../../gpu/tensor.ts";
import { type Checkpoint, CheckpointError, type CheckpointTensor } from "./checkpoint.ts";
import { readCheckpointJson } from "./checkpoint_json.ts";
import { check } from "./configs/fields.ts";

/** The file that lists the tensors. */
export const GRAPH_MODEL = "model.json";

const Manifest = z.object({
  weightsManifest: z.array(z.object({
    paths: z.array(z.string().regex(/^[^/\\]+$/, "the name of a file in the folder is needed")),
    weights: z.array(z.object({
      name: z.string(),
      shape: z.array(z.int().nonnegative()),
      dtype: z.enum(["float32", "int32"]),
      quantization: z.never("weights as they are, without quantization, are needed").optional(),
    })),
  })).min(1),
});
type Manifest = z.output<typeof Manifest>["weightsManifest"];

/** Bytes of a number. */
const BYTES = 4;
const DTYPES = { float32: "F32", int32: "I32" } as const;

async function readManifest(folder: string): Promise<Manifest> {
  const path = `${folder}/${GRAPH_MODEL}`;
  const validate = (reason: string, cause?: unknown) =>
    new CheckpointError(`Cannot read graph model "${path}": ${reason}`, { cause });
  return check(Manifest, await readCheckpointJson(path, validate), path).weightsManifest;
}

/** Names of the files with a graph model's weights, in the order of their bytes. @throws {CheckpointError} */
export async function graphModelFiles(folder: string): Promise<string[]> {
  return (await readManifest(folder)).flatMap(({ paths }) => paths);
}

/**
 * Opens a graph model. Elements are read when the first of them are asked for, all of a group of files at once.
 *
 * @throws {CheckpointError} where `model.json` is none or its files are of another length than its tensors
 */
export async function openGraphModel(folder: string): Promise<Checkpoint> {
  const tensors = new Map<string, CheckpointTensor>();
  for (const { paths, weights } of await readManifest(folder)) {
    const needed = weights.reduce((sum, { shape }) => sum + BYTES * elementCount(shape), 0);
    const found = await sizeOf(folder, paths);
    if (found !== needed) {
      throw new CheckpointError(
        `Cannot read graph model "${folder}": its files have ${found} bytes of weights, ${GRAPH_MODEL} lists ${needed}`,
      );
    }
    let kept: ArrayBuffer | undefined, begin = 0;
    for (const { name, shape, dtype } of weights) {
      const at = begin, count = elementCount(shape);
      begin += BYTES * count;
      tensors.set(name, {
        shape,
        dtype: DTYPES[dtype],
        get data() {
          kept ??= readTogether(folder, paths, needed);
          return dtype === "float32"
            ? new Float32Array(kept, at, count).slice()
            : Float32Array.from(new Int32Array(kept, at, count));
        },
      });
    }
  }
  return { name: folder, metadata: {}, tensors };
}

async function sizeOf(folder: string, paths: readonly string[]): Promise<number> {
  let sum = 0;
  for (const path of paths) {
    try {
      sum += (await Deno.stat(`${folder}/${path}`)).size;
    } catch (error) {
      throw unreadable(folder, path, error);
    }
  }
  return sum;
}

/** The bytes of files, one behind the other. */
function readTogether(folder: string, paths: readonly string[], length: number): ArrayBuffer {
  const all = new Uint8Array(length);
  let at = 0;
  for (const path of paths) {
    try {
      const bytes = Deno.readFileSync(`${folder}/${path}`);
      all.set(bytes, at);
      at += bytes.length;
    } catch (error) {
      throw unreadable(folder, path, error);
    }
  }
  return all.buffer;
}

function unreadable(folder: string, path: string, error: unknown): CheckpointError {
  const reason = error instanceof Deno.errors.NotFound ? "there is no such file" : (error as Error).message;
  return new CheckpointError(`Cannot read graph model "${folder}": "${path}": ${reason}`, { cause: error });
}
