import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { UserError } from "../errors/user_error.ts";
import { system } from "../system/mod.ts";
import { inNewDisk, testOnDisk } from "../tests/support/small_disk.ts";
import { PROGRAMS, testNeeding } from "../tests/support/test_needing.ts";
import { namesIn, prepareFolder, readText, reasonOf, sweepUp, WriteError, writeWhole } from "./write_file.ts";
import { inFolder } from "../tests/support/in_folder.ts";

const test = testNeeding(PROGRAMS);

/** Puts one thing of each kind that is no file into a folder. */
async function fillWithKinds(folder: string): Promise<void> {
  await Deno.mkdir(`${folder}/folder`);
  await Deno.symlink(`${folder}/nowhere`, `${folder}/dangling`);
  await Deno.symlink(`${folder}/loop`, `${folder}/loop`);
  await new Deno.Command("sh", { args: ["-c", 'mkfifo "$0"', `${folder}/fifo`] }).output();
}

const long = "n".repeat(300);

test("readText() says what is in a file's place, and waits for nothing", async () => {
  await inFolder(async (folder) => {
    await fillWithKinds(folder);
    await Deno.writeTextFile(`${folder}/file`, "text");
    assertEquals(await readText(`${folder}/file`), "text");
    await Deno.truncate(`${folder}/file`, 2 ** 33);
    const cases = {
      folder: "it is a folder, a file is needed",
      fifo: "it is a named pipe, a file is needed",
      dangling: "it is a link that leads nowhere",
      loop: "its links lead in a circle",
      "file/x": "a part of its path is no folder",
      file: "it has 8589934592 bytes, at most 268435456 are read",
      [long]: "its name is too long",
    };
    for (const [name, reason] of Object.entries(cases)) {
      const error = await assertRejects(() => readText(`${folder}/${name}`), Error);
      assertEquals(error.message, reason);
    }
    await assertRejects(() => readText("/dev/zero"), Error, "it is a device, a file is needed");
    await assertRejects(() => readText(`${folder}/none`), Deno.errors.NotFound);
    // As root everything may be read.
    const refused = Object.assign(new Deno.errors.PermissionDenied("os error 13"), { code: "EACCES" });
    assertEquals(reasonOf(refused), "you are not allowed to");
    assertEquals(reasonOf(new Deno.errors.NotFound("gone")), "gone");
  });
});

test("namesIn() and prepareFolder() say what is in a folder's place", async () => {
  await inFolder(async (folder) => {
    await fillWithKinds(folder);
    await Deno.writeTextFile(`${folder}/file`, "text");
    const cases = {
      fifo: "it is a named pipe, a folder is needed",
      file: "it is a file, a folder is needed",
      dangling: "it is a link that leads nowhere",
      loop: "its links lead in a circle",
      "file/x": "a part of its path is no folder",
      [long]: "its name is too long",
    };
    for (const [name, reason] of Object.entries(cases)) {
      const path = `${folder}/${name}`;
      const unread = await assertRejects(() => namesIn(path), UserError);
      assertEquals(unread.message, `Cannot read the folder "${path}": ${reason}`);
      const unwritten = await assertRejects(() => prepareFolder(path), UserError);
      assertEquals(unwritten.message, `Cannot write to the output folder "${path}": ${reason}`);
    }
    assertEquals(await namesIn(`${folder}/none`), []);
    await prepareFolder(`${folder}/new/folder`);
    assertEquals(await namesIn(`${folder}/new/folder`), []);
  });
});

test("namesIn() finds nothing in a folder that somebody makes while it looks", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/late`, { namesIn: list } = system;
    try {
      Object.assign(system, { namesIn: () => list(path).finally(() => Deno.mkdir(path)) });
      assertEquals(await namesIn(path), []);
    } finally {
      Object.assign(system, { namesIn: list });
    }
  });
});

test("writeWhole() leaves nothing of what it could not write, and what was there before", async () => {
  await inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/a.json/inner`, { recursive: true });
    const cases = {
      "a.json": "it is a folder",
      "none/a.json": "its folder is gone",
      [long]: "its name is too long",
    };
    for (const [name, reason] of Object.entries(cases)) {
      const error = await assertRejects(() => writeWhole(`${folder}/${name}`, "text"), WriteError);
      assertEquals(error.message, `Cannot write ${folder}/${name}: ${reason}`);
    }
    assertEquals(await namesIn(folder), ["a.json"]);
  });
});

testOnDisk(
  "writeWhole() on a full disk names the path and keeps the file that was there, and writes once there is room",
  async () => {
    await inNewDisk(256, async ({ folder, fill, free }) => {
      const path = `${folder}/a.json`;
      await writeWhole(path, "before");
      await fill();
      const error = await assertRejects(() => writeWhole(path, "x".repeat(20_000)), WriteError);
      assertEquals(error.message, `Cannot write ${path}: no space is left on its disk`);
      assertEquals(await Deno.readTextFile(path), "before");
      assertEquals(await namesIn(folder), ["a.json", "ballast"]);
      await free();
      await writeWhole(path, "after");
      assertEquals(await Deno.readTextFile(path), "after");
    });
  },
);

test("sweepUp() removes what killed processes left half-written, and nothing of living ones or others", async () => {
  await inFolder(async (folder) => {
    const path = (name: string) => `${folder}/${name}`;
    await Deno.writeTextFile(path("dead.json.0123abcd.part"), "{");
    await Deno.writeTextFile(path("film.part"), "not ours");
    await Deno.mkdir(path("folder.0123abcd.part"));
    // As it is while a process writes: the lock goes with the process, however it ends.
    const living = await Deno.open(path("living.json.0123abcd.part"), { write: true, createNew: true });
    await living.lock(true);
    await sweepUp(folder);
    const left = ["film.part", "folder.0123abcd.part"];
    assertEquals(await namesIn(folder), [...left, "living.json.0123abcd.part"]);
    living.close();
    await sweepUp(folder);
    assertEquals(await namesIn(folder), left);
    await sweepUp(path("none"));
  });
});

test("writeWhole() and sweepUp() at the same time lose no file", async () => {
  await inFolder(async (folder) => {
    let isWriting = true;
    const sweeping = (async () => {
      while (isWriting) await sweepUp(folder);
    })();
    const names = Array.from({ length: 1000 }, (_, i) => `${i}.json`);
    await Promise.all(names.map((name) => writeWhole(`${folder}/${name}`, name, { isKept: false })));
    isWriting = false;
    await sweeping;
    assertEquals(await namesIn(folder), names.toSorted());
    assertStringIncludes(await readText(`${folder}/7.json`), "7.json");
  });
});
