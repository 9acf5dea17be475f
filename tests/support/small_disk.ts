/** @file A disk of a few kilobytes, for tests of what happens where it is full. */
import { type DefineTest, lackOf, PROGRAMS, testNeeding } from "./test_needing.ts";

/** Whether this process may mount one: as root on Linux, outside of most containers. */
const canMount = lackOf(PROGRAMS) === null && Deno.build.os === "linux" &&
  await inNewDisk(8, () => Promise.resolve()).then(() => true, () => false);

/** Defines a test on a small disk. */
export const testOnDisk: DefineTest = testNeeding(PROGRAMS, canMount ? null : "leave to mount a disk");

/** A disk that is there while it is worked on. */
export interface SmallDisk {
  readonly folder: string;
  /** Takes all space that is left, but for so many bytes. */
  fill(left?: number): Promise<void>;
  /** Gives back what `fill` took. */
  free(): Promise<void>;
}

/** @param kilobytes how large it is */
export async function inNewDisk(kilobytes: number, work: (disk: SmallDisk) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "disk" }), ballast = `${folder}/ballast`;
  try {
    await sh(`mount -t tmpfs -o size=${kilobytes}k tmpfs "$0"`, folder);
    try {
      await work({
        folder,
        async fill(left = 0) {
          // Ends with an error once the disk is full, as it should.
          await sh('cat /dev/zero >"$0" 2>/dev/null || :', ballast);
          const { size } = await Deno.stat(ballast);
          await Deno.truncate(ballast, Math.max(0, size - left));
        },
        free: () => Deno.remove(ballast),
      });
    } finally {
      await sh('umount "$0"', folder);
    }
  } finally {
    await Deno.remove(folder);
  }
}

async function sh(script: string, argument: string): Promise<void> {
  const { code, stderr } = await new Deno.Command("sh", { args: ["-c", script, argument] }).output();
  if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
}
