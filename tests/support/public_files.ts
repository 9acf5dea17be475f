/**
 * @file Tests on public files that the project does not hold (real questions, images, checkpoints), and on fixtures, which
 * it does. The variable `REAL_DATA` names the folder of the public files; `CONTRIBUTING.md` lists them.
 */
import { FILES, lackOf, type Permissions, testNeeding } from "./test_needing.ts";

/** Path of a folder or file in `tests/fixtures/`. */
export function fixture(path: string): string {
  return decodeURIComponent(new URL(`../fixtures/${path}`, import.meta.url).pathname);
}

/** To read the folder's name and its files, too. */
const PUBLIC: Permissions = { ...FILES, env: ["REAL_DATA"] };

/** The folder of public files, or null where none is named or may be read. */
const folder = lackOf(PUBLIC) === null ? Deno.env.get("REAL_DATA") || null : null;

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/**
 * Defines a test on public files or folders, such as `gsm8k`, whose paths `body` gets in that order. Where one is absent the
 * test is ignored, and its name says what it needs.
 *
 * @param more what it must be allowed beside reading and writing files
 * @param others what else it needs and this machine has not
 */
export function testOnPublic<const Needed extends readonly string[]>(
  needed: Needed,
  name: string,
  body: (...paths: { [I in keyof Needed]: string }) => Promise<void>,
  { more = {}, others = null }: { readonly more?: Permissions; readonly others?: string | null } = {},
): void {
  const paths = needed.map((path) => `${folder}/${path}`);
  const absent = folder === null || !paths.every(exists) ? `${needed.join(", ")} in REAL_DATA` : null;
  const test = testNeeding({ ...PUBLIC, ...more }, others ?? absent);
  test(name, () => body(...paths as { [I in keyof Needed]: string }));
}
