/** @file The README's example of a method, put into a copy of the project as a reader would: it must need nothing else. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";

const repository = new URL("../", import.meta.url).pathname;

/** The code of a section of the README, fence by fence. */
async function codeOf(section: string): Promise<string[]> {
  const text = await Deno.readTextFile(`${repository}README.md`);
  const from = text.indexOf(`\n## ${section}\n`);
  assert(from >= 0, `README.md has no section "${section}"`);
  const to = text.indexOf("\n## ", from + 1);
  return [...text.slice(from, to < 0 ? undefined : to).matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) =>
    code!
  );
}

/** A copy of the project in which everything but the methods' folder is linked. */
async function copyProject(folder: string): Promise<void> {
  await Deno.mkdir(`${folder}/optimizers`);
  for await (const { name } of Deno.readDir(repository)) {
    if (name === "optimizers" || name === "results" || name === "node_modules" || name.startsWith(".")) {
      continue;
    }
    await Deno.symlink(`${repository}${name}`, `${folder}/${name}`);
  }
  for await (const { name } of Deno.readDir(`${repository}optimizers`)) {
    await Deno.copyFile(`${repository}optimizers/${name}`, `${folder}/optimizers/${name}`);
  }
}

async function deno(folder: string, ...args: string[]): Promise<string> {
  const command = new Deno.Command("deno", { args, cwd: folder, env: { NO_COLOR: "1" } });
  const { code, stdout, stderr } = await command.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assertEquals(code, 0, `deno ${args.join(" ")}\n${text(stdout)}${text(stderr)}`);
  return text(stdout);
}

Deno.test("README: the example of a method is a file and a line, and then it is checked, held to the contract and run", async () => {
  const [file, line, ...others] = await codeOf("Adding a method");
  assertEquals(others, []);
  assertEquals(line!.trim().split("\n").length, 1);
  const [, name, path] = /^export \{ (\w+) \} from "\.\/(\w+\.ts)";$/.exec(line!.trim()) ?? [];
  assert(name && path, line);
  const folder = await Deno.makeTempDir({ prefix: "readme" });
  try {
    await copyProject(folder);
    await Deno.writeTextFile(`${folder}/optimizers/${path}`, file!);
    await Deno.writeTextFile(`${folder}/optimizers/mod.ts`, line!, { append: true });

    const own = [`optimizers/${path}`, "optimizers/mod.ts"];
    await deno(folder, "fmt", "--check", ...own);
    await deno(folder, "lint", ...own);
    await deno(folder, "doc", "--lint", "mod.ts");
    // Type-checks all that the tests import, the registry and so the example among it.
    const tests = await deno(
      folder,
      "test",
      "-P",
      "tests/optimizers_contract_test.ts",
      "--filter",
      `/^${name}: /`,
    );
    const [, passed] = /(\d+) passed \| 0 failed/.exec(tests) ?? [];
    assert(Number(passed) >= 10, tests);

    const bench = ["run", "--no-prompt", "--allow-read", "--allow-write", "cli.ts", "bench"];
    const list = JSON.parse(await deno(folder, ...bench, "--list", "--json"));
    assert(list.optimizers.some(({ id }: { id: string }) => id === name));
    const small = [
      "--tasks",
      "digits",
      "--steps",
      "3",
      "--ranks",
      "2",
      "--peaks",
      "1e-3",
      "--out",
      `${folder}/out`,
    ];
    const ran = JSON.parse(
      await deno(folder, ...bench, "smoke", ...small, "--optimizers", `lora,${name}`, "--json"),
    );
    assertEquals(ran.counts, { total: 2, done: 2, diverged: 0, failed: 0, left: 0 });
    assertStringIncludes(await Deno.readTextFile(ran.report), "MiLoRA (alpha/r)");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
