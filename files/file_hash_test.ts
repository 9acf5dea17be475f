import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { fingerprintFiles, hashFile } from "./file_hash.ts";
import { FILES, testNeeding } from "../tests/support/test_needing.ts";
import { inFolder } from "../tests/support/in_folder.ts";

const test = testNeeding(FILES);

/** How many files `body` opens. */
async function opened(body: () => Promise<void>): Promise<number> {
  const open = Deno.open;
  let count = 0;
  Object.assign(Deno, {
    open(...given: Parameters<typeof open>) {
      count++;
      return open(...given);
    },
  });
  try {
    await body();
  } finally {
    Object.assign(Deno, { open });
  }
  return count;
}

test("hashFile() is SHA-256 over all bytes: none, few, and more than are read at once", async () => {
  await inFolder(async (folder) => {
    for (const size of [0, 1, 997, (1 << 20) - 1, 1 << 20, (3 << 20) + 17]) {
      const path = `${folder}/${size}`,
        bytes = Uint8Array.from({ length: size }, (_, i) => i * 31 + (i >> 8));
      await Deno.writeFile(path, bytes);
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
      assertEquals(await hashFile(path), digest.toHex());
    }
  });
});

test("hashFile() reads a file once, and again where it changed: longer, later, or another in its place", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/a`, hashes: string[] = [];
    const hash = async () => void hashes.push(await hashFile(path));
    await Deno.writeTextFile(path, "one");
    assertEquals(await opened(hash), 1);
    assertEquals(
      await opened(async () => {
        await hash();
        await hash();
      }),
      0,
    );

    await Deno.writeTextFile(path, "longer");
    assertEquals(await opened(hash), 1);

    await Deno.writeTextFile(path, "newest");
    await Deno.utime(path, 1e9, 1e9);
    assertEquals(await opened(hash), 1);

    await Deno.writeTextFile(`${folder}/b`, "placed");
    await Deno.utime(`${folder}/b`, 1e9, 1e9);
    await Deno.rename(`${folder}/b`, path);
    assertEquals(await opened(hash), 1);

    assertEquals(hashes[0], hashes[1]);
    assertEquals(hashes[1], hashes[2]);
    assertEquals(new Set(hashes).size, 4);

    await Deno.remove(path);
    await assertRejects(() => hashFile(path), Deno.errors.NotFound);
    await assertRejects(() => hashFile(folder));
  });
});

Deno.test("fingerprintFiles() tells names, contents and order, and passes on what reading throws", async () => {
  const hashes: Readonly<Record<string, string>> = { a: "1", b: "2", c: "1" };
  const print = (...names: string[]) => fingerprintFiles(names, (name) => Promise.resolve(hashes[name]!));
  assertEquals(await print("a", "b"), await print("a", "b"));
  assertNotEquals(await print("a", "b"), await print("b", "a"));
  assertNotEquals(await print("a"), await print("c"));
  assert(/^[0-9a-f]{64}$/.test(await print()));
  await assertRejects(
    () => fingerprintFiles(["a"], () => Promise.reject(new RangeError("gone"))),
    RangeError,
  );
});
