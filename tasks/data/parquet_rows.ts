/** @file Rows of Parquet files, one group of rows after the other. */
import type { AsyncBuffer, Compressors, FileMetaData, RowGroup, SchemaTree } from "hyparquet";
import { DataError, reasonOf } from "./data_error.ts";
import { openFile } from "./open_file.ts";
import { checkPages } from "./parquet_pages.ts";
import type { Row } from "./row.ts";

/** Most rows of a group, which are all held at once: twice what common writers put into one. */
const MOST_GROUP_ROWS = 2 ** 21;
/** Most bytes of a file that are read at once, and most that the columns of a group unpack to. */
const MOST_GROUP_BYTES = 2 ** 29;

/**
 * A file's rows. Texts are strings, bytes `Uint8Array`, 64-bit integers numbers where they are safe.
 *
 * @throws {DataError} where the file is no Parquet, is cut short, can't be decoded or has groups beyond the limits
 */
export async function* readParquetRows(path: string): AsyncGenerator<Row> {
  const [{ parquetReadObjects, parquetSchema }, { compressors }] = await Promise.all([
    import("hyparquet"),
    import("hyparquet-compressors"),
  ]);
  using handle = await openFile(path);
  const file = bufferOf(handle);
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw unsound(path, error);
    }
  };
  const metadata = await guarded(() => metadataOf(file));
  const total = Number(metadata.num_rows);
  let number = 0, rowEnd = 0;
  for (const group of metadata.row_groups) {
    const rowStart = rowEnd, rows = Number(group.num_rows);
    rowEnd += rows;
    await guarded(() => checkGroup(file, group, parquetSchema(metadata), bounded(compressors)));
    // utf8: false leaves bytes that are not marked as text (images) alone.
    const options = { file, metadata, compressors: bounded(compressors), rowStart, rowEnd, utf8: false };
    for (const fields of await guarded(() => parquetReadObjects(options))) {
      yield { fields: withNumbers(fields), where: `${path}: record ${++number}` };
    }
  }
  if (number !== total) throw new DataError(`Cannot read ${path}: it has ${number} records of ${total}`);
}

/** What begins and ends a file. */
const MAGIC = "PAR1";

/** What a file says of itself. @throws {Error} where it says nothing */
async function metadataOf(file: AsyncBuffer): Promise<FileMetaData> {
  if (file.byteLength === 0) throw new RangeError("it is empty");
  const isMagic = async (from: number) => {
    const part = await file.slice(Math.max(0, from), Math.max(0, from) + MAGIC.length);
    return new TextDecoder("latin1").decode(part) === MAGIC;
  };
  if (!await isMagic(0)) throw new RangeError("it does not begin as Parquet does");
  if (!await isMagic(file.byteLength - MAGIC.length)) throw new RangeError("it does not end as Parquet does");
  const { parquetMetadataAsync } = await import("hyparquet");
  return await parquetMetadataAsync(file);
}

/** What is said of a file that the library can't read. Of some it only says which part of itself stumbled. */
function unsound(path: string, error: unknown): DataError {
  const reason = error instanceof TypeError ? "its parts do not fit together" : reasonOf(error);
  return new DataError(`Cannot read ${path}: ${reason} (cut short, or not Parquet?)`);
}

/**
 * Names of classes by column, from the metadata that Hugging Face's `datasets` writes; none where there are none.
 *
 * @throws {DataError} as `readParquetRows` does
 */
export async function parquetClassNames(path: string): Promise<ReadonlyMap<string, readonly string[]>> {
  using handle = await openFile(path);
  try {
    const { key_value_metadata } = await metadataOf(bufferOf(handle));
    const text = key_value_metadata?.find(({ key }) => key === "huggingface")?.value;
    const features: Record<string, { names?: unknown }> = text ? JSON.parse(text)?.info?.features ?? {} : {};
    return new Map(
      Object.entries(features).flatMap(([column, feature]) =>
        Array.isArray(feature?.names) ? [[column, feature.names.map(String)]] : []
      ),
    );
  } catch (error) {
    throw unsound(path, error);
  }
}

/**
 * Names of a file's columns, of which no value is read; none where there are no rows.
 *
 * @throws {DataError} as `readParquetRows` does
 */
