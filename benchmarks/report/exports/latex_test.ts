import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import * as optimizers from "../../../optimizers/mod.ts";
import { fakeRegistries } from "../../../tests/support/fakes/registries.ts";
import { build, made, rowsOf } from "../../../tests/support/fakes/reports.ts";
import { fakeSweep } from "../../../tests/support/fakes/sweep.ts";
import { toLatex } from "./latex.ts";
import { escapeTex } from "./tex.ts";
import { lackOf, PROGRAMS, testNeeding } from "../../../tests/support/test_needing.ts";

const hasTex = lackOf(PROGRAMS) === null && new Deno.Command("sh", {
  args: ["-c", "command -v pdflatex && command -v bibtex && kpsewhich booktabs.sty longtable.sty"],
  stdout: "null",
}).outputSync().success;
const testWithTex = testNeeding(PROGRAMS, hasTex ? null : "pdflatex, bibtex and booktabs");

Deno.test("toLatex() has the numbers of the report's own tables, and says how the runs were made", async () => {
  const report = build(await made({ ...fakeSweep, seeds: [0, 1, 2, 3] }));
  const files = toLatex(report, fakeRegistries);
  assertEquals([...files.keys()], [
    "scores.tex",
    "verdicts.tex",
    "costs.tex",
    "settings.tex",
    "methods.bib",
    "paper.tex",
  ]);
  for (
    const [name, title, places] of [
      ["scores.tex", "Scores", [2, 4, 6]],
      ["verdicts.tex", "Comparisons", [2, 3, 4, 5, -1]],
      ["costs.tex", "Costs", [2, 3, 4]],
    ] as const
  ) {
    const rows = rowsOf(report, title), lines = files.get(name)!.split("\n");
    for (const row of rows) {
      const cells = places.map((place) => escapeTex(row.at(place)!));
      assert(lines.some((line) => cells.every((cell) => line.includes(cell))), `${name}: ${row.join(" | ")}`);
    }
  }
  const settings = files.get("settings.tex")!;
  for (
    const part of [
      "LoRA-Pro~\\cite{",
      "at rank 2 and 8",
      "the 4 seeds are 0, 1, 2 and 3",
      "(\\texttt{digits}), the model \\texttt{vit-tiny} is trained for",
      "adapting all linear maps",
      "runs finished, on ",
    ]
  ) assertStringIncludes(settings, part);
  for (const [, key] of settings.matchAll(/\\cite\{(.*?)\}/g)) {
    assertStringIncludes(files.get("methods.bib")!, `{${key},`);
  }
});

Deno.test("toLatex() cites each paper once, with keys of their own, and methods without a paper by their address", async () => {
  const { lora, full } = fakeRegistries.optimizers;
  const registries = {
    ...fakeRegistries,
    optimizers: {
      ...fakeRegistries.optimizers,
      lora: { ...lora!, source: "https://arxiv.org/abs/2106.09685", paper: optimizers.lora.paper! },
      full: { ...full!, title: "Full & all", source: "https://example.org/a_b" },
    },
  };
  const bib = toLatex(build(await made()), registries).get("methods.bib")!;
  assertStringIncludes(
    bib,
    "@misc{hu2021lora,\n  title = {{LoRA: Low-Rank Adaptation of Large Language Models}},",
  );
  assertStringIncludes(bib, "author = {Edward J. Hu and Yelong Shen and");
  assertStringIncludes(bib, "eprint = {2106.09685}");
  assertStringIncludes(
    bib,
    "@misc{full,\n  title = {{Full \\& all}},\n  url = {https://example.org/a_b},\n}",
  );
});

Deno.test("Methods are cited with papers of their own addresses, fifteen at least, and no two papers have one key", () => {
  const keys = new Map<string, string>();
  // One that was added without its paper goes by its title and address.
  const cited = Object.values(optimizers).filter(({ paper }) => paper);
  assert(cited.length >= 15);
  for (const { id, source, paper } of cited) {
    assert(paper);
    assert(paper.authors.length > 0 && paper.authors.every((name) => /^\S+( \S+)+$/.test(name)), id);
    const arxiv = /arxiv\.org\/abs\/(\d\d)\d\d\.\d+$/.exec(source);
    assertEquals(Number(arxiv?.[1]) + 2000, paper.year, id);
    const known = keys.get(source);
    if (known !== undefined) assertEquals(known, paper.title, id);
    keys.set(source, paper.title);
  }
});

testWithTex("toLatex() compiles, whatever titles and names hold", async () => {
  const { plan, stored } = await made({ ...fakeSweep, seeds: [0, 1, 2, 3, 4, 5], ranks: [1, 2, 3, 4, 8] });
  const odd = 'a_b & 50% of $x^2 ~ \\input{no} # <"中"> é';
  const tasks = Object.fromEntries(
    Object.entries(fakeRegistries.tasks).map((
      [name, task],
    ) => [name, { ...task, title: `${odd} ${task.title}` }]),
  );
  const report = build({ plan: { ...plan, question: odd }, stored });
  const named = {
    ...report,
    tables: report.tables.map((table) => ({
      ...table,
      rows: table.rows.map((row) => row.map((cell) => /^[A-Z]\w+ digits$/.test(cell) ? odd : cell)),
    })),
  };
  assert(named.tables.some(({ rows }) => rows.length > 40 && rows.flat().includes(odd)));
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, text] of toLatex(named, { ...fakeRegistries, tasks })) {
      await Deno.writeTextFile(`${folder}/${name}`, text);
    }
    const latex = "pdflatex -interaction=nonstopmode -halt-on-error paper";
    const { code, stdout } = await new Deno.Command("sh", {
      args: ["-c", `${latex} && bibtex paper && ${latex} && ${latex}`],
      cwd: folder,
    }).output();
    const log = new TextDecoder("latin1").decode(stdout);
    assertEquals(code, 0, log.slice(-3000));
    const last = log.slice(log.lastIndexOf("This is pdfTeX"));
    assert(!/undefined|Missing character|Overfull \\hbox \(\d{3,}/.test(last), last.slice(-3000));
    assert((await Deno.stat(`${folder}/paper.pdf`)).size > 20_000);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
