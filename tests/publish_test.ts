/** @file What `deno publish` would put into the package, asked without a network: all that the library needs, and no tests. */
import { assert, assertEquals, assertLess } from "@std/assert";
import { PROGRAMS, testNeeding } from "./support/test_needing.ts";

const test = testNeeding(PROGRAMS);

const repository = decodeURIComponent(new URL("../", import.meta.url).pathname);

async function deno(...args: string[]): Promise<string> {
  const command = new Deno.Command("deno", { args, cwd: repository, env: { NO_COLOR: "1" } });
  const { code, stdout, stderr } = await command.output();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assertEquals(code, 0, said);
  return said;
}

/** Bytes of every file of the package, by its path in the repository. */
async function published(): Promise<Map<string, number>> {
  const said = await deno("publish", "--dry-run", "--no-check", "--allow-dirty");
  const units: Readonly<Record<string, number>> = { B: 1, KB: 1024, MB: 1024 ** 2 };
  return new Map(Array.from(
    said.matchAll(/^ +(file:\S+) \(([\d.]+)(B|KB|MB)\)$/gm),
    (
      [, url, size, unit],
    ) => [decodeURIComponent(new URL(url!).pathname).slice(repository.length), Number(size) * units[unit!]!],
  ));
}

test("deno publish takes no tests, no benches, nothing that only serves work on the harness, and little of it all", async () => {
  const files = await published();
  assert(files.has("mod.ts") && files.has("README.md") && files.has("LICENSE"));
  const strange = [...files.keys()].filter((path) =>
    /_(test|bench)\.ts$|^(tests|std|results|\..*)\/|^\.|\/(recorded|peers|fakes|fixtures|golden)\/|\.(png|svg)$/
      .test(path)
  );
  assertEquals(strange, []);
  const bytes = files.values().reduce((sum, size) => sum + size, 0);
  assertLess(bytes, 8 * 1024 ** 2, `${bytes} bytes`);
});

test("deno publish takes every file that the library and the command line load", async () => {
  const files = await published();
  for (const door of ["mod.ts", "cli.ts"]) {
    const { modules } = JSON.parse(await deno("info", "--json", door)) as {
      readonly modules: readonly { readonly specifier: string }[];
    };
    const needed = modules.map(({ specifier }) => specifier).filter((one) => one.startsWith("file:"))
      .map((one) => decodeURIComponent(new URL(one).pathname).slice(repository.length));
    assert(needed.length > 100, door);
    // The stand-ins for packages of JSR give way to these.
    assertEquals(needed.filter((path) => !files.has(path) && !path.startsWith("std/")), [], door);
  }
  const read = ["models/pretrained/decoder-tiny.safetensors", "benchmarks/sweeps/quick.json"];
  assertEquals(read.filter((path) => !files.has(path)), []);
});