export async function parquetColumns(path: string): Promise<readonly string[]> {
  const { parquetSchema } = await import("hyparquet");
  using handle = await openFile(path);
  try {
    const metadata = await metadataOf(bufferOf(handle));
    return metadata.num_rows > 0n ? parquetSchema(metadata).children.map(({ element }) => element.name) : [];
  } catch (error) {
    throw unsound(path, error);
  }
}

/** Decompression for a group: pages say themselves how long they become, and a few bytes may say gigabytes. */
function bounded(compressors: Compressors): Compressors {
  let bytes = 0;
  return Object.fromEntries(
    Object.entries(compressors).map(([codec, unpack]) => [codec, (input: Uint8Array, length: number) => {
      bytes += length;
      requireFew(bytes);
      return unpack!(input, length);
    }]),
  );
}

/** @throws {RangeError} for more bytes than a group may have */
function requireFew(bytes: number): void {
  if (bytes <= MOST_GROUP_BYTES) return;
  throw new RangeError(`a group of its rows has more than ${MOST_GROUP_BYTES.toLocaleString("en-US")} bytes`);
}

/** Parts of the file that the library may ask for, in any order, several at once. */
function bufferOf(file: Deno.FsFile): AsyncBuffer {
  // Not by `stat`: Deno asks there for leave to read where a link leads, which it asks nowhere else.
  const byteLength = file.seekSync(0, Deno.SeekMode.End);
  return {
    byteLength,
    // Seek and read must not be parted by another part's, so they are synchronous.
    slice(start, end = byteLength) {
      const length = Math.max(0, Math.min(end, byteLength) - start);
      requireFew(length);
      const part = new Uint8Array(length);
      file.seekSync(start, Deno.SeekMode.Start);
      for (let at = 0; at < part.length;) at += file.readSync(part.subarray(at)) ?? part.length;
      return part.buffer;
    },
  };
}

/** Holds what a group says of itself against the file. @throws {RangeError} with what is wrong */
async function checkGroup(
  file: AsyncBuffer,
  { num_rows, columns }: RowGroup,
  schema: SchemaTree,
  compressors: Compressors,
): Promise<void> {
  const rows = Number(num_rows);
  if (!(rows >= 0 && rows <= MOST_GROUP_ROWS)) {
    const [found, most] = [rows, MOST_GROUP_ROWS].map((count) =>
      Number.isNaN(count) ? "no number of" : count.toLocaleString("en-US")
    );
    throw new RangeError(`it says that a group has ${found} rows, from 0 to ${most} are read`);
  }
  // Nobody would wait for what a column's fault is whose values are not asked for.
  const paths = columns.map(({ meta_data }) => JSON.stringify(meta_data?.path_in_schema));
  if (new Set(paths).size < paths.length) throw new RangeError("a column is there twice");
  for (const { meta_data } of columns) {
    if (!meta_data) throw new RangeError("it says nothing of a column");
    const { dictionary_page_offset, data_page_offset, total_compressed_size, path_in_schema, codec } =
      meta_data;
    const start = Number(dictionary_page_offset || data_page_offset), kinds = kindsOf(schema, path_in_schema);
    checkPages({
      bytes: await file.slice(start, start + Number(total_compressed_size)),
      values: Number(meta_data.num_values),
      rows,
      repetition: kinds.filter((kind) => kind === "REPEATED").length,
      definition: kinds.filter((kind) => kind !== "REQUIRED").length,
      unpack: (bytes, length) => compressors[codec]?.(bytes, length) ?? bytes,
    }, MOST_GROUP_BYTES);
  }
}

/** How often each part of a column's path may be there. @throws {RangeError} where the schema has no such column */
function kindsOf(schema: SchemaTree, path: readonly string[]): (string | undefined)[] {
  let node: SchemaTree | undefined = schema;
  const kinds = path.map((name) => {
    node = node?.children.find(({ element }) => element.name === name);
    return node?.element.repetition_type;
  });
  if (!node || node.children.length > 0) throw new RangeError(`its schema has no column "${path.join(".")}"`);
  return kinds;
}

function withNumbers(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      const isSafe = typeof value === "bigint" && BigInt(Number(value)) === value;
      return [name, isSafe ? Number(value) : value];
    }),
  );
}
