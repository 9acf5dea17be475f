/**
 * @file Tests on public files that the project does not hold (real questions, images, checkpoints), and on fixtures, which
 * it does. The variable `REAL_DATA` names the folder of the public files; `CONTRIBUTING.md` lists them.
 */

/** Path of a folder or file in `tests/fixtures/`. */
export function fixture(path: string): string {
  return decodeURIComponent(new URL(`../fixtures/${path}`, import.meta.url).pathname);
}

/** The folder of public files, or null where none is named or the variable may not be read. */
function publicFolder(): string | null {
  const { state } = Deno.permissions.querySync({ name: "env", variable: "REAL_DATA" });
  return state === "granted" ? Deno.env.get("REAL_DATA") || null : null;
}

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
 * @param lacking what else it needs and this machine has not
 */
export function testOnPublic<const Needed extends readonly string[]>(
  needed: Needed,
  name: string,
  body: (...paths: { [I in keyof Needed]: string }) => Promise<void>,
  lacking: string | null = null,
): void {
  const folder = publicFolder(), paths = needed.map((path) => `${folder}/${path}`);
  const needs = lacking ??
    (folder === null || !paths.every(exists) ? `${needed.join(", ")} in REAL_DATA` : null);
  Deno.test({
    name: needs === null ? name : `${name} (needs ${needs})`,
    ignore: needs !== null,
    fn: () => body(...paths as { [I in keyof Needed]: string }),
  });
}
