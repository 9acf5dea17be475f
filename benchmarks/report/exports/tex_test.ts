import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { escapeTex, tableToTex } from "./tex.ts";

Deno.test("escapeTex() spells what LaTeX gives a meaning, what its fonts lack, and names letters that it can't set", () => {
  assertEquals(escapeTex("50% of $5 & #1_a"), "50\\% of \\$5 \\& \\#1\\_a");
  assertEquals(
    escapeTex("\\input{x}~^"),
    "\\textbackslash{}input\\{x\\}\\textasciitilde{}\\textasciicircum{}",
  );
  assertEquals(
    escapeTex('p < 0.05 | > "a"'),
    "p \\textless{} 0.05 \\textbar{} \\textgreater{} \\textquotedbl{}a\\textquotedbl{}",
  );
  assertEquals(
    escapeTex("−0.5 ± 0.1 “so” — ‖g̃ − G‖"),
    "$-$0.5 $\\pm$ 0.1 ``so'' --- $\\Vert$$\\tilde{g}$ $-$ G$\\Vert$",
  );
  assertEquals(escapeTex("é Łódź ß\u00a0x"), "é Łódź ß~x");
  assertEquals(escapeTex("中 🙂 a\nb"), "[U+4E2D] [U+1F642] a b");
  // Nothing that was typed is left to LaTeX.
  for (let code = 0x20; code < 0x7f; code++) {
    const text = escapeTex(String.fromCharCode(code)).replaceAll(/\\([a-z]+\{\}|[{}$&#%_])/g, "");
    assert(!/[\\{}$&#%_^~<>|"]/.test(text), `${String.fromCharCode(code)} ${text}`);
  }
});

const table = {
  title: "Scores & more",
  note: "Of 95%.",
  columns: ["Task", "Method", "Score", "Hidden", "Seeds"],
  rows: [["a", "LoRA", "0.500", "x", "3"], ["a", "Full", "−0.250", "y", "12"], ["b", "LoRA", "—", "z", "3"]],
};

Deno.test("tableToTex() sets the columns that are wanted with booktabs' rules, numbers at the right, groups apart", () => {
  const tex = tableToTex(table, { label: "tab:x", columns: ["Task", "Method", "Score", "None", "Seeds"] });
  const from = tex.indexOf("\\begin{table}");
  assertEquals(
    tex.slice(from),
    [
      "\\begin{table}[tp]",
      "\\centering\\small\\setlength{\\tabcolsep}{4pt}",
      "\\caption{Scores \\& more.}\\label{tab:x}\\smallskip",
      "\\fitwidth{\\begin{tabular}{lrr}",
      "\\toprule",
      "Method & Score & Seeds \\\\",
      "\\midrule",
      "\\multicolumn{3}{l}{\\emph{a}} \\\\*",
      "LoRA & 0.500 & 3 \\\\",
      "Full & $-$0.250 & 12 \\\\",
      "\\addlinespace",
      "\\multicolumn{3}{l}{\\emph{b}} \\\\*",
      "LoRA & --- & 3 \\\\",
      "\\bottomrule",
      "\\end{tabular}}",
      "\\par\\smallskip\\raggedright\\footnotesize Of 95\\%.",
      "\\end{table}",
      "",
    ].join("\n"),
  );
});

Deno.test("tableToTex() goes over pages where a table is too long for one, and over both columns where it is too wide", () => {
  const rows = Array.from({ length: 50 }, (_, i) => [`task ${i % 2}`, "LoRA", "0.5", "x", "3"]);
  const long = tableToTex({ ...table, rows }, { label: "tab:x" });
  assertStringIncludes(long, "\\begin{longtable}{lrlr}");
  assertStringIncludes(long, "\\end{longtable}");
  const wide = {
    ...table,
    columns: [...table.columns, "p", "q"],
    rows: table.rows.map((row) => [...row, "1", "2"]),
  };
  assertStringIncludes(tableToTex(wide, { label: "tab:x" }), "\\begin{table*}");
});
