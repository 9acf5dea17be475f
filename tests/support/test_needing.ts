/**
 * @file Tests that need a permission. Plain `deno test` gives none: such tests are ignored then, and their names say what
 * they lack. With `deno test -P=test` each runs with what it names and nothing else.
 */

/** What a test may do, as `permissions` of deno.json and of `Deno.test` name it. */
export interface Permissions {
  readonly read?: true;
  readonly write?: true;
  /** Hosts. */
  readonly net?: readonly string[];
  /** Programs. */
  readonly run?: readonly string[];
  /** Variables. */
  readonly env?: readonly string[];
}

/** Defines a test, as `Deno.test` does. */
export type DefineTest = (name: string, fn: (test: Deno.TestContext) => void | Promise<void>) => void;

/** To read files. */
export const READING: Permissions = { read: true };

/** To read files and write some. */
export const FILES: Permissions = { ...READING, write: true };

/** To start another Deno or a shell, too. */
export const PROGRAMS: Permissions = { ...FILES, run: ["deno", "sh"] };

/** What one would have to say to get the permissions, or null where all are there. */
export function lackOf(permissions: Permissions): string | null {
  const lacking = new Set(
    descriptorsOf(permissions).filter((one) => !isGranted(one)).map(({ name }) => name),
  );
  if (lacking.size === 0) return null;
  return `permission for ${[...lacking].join(", ")}: deno test -P=test`;
}

/**
 * How tests that need permissions are defined.
 *
 * @param others what else they need and this machine has not, or null
 */
export function testNeeding(permissions: Permissions, others: string | null = null): DefineTest {
  const needs = lackOf(permissions) ?? others;
  const { net, run, env } = permissions;
  return (name, fn) =>
    Deno.test({
      name: needs === null ? name : `${name} (needs ${needs})`,
      ignore: needs !== null,
      permissions: {
        read: permissions.read ?? false,
        write: permissions.write ?? false,
        ...(net && { net: [...net] }),
        ...(run && { run: [...run] }),
        ...(env && { env: [...env] }),
      },
      fn,
    });
}

function descriptorsOf({ read, write, net, run, env }: Permissions): Deno.PermissionDescriptor[] {
  return [
    ...(read ? [{ name: "read" } as const] : []),
    ...(write ? [{ name: "write" } as const] : []),
    ...(net ?? []).map((host) => ({ name: "net", host }) as const),
    ...(run ?? []).map((command) => ({ name: "run", command }) as const),
    ...(env ?? []).map((variable) => ({ name: "env", variable }) as const),
  ];
}

function isGranted(descriptor: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(descriptor).state === "granted";
}
