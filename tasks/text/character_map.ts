/**
 * @file SentencePiece's map of characters to their normal form: NFKC with changes of its own, as the file has it.
 *
 * The bytes are the size of a trie, the trie (a double array of 32-bit units, as darts-clone has it), and texts that end in
 * 0. Source: https://github.com/google/sentencepiece, normalizer.cc (DecodePrecompiledCharsMap, NormalizePrefix); darts.h.
 */
import { SentencePieceFlaw } from "./sentencepiece_file.ts";

/**
 * What brings texts to their normal form. Wherever it is, the longest rule that fits is taken.
 *
 * @throws {SentencePieceFlaw} where the bytes are unsound
 */
export function createCharacterMap(bytes: Uint8Array): (text: string) => string {
  const unsound = () => new SentencePieceFlaw("its map of characters is unsound");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 4) throw unsound();
  const size = view.getUint32(0, true);
  if (size % 4 !== 0 || size < 4 || size >= bytes.length - 4) throw unsound();
  const units = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
  const targets = bytes.subarray(4 + size), encoder = new TextEncoder();
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const known = new Map<number, string>();
  const targetAt = (at: number) => {
    const end = targets.indexOf(0, at), found = known.get(at);
    if (found !== undefined) return found;
    if (at >= targets.length || end < 0) throw unsound();
    const text = decoder.decode(targets.subarray(at, end));
    known.set(at, text);
    return text;
  };
  const offsetOf = (unit: number) => (unit >>> 10) << ((unit & 0x200) >>> 6);
  return (text) => {
    const source = encoder.encode(text);
    let form = "";
    for (let at = 0; at < source.length;) {
      let place = offsetOf(units[0]!), length = 0, target = 0;
      for (let i = at; i < source.length; i++) {
        place ^= source[i]!;
        const unit = units[place];
        // The label, with the sign of a leaf, which has none.
        if (unit === undefined || (unit & 0x800000ff) >>> 0 !== source[i]) break;
        place ^= offsetOf(unit);
        if ((unit >>> 8) & 1) {
          const leaf = units[place];
          if (leaf === undefined) throw unsound();
          [length, target] = [i + 1 - at, leaf & 0x7fffffff];
        }
      }
      if (length > 0) form += targetAt(target);
      else {
        const first = source[at]!;
        length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        form += decoder.decode(source.subarray(at, at + length));
      }
      at += length;
    }
    return form;
  };
}
