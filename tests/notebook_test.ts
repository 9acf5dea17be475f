/** @file docs/notebook.ipynb, run by Debian's Jupyter on Deno's own kernel. Needs jupyter-nbconvert. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { inFolder } from "./support/in_folder.ts";
import { lackOf, PROGRAMS, READING, testNeeding } from "./support/test_needing.ts";

const NBCONVERT = "/usr/bin/jupyter-nbconvert";
const hasJupyter = lackOf(READING) === null && await Deno.stat(NBCONVERT).then(() => true, () => false);
const test = testNeeding(PROGRAMS, hasJupyter ? null : "Debian's jupyter-nbconvert");

const project = decodeURIComponent(new URL("../", import.meta.url).pathname);

/** What a notebook's file has of a cell. */
interface Cell {
  readonly cell_type: string;
  readonly source: string | readonly string[];
  readonly outputs?: readonly {
    readonly output_type: string;
    readonly text?: string | readonly string[];
    readonly data?: Readonly<Record<string, unknown>>;
  }[];
}

const textOf = (lines: unknown): string => Array.isArray(lines) ? lines.join("") : String(lines);

test("docs/notebook.ipynb runs on Deno's kernel: a sweep shows its progress, and charts stand in place", async () => {
  await inFolder(async (home) => {
    // Packages lie where they are, the kernel's description in a home of its own.
    const zod = decodeURIComponent(new URL(import.meta.resolve("zod")).pathname);
    const env = { HOME: home, DENO_DIR: zod.slice(0, zod.lastIndexOf("/npm/")), NO_COLOR: "1" };
    const run = async (program: string, args: string[]) => {
      const { code, stderr } = await new Deno.Command(program, { args, cwd: `${project}docs`, env }).output();
      assertEquals(code, 0, new TextDecoder().decode(stderr));
    };
    await run("deno", ["jupyter", "--install"]);
    await run("sh", [
      "-c",
      `exec ${NBCONVERT} --to ipynb --execute --ExecutePreprocessor.startup_timeout=300 --ExecutePreprocessor.iopub_timeout=120 notebook.ipynb --output-dir "$1" --output run.ipynb`,
      "sh",
      home,
    ]);
    const { cells }: { cells: Cell[] } = JSON.parse(await Deno.readTextFile(`${home}/run.ipynb`));
    const codes = cells.filter(({ cell_type }) => cell_type === "code");
    const outputs = codes.flatMap(({ outputs = [] }) => outputs);
    assertEquals(outputs.filter(({ output_type }) => output_type === "error"), []);
    const said = outputs.map(({ text, data }) => textOf(text ?? data?.["text/plain"])).join("\n");
    assertMatch(said, /^4 runs$/m);
    assertMatch(said, /2 seeds cannot decide/);
    const bar = outputs.find(({ data }) => textOf(data?.["text/html"]).includes("<progress"));
    assertMatch(textOf(bar?.data?.["text/html"]), /max="4" value="4".*4 of 4 runs, all done/);
    const charts = outputs.flatMap(({ data }) => data?.["application/vnd.vegalite.v5+json"] ?? []);
    assertEquals(charts.length, 2);
    for (const chart of charts as { $schema: string }[]) assertMatch(chart.$schema, /vega-lite\/v5\.json$/);
    assert(outputs.some(({ data }) => textOf(data?.["image/svg+xml"]).startsWith("<svg")));
  });
});

Deno.test("docs/notebook.ipynb is kept without outputs, which would be of some machine", async () => {
  const { default: notebook } = await import("../docs/notebook.ipynb", { with: { type: "text" } });
  const { cells }: { cells: Cell[] } = JSON.parse(notebook as unknown as string);
  assert(cells.every(({ outputs = [] }) => outputs.length === 0));
});
