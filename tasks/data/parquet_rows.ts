/** @file Rows of Parquet files, one group of rows after the other. */
import type { AsyncBuffer, FileMetaData } from "hyparquet";
import { DataError, reasonOf } from "./data_error.ts";
import type { Row } from "./row.ts";

/**
 * A file's rows. Texts are strings, bytes `Uint8Array`, 64-bit integers numbers where they are safe.
 *
 * @throws {DataError} where the file is no Parquet, is cut short or can't be decoded
 */
export async function* readParquetRows(path: string): AsyncGenerator<Row> {
  const [{ parquetMetadataAsync, parquetReadObjects }, { compressors }] = await Promise.all([
    import("hyparquet"),
    import("hyparquet-compressors"),
  ]);
  using handle = await open(path);
  const file = bufferOf(handle);
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw new DataError(`Cannot read ${path}: ${reasonOf(error)} (cut short, or not Parquet?)`);
    }
  };
  const metadata = await guarded(() => parquetMetadataAsync(file));
  const total = Number(metadata.num_rows);
  let number = 0;
  for (const [rowStart, rowEnd] of groupsOf(metadata)) {
    // utf8: false leaves bytes that are not marked as text (images) alone.
    const options = { file, metadata, compressors, rowStart, rowEnd, utf8: false };
    for (const fields of await guarded(() => parquetReadObjects(options))) {
      yield { fields: withNumbers(fields), where: `${path}: record ${++number}` };
    }
  }
  if (number !== total) throw new DataError(`Cannot read ${path}: it has ${number} records of ${total}`);
}

/**
 * Names of classes by column, from the metadata that Hugging Face's `datasets` writes; none where there are none.
 *
 * @throws {DataError} as `readParquetRows` does
 */
export async function parquetClassNames(path: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const { parquetMetadataAsync } = await import("hyparquet");
  using handle = await open(path);
  try {
    const { key_value_metadata } = await parquetMetadataAsync(bufferOf(handle));
    const text = key_value_metadata?.find(({ key }) => key === "huggingface")?.value;
    const features: Record<string, { names?: unknown }> = text ? JSON.parse(text)?.info?.features ?? {} : {};
    return new Map(
      Object.entries(features).flatMap(([column, feature]) =>
        Array.isArray(feature?.names) ? [[column, feature.names.map(String)]] : []
      ),
    );
  } catch (error) {
    throw new DataError(`Cannot read ${path}: ${reasonOf(error)} (cut short, or not Parquet?)`);
  }
}

async function open(path: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path);
  } catch (error) {
    throw new DataError(`Cannot read ${path}: ${reasonOf(error)}`);
  }
}

/** Parts of the file that the library may ask for, in any order, several at once. */
function bufferOf(file: Deno.FsFile): AsyncBuffer {
  const byteLength = file.statSync().size;
  return {
    byteLength,
    // Seek and read must not be parted by another part's, so they are synchronous.
    slice(start, end = byteLength) {
      const part = new Uint8Array(Math.max(0, Math.min(end, byteLength) - start));
      file.seekSync(start, Deno.SeekMode.Start);
      for (let at = 0; at < part.length;) at += file.readSync(part.subarray(at)) ?? part.length;
      return part.buffer;
    },
  };
}

/** The rows of each group: the unit that can be decoded by itself. */
function groupsOf({ row_groups }: FileMetaData): [start: number, end: number][] {
  let start = 0;
  return row_groups.map(({ num_rows }) => [start, start += Number(num_rows)]);
}

function withNumbers(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      const isSafe = typeof value === "bigint" && BigInt(Number(value)) === value;
      return [name, isSafe ? Number(value) : value];
    }),
  );
}
