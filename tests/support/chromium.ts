/** @file The browser that tests of the page use, where there is one: Debian's package "chromium". */
import { type DefineTest, lackOf, PROGRAMS, testNeeding } from "./test_needing.ts";

/** Where Debian puts it. */
export const CHROMIUM = "/usr/bin/chromium";

const isThere = lackOf(PROGRAMS) === null &&
  await Deno.stat(CHROMIUM).then(() => true, () => false);

/** Defines a test that starts another process, in which Chromium may be used. */
export const testInChromium: DefineTest = testNeeding(
  PROGRAMS,
  isThere ? null : `${CHROMIUM}: apt-get install chromium`,
);
