import { assertEquals } from "@std/assert";
import { zip } from "./zip.ts";

Deno.test("zip() names each file twice, with its size, its CRC-32 and where it begins", async () => {
  const text = (of: string) => new TextEncoder().encode(of);
  const bytes = new Uint8Array(
    await new Blob(zip([{ path: "é/a.txt", bytes: text("123456789") }, { path: "b", bytes: text("") }]))
      .arrayBuffer(),
  );
  const view = new DataView(bytes.buffer), at = (offset: number) => view.getUint32(offset, true);
  const end = bytes.length - 22;
  assertEquals([at(end), view.getUint16(end + 10, true)], [0x06054b50, 2]);
  let entry = at(end + 16);
  assertEquals(entry + at(end + 12), end);
  const found = [];
  for (let i = 0; i < 2; i++) {
    assertEquals(at(entry), 0x02014b50);
    const size = at(entry + 20), length = view.getUint16(entry + 28, true), local = at(entry + 42);
    const name = new TextDecoder().decode(bytes.subarray(entry + 46, entry + 46 + length));
    assertEquals([at(local), at(local + 14), at(local + 18)], [0x04034b50, at(entry + 16), size]);
    const start = local + 30 + length;
    found.push([name, at(entry + 16), new TextDecoder().decode(bytes.subarray(start, start + size))]);
    entry += 46 + length;
  }
  // The check value of CRC-32.
  assertEquals(found, [["é/a.txt", 0xcbf43926, "123456789"], ["b", 0, ""]]);
});
