/** @file Text and tables as LaTeX takes them. */
import type { Table } from "../table.ts";

/** What LaTeX gives a meaning of its own, and what its text fonts lack, in text. */
const SPELLED: Readonly<Record<string, string>> = {
  "\\": "\\textbackslash{}",
  "{": "\\{",
  "}": "\\}",
  "$": "\\$",
  "&": "\\&",
  "#": "\\#",
  "%": "\\%",
  "_": "\\_",
  "^": "\\textasciicircum{}",
  "~": "\\textasciitilde{}",
  "<": "\\textless{}",
  ">": "\\textgreater{}",
  "|": "\\textbar{}",
  '"': "\\textquotedbl{}",
  "−": "$-$",
  "±": "$\\pm$",
  "×": "$\\times$",
  "·": "$\\cdot$",
  "↑": "$\\uparrow$",
  "↓": "$\\downarrow$",
  "→": "$\\rightarrow$",
  "‖": "$\\Vert$",
  "≤": "$\\le$",
  "≥": "$\\ge$",
  "√": "$\\surd$",
  "—": "---",
  "–": "--",
  "“": "``",
  "”": "''",
  "’": "'",
  "…": "\\dots{}",
  "\u00a0": "~",
  "\u0303": "",
  "α": "$\\alpha$",
  "β": "$\\beta$",
  "ε": "$\\epsilon$",
  "λ": "$\\lambda$",
};

/**
 * A text for LaTeX's text mode with the T1 encoding. Of letters beyond Latin, which need fonts of their own, the code stands
 * there: "[U+4E2D]".
 */
export function escapeTex(text: string): string {
  return Array.from(text.normalize("NFC").replaceAll("g̃", "\u0001"), (letter) => {
    if (letter === "\u0001") return "$\\tilde{g}$";
    const spelled = SPELLED[letter];
    if (spelled !== undefined) return spelled;
    if (/\s/.test(letter)) return " ";
    const code = letter.codePointAt(0)!;
    // Latin-1's and Latin Extended-A's letters are in T1, with two exceptions that the pattern leaves out.
    const isKnown = (code >= 0x20 && code < 0x7f) || /^[À-ÖØ-öø-ľŁ-ňŋ-ſ]$/.test(letter);
    return isKnown ? letter : `[U+${code.toString(16).toUpperCase().padStart(4, "0")}]`;
  }).join("");
}

/** How a table is set. */
export interface TableForm {
  /** For `\ref`. */
  readonly label: string;
  /** Columns by name, in this order; all of them where absent. Those that the table lacks are left out. */
  readonly columns?: readonly string[];
  /** How to read it, instead of the table's own note. */
  readonly note?: string;
}

/** Makes what is wider than the page as wide as it. */
const FIT = [
  "% Needs \\usepackage{booktabs,graphicx}.",
  "\\providecommand{\\fitwidth}[1]{\\sbox0{#1}%",
  "  \\ifdim\\wd0>\\linewidth\\resizebox{\\linewidth}{!}{\\usebox0}\\else\\usebox0\\fi}",
].join("\n");

/** Rows that fit one page. */
const MOST_ROWS = 40;
/** Columns that fit one of a page's two columns. */
const FEW_COLUMNS = 5;

/**
 * A table with booktabs' rules, its note below in small type, numbers at the right. Rows with the same first cell stand below
 * it. Tables that are too long for a page are of the package longtable.
 */
export function tableToTex(
  table: Table,
  { label, columns = table.columns, note = table.note }: TableForm,
): string {
  const places = columns.map((column) => table.columns.indexOf(column)).filter((place) => place >= 0);
  const all = table.rows.map((row) => places.map((place) => row[place]!));
  // What rows share stands above them: a task's title in each would take the room of three numbers.
  const isGrouped = places.length > 2 && new Set(all.map(([first]) => first)).size < all.length &&
    all.some(([first]) => !isNumber(first!));
  const heads = places.map((place) => table.columns[place]!).slice(isGrouped ? 1 : 0);
  const format = heads.map((_, i) => all.every((row) => isNumber(row.at(i - heads.length)!)) ? "r" : "l")
    .join("");
  const line = (cells: readonly string[]) => `${cells.map(escapeTex).join(" & ")} \\\\`;
  const body = isGrouped
    ? [...Map.groupBy(all, ([first]) => first!)].flatMap(([first, rows], i) => [
      ...i > 0 ? ["\\addlinespace"] : [],
      `\\multicolumn{${heads.length}}{l}{\\emph{${escapeTex(first)}}} \\\\*`,
      ...rows.map(([, ...cells]) => line(cells)),
    ])
    : all.map(line);
  const head = line(heads);
  const caption = `\\caption{${escapeTex(table.title)}.}\\label{${label}}`;
  if (all.length > MOST_ROWS) {
    return [
      "% Needs \\usepackage{booktabs,longtable}; longtable is for one column a page.",
      `{\\small\\setlength{\\tabcolsep}{4pt}`,
      `\\begin{longtable}{${format}}`,
      `${caption}\\\\`,
      "\\toprule",
      head,
      "\\midrule\\endfirsthead",
      "\\toprule",
      head,
      "\\midrule\\endhead",
      "\\bottomrule\\endfoot",
      ...body,
      "\\end{longtable}}",
      `{\\footnotesize\\noindent ${escapeTex(note)}\\par}`,
      "",
    ].join("\n");
  }
  const kind = heads.length > FEW_COLUMNS ? "table*" : "table";
  return [
    FIT,
    `\\begin{${kind}}[tp]`,
    "\\centering\\small\\setlength{\\tabcolsep}{4pt}",
    `${caption}\\smallskip`,
    `\\fitwidth{\\begin{tabular}{${format}}`,
    "\\toprule",
    head,
    "\\midrule",
    ...body,
    "\\bottomrule",
    "\\end{tabular}}",
    ...note === "" ? [] : [`\\par\\smallskip\\raggedright\\footnotesize ${escapeTex(note)}`],
    `\\end{${kind}}`,
    "",
  ].join("\n");
}

/** Whether a cell is a number, with what goes with one: an interval's half, a percent sign, a dash for none. */
function isNumber(cell: string): boolean {
  return /^[\d.,+−±—()<%\s-]*$/.test(cell);
}
