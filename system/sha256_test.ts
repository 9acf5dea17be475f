import { assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { sha256 } from "./sha256.ts";

Deno.test("sha256() gives what Node's does, however the bytes come in pieces", () => {
  const bytes = Uint8Array.from({ length: 300 }, (_, i) => (i * 89 + 7) % 256);
  for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 300]) {
    const whole = bytes.subarray(0, length), wanted = createHash("sha256").update(whole).digest("hex");
    for (const size of [1, 64, 77, 300]) {
      const hash = sha256();
      for (let at = 0; at < length; at += size) hash.update(whole.subarray(at, at + size));
      assertEquals(hash.digest("hex"), wanted, `${length} bytes in pieces of ${size}`);
    }
  }
  const hash = sha256();
  hash.update("é ‖g̃ − G‖");
  assertEquals(hash.digest("hex"), createHash("sha256").update("é ‖g̃ − G‖").digest("hex"));
});
