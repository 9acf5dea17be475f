/** @file The browser that tests of the page use, where there is one: Debian's package "chromium". */
import { assertEquals } from "@std/assert";
import { type DefineTest, lackOf, PROGRAMS, testNeeding } from "../test_needing.ts";

/** Where Debian puts it. */
export const CHROMIUM = "/usr/bin/chromium";

const isThere = lackOf(PROGRAMS) === null &&
  await Deno.stat(CHROMIUM).then(() => true, () => false);

/** Defines a test that starts another process, in which Chromium may be used. */
export const testInChromium: DefineTest = testNeeding(
  PROGRAMS,
  isThere ? null : `${CHROMIUM}: apt-get install chromium`,
);

/** Runs a file of tests in a process of its own, and gives what it said. @throws {AssertionError} where one fails */
export async function runInChromium(file: string): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command("deno", {
    // `deno task ok` looks at its types.
    args: ["test", "--allow-all", "--no-check", file],
    cwd: decodeURIComponent(new URL("../../../", import.meta.url).pathname),
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = new TextDecoder().decode(stdout);
  assertEquals(code, 0, `${text}\n${new TextDecoder().decode(stderr)}`);
  return text;
}
