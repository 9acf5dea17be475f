/** @file How several commands print: sentences, and what a report answers. */
import { fold, toColumns, wrap } from "./terminal.ts";
import type { Report } from "../report/report.ts";
import type { CommandDeps } from "./command_deps.ts";

/** Prints a line for people, in the terminal's columns. */
export function tell({ print, columns }: CommandDeps, line: string): void {
  print(wrap(line, columns));
}

/** The verdict, and the few rows that stand for the whole report. */
export function printAnswer({ answer, summary }: Report, { print, style, columns }: CommandDeps): void {
  const [verdict] = answer;
  if (verdict !== undefined) print(`\n${fold(verdict, columns).map(style.bold).join("\n")}\n`);
  if (summary === null) return;
  print(`${toColumns(summary.columns, summary.rows, columns, style).join("\n")}\n`);
  if (summary.note !== "") print(`${style.dim(summary.note)}\n`);
}
