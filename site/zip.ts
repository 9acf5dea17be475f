/** @file Files in one: ZIP without compression (PKWARE's APPNOTE, version 2.0), which every system opens. */

/** A file to be packed. */
export interface ZipFile {
  /** With slashes. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** Bit 11: names are UTF-8. */
const UTF8 = 0x0800;
/** 1 January 1980, the first day that a ZIP can name: equal files give equal archives. */
const DAY = 0x0021;

/** The archive, in pieces. */
export function zip(files: readonly ZipFile[]): Uint8Array<ArrayBuffer>[] {
  const pieces: Uint8Array<ArrayBuffer>[] = [], directory: Uint8Array<ArrayBuffer>[] = [];
  let offset = 0, directorySize = 0;
  for (const { path, bytes } of files) {
    const name = new TextEncoder().encode(path), crc = crc32(bytes);
    const common = [20, UTF8, 0, 0, DAY];
    const local = record([[4, 0x04034b50], ...common.map((value): Field => [2, value])], crc, bytes, name);
    pieces.push(local, name, bytes.slice());
    const central = new Uint8Array([
      ...record(
        [[4, 0x02014b50], [2, 20], ...common.map((value): Field => [2, value])],
        crc,
        bytes,
        name,
        [[2, 0], [2, 0], [2, 0], [4, 0], [4, offset]],
      ),
    ]);
    directory.push(central, name);
    directorySize += central.length + name.length;
    offset += local.length + name.length + bytes.length;
  }
  const end = fields([
    ...[[4, 0x06054b50], [2, 0], [2, 0], [2, files.length], [2, files.length]] as Field[],
    ...[[4, directorySize], [4, offset], [2, 0]] as Field[],
  ]);
  return [...pieces, ...directory, end];
}

/** Bytes of a number, and the number. */
type Field = readonly [bytes: 2 | 4, value: number];

function record(
  head: readonly Field[],
  crc: number,
  bytes: Uint8Array,
  name: Uint8Array,
  tail: readonly Field[] = [],
): Uint8Array<ArrayBuffer> {
  return fields([...head, [4, crc], [4, bytes.length], [4, bytes.length], [2, name.length], [2, 0], ...tail]);
}

function fields(all: readonly Field[]): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(all.reduce((sum, [bytes]) => sum + bytes, 0)));
  let at = 0;
  for (const [bytes, value] of all) {
    if (bytes === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += bytes;
  }
  return new Uint8Array(view.buffer);
}

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
