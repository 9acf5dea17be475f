/** @file Plain `deno test`, without a permission: it passes, and says what it leaves out. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { PROGRAMS, testNeeding } from "./support/test_needing.ts";

const test = testNeeding(PROGRAMS);
const repository = decodeURIComponent(new URL("../", import.meta.url).pathname);

/** Runs Deno in the project, on a script from its input where one is given. */
async function deno(args: readonly string[], script = ""): Promise<{ code: number; said: string }> {
  const child = new Deno.Command("deno", {
    args: [...args],
    cwd: repository,
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(script));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  return { code, said: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

/** Every file of tests, from the repository's root. */
async function testFiles(folder = ""): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(`${repository}${folder}`)) {
    if (name.startsWith(".") || name === "node_modules") continue;
    if (isDirectory) found.push(...await testFiles(`${folder}${name}/`));
    else if (name.endsWith("_test.ts")) found.push(`${folder}${name}`);
  }
  return found;
}

/** Runs files of tests, by name, in a new folder, with further arguments. */
async function runTests(files: Readonly<Record<string, string>>, ...args: string[]) {
  const folder = await Deno.makeTempDir({ prefix: "plain" });
  try {
    for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(`${folder}/${name}`, text);
    return await deno(["test", "--no-check", "--config", "deno.json", ...args, folder]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

test("plain deno test runs what needs no permission, ignores the rest and says why", async () => {
  const { code, said } = await deno(["test", "tests/imports_test.ts"]);
  assertEquals(code, 0, said);
  assertMatch(said, /^circlesOf\(\) .* \.\.\. ok /m);
  assertStringIncludes(
    said,
    "No folder holds more than 35 files (needs permission for read: deno test -P=test) ... ignored",
  );
  assertMatch(said, /^ok \| [1-9]\d* passed \| 0 failed \| [1-9]\d* ignored /m);
});

test("every file of tests loads without a permission", async () => {
  const files = await testFiles();
  const imports = files.map((file) => `import ${JSON.stringify(`./${file}`)};\n`).join("");
  const { code, said } = await deno(["run", "--no-prompt", "-"], imports);
  assertEquals(code, 0, said);
});

test("with the preload, a test has the permissions that it names and no others, in whichever form it is defined", async () => {
  const reads = `Deno.readTextFileSync("deno.json")`;
  const unnamed = [
    `Deno.test("a", () => { ${reads}; })`,
    `Deno.test({ name: "b", fn: () => { ${reads}; } })`,
    `Deno.test(function c() { ${reads}; })`,
    `Deno.test({ name: "d" }, () => { ${reads}; })`,
    `Deno.test("e", { sanitizeOps: false }, () => { ${reads}; })`,
  ];
  const support = JSON.stringify(import.meta.resolve("./support/test_needing.ts"));
  const named = `
    import { FILES, READING, testNeeding } from ${support};
    testNeeding(READING)("f", () => { ${reads}; });
    testNeeding(FILES)("g", () => { Deno.removeSync(Deno.makeTempDirSync()); });
    testNeeding(READING)("h", () => { Deno.removeSync(Deno.makeTempDirSync()); });
    Deno.test("i", () => {});`;
  const files = { "unnamed_test.ts": unnamed.join(";\n"), "named_test.ts": named };
  const { code, said } = await runTests(
    files,
    "-P=test",
    "--preload=tests/support/only_named_permissions.ts",
  );
  const outcomes = Array.from(
    said.matchAll(/^(\w) \.\.\. (ok|FAILED) /gm),
    ([, name, end]) => `${name} ${end}`,
  );
  assertEquals(outcomes.sort(), [
    ...["a", "b", "c", "d", "e"].map((name) => `${name} FAILED`),
    ...["f ok", "g ok", "h FAILED", "i ok"],
  ]);
  assertEquals(code, 1);
});

test("testNeeding() names all that lacks, and what else the machine has not only where nothing lacks", async () => {
  const support = JSON.stringify(import.meta.resolve("./support/test_needing.ts"));
  const text = `
    import { FILES, PROGRAMS, READING, testNeeding } from ${support};
    testNeeding({ ...PROGRAMS, net: ["127.0.0.1"], env: ["HOME"] })("a", () => {});
    testNeeding(READING, "bread")("b", () => {});
    testNeeding(READING)("c", () => {});
    testNeeding({}, "bread")("d", () => {});
    testNeeding(FILES)("e", () => {});`;
  const { code, said } = await runTests({ "a_test.ts": text }, "--allow-read");
  const lines = said.split("\n").filter((line) => line.includes(" ... ")).map((line) =>
    line.replace(/ \(\d+[µm]?s\)/, "")
  );
  assertEquals(lines, [
    "a (needs permission for write, net, run, env: deno test -P=test) ... ignored",
    "b (needs bread) ... ignored",
    "c ... ok",
    "d (needs bread) ... ignored",
    "e (needs permission for write: deno test -P=test) ... ignored",
  ]);
  assertEquals(code, 0, said);
});
