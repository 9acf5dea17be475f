/**
 * @file What the pages of a Parquet file say of themselves, held against the file before anything is decoded: who decodes them
 * takes their word, walks in circles for a negative size and makes room for any count.
 *
 * Source: https://parquet.apache.org/docs/file-format/data-pages/
 */

/** Most values of a column in a group: of lists there may be several a row. */
const MOST_VALUES = 2 ** 24;

/** A column's pages in a group of rows, as the file's metadata tells of them. */
export interface ColumnPages {
  /** Bytes from the first page's header to the end of the last page. */
  readonly bytes: ArrayBuffer;
  /** Values in the data pages together. */
  readonly values: number;
  /** Rows of the group. */
  readonly rows: number;
  /** Largest level of repetition, 0 for a column without lists. */
  readonly repetition: number;
  /** Largest level of definition, 0 for a column in which nothing is missing. */
  readonly definition: number;
  /** A page's bytes as so many others. */
  unpack(bytes: Uint8Array, length: number): Uint8Array;
}

/** Encodings of indices into a dictionary. */
const INDICES: readonly Field[] = [2, 8];

/**
 * Checks sizes, counts and runs of a column's pages, one after the other: no value is read.
 *
 * @param most most bytes that a page may unpack to
 * @throws {RangeError} with what is wrong
 */
export function checkPages(column: ColumnPages, most: number): void {
  const { bytes, values, rows } = column, reader = new CompactReader(bytes);
  let found = 0;
  while (found < values) {
    const header = reader.struct();
    const unpacked = numberOf("bytes unpacked", header.get(2), most);
    const packed = numberOf("bytes", header.get(3), reader.left);
    const body = reader.take(packed), [first, dictionary, second] = [5, 7, 8].map((id) => header.get(id));
    if (dictionary instanceof Map) numberOf("values", dictionary.get(1), unpacked);
    const data = first ?? second;
    if (!(data instanceof Map)) continue;
    const count = numberOf("values", data.get(1), Math.min(MOST_VALUES, values - found));
    if (data === first) checkFirst(column, body, unpacked, count, data);
    else checkSecond(column, body, unpacked, count, data);
    found += count;
  }
  if (values < rows) {
    throw new RangeError(`a group says that it has ${rows} rows, and a column ${values} values of them`);
  }
}

function numberOf(name: string, value: Field, largest: number): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= largest) return value;
  throw new RangeError(
    `a page says that it has ${
      value === undefined ? "no number of" : String(value)
    } ${name}, from 0 to ${largest} are possible`,
  );
}

/** A page of version 1: levels behind their lengths, then values, all packed together. */
function checkFirst(
  { repetition, definition, unpack }: ColumnPages,
  body: Uint8Array,
  unpacked: number,
  count: number,
  header: ReadonlyMap<number, Field>,
): void {
  const page = unpack(body, unpacked), view = new DataView(page.buffer, page.byteOffset, page.length);
  let at = 0;
  for (const level of [repetition, definition]) {
    if (level === 0) continue;
    const length = numberOf("bytes of levels", view.getUint32(at, true), page.length - at - 4);
    checkRuns(page.subarray(at + 4), widthOf(level), count);
    at += 4 + length;
  }
  if (INDICES.includes(header.get(2))) checkRuns(page.subarray(at + 1), page[at] ?? 0, count);
}

/** A page of version 2: levels as they are, then values, which may be packed. */
function checkSecond(
  { repetition, definition, unpack }: ColumnPages,
  body: Uint8Array,
  unpacked: number,
  count: number,
  header: ReadonlyMap<number, Field>,
): void {
  numberOf("values missing", header.get(2), count);
  const defined = numberOf("bytes of levels", header.get(5), body.length);
  const repeated = numberOf("bytes of levels", header.get(6), body.length - defined),
    start = defined + repeated;
  if (repetition > 0) checkRuns(body, widthOf(repetition), count);
  if (definition > 0) checkRuns(body.subarray(repeated), widthOf(definition), count);
  if (!INDICES.includes(header.get(4))) return;
  const rest = body.subarray(start), isPacked = header.get(7) !== false;
  const page = isPacked ? unpack(rest, numberOf("bytes unpacked", unpacked - start, unpacked)) : rest;
  checkRuns(page.subarray(1), page[0] ?? 0, count);
}

/** Bits of a level. */
function widthOf(level: number): number {
  return 32 - Math.clz32(level);
}

/**
 * Checks the lengths of runs, of one value or of packed ones, until there are `count`, or fewer where some are missing.
 *
 * @throws {RangeError} for absurd ones
 */
function checkRuns(bytes: Uint8Array, width: number, count: number): void {
  if (width === 0) return;
  const reader = new CompactReader(bytes);
  for (let seen = 0; seen < count && reader.left > 0;) {
    const header = reader.varint(),
      isPacked = header % 2 === 1,
      length = Math.floor(header / 2) * (isPacked ? 8 : 1);
    if (length > MOST_VALUES) throw new RangeError(`a page says that a run has ${length} values`);
    reader.take(Math.min(reader.left, Math.ceil((isPacked ? length : 1) * width / 8)));
    seen += length;
  }
}

/** What a field may be here: an integer, a truth, a structure, or something of no interest. */
type Field = number | boolean | ReadonlyMap<number, Field> | undefined;

/** Reads structures of Thrift's compact protocol. */
class CompactReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: ArrayBuffer | Uint8Array) {
    this.#bytes = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
  }

  /** Bytes to the end. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** The next bytes. @throws {RangeError} where there are fewer */
  take(count: number): Uint8Array {
    if (!(count <= this.left)) throw new RangeError("it ends within a page");
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  /** The fields of a structure, by number. @throws {RangeError} where it ends within */
  struct(): ReadonlyMap<number, Field> {
    const fields = new Map<number, Field>();
    for (let id = 0;;) {
      const byte = this.#byte(), type = byte & 15;
      if (type === 0) return fields;
      id = byte >> 4 ? id + (byte >> 4) : this.#integer();
      fields.set(id, this.#field(type));
    }
  }

  #field(type: number): Field {
    // True and false are in the type itself.
    if (type === 1 || type === 2) return type === 1;
    if (type === 4 || type === 5 || type === 6) return this.#integer();
    if (type === 12) return this.struct();
    if (type === 9) this.#list();
    else if (type === 8) this.take(this.varint());
    else if (type === 3 || type === 7) this.take(type === 3 ? 1 : 8);
    else throw new RangeError(`a page's header has a field of type ${type}`);
    return undefined;
  }

  #list(): void {
    const byte = this.#byte(), size = byte >> 4 === 15 ? this.varint() : byte >> 4, type = byte & 15;
    for (let i = 0; i < size; i++) {
      if (type === 1 || type === 2) this.take(1);
      else this.#field(type);
    }
  }

  #byte(): number {
    if (this.left === 0) throw new RangeError("it ends within a page's header");
    return this.#bytes[this.#at++]!;
  }

  /** Zigzag: 0, -1, 1, -2, … */
  #integer(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** An unsigned number, seven bits a byte. @throws {RangeError} where it ends within */
  varint(): number {
    for (let value = 0, scale = 1;; scale *= 128) {
      const byte = this.#byte();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }
}
