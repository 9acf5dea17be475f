/** @file A report as Markdown. */
import type { Report } from "./report.ts";
import { scoreboardTable } from "./scoreboard.ts";
import type { Table } from "./table.ts";

/** The whole report; charts are links to `charts/<id>.svg`. */
export function toMarkdown(report: Report): string {
  const parts = [
    `# ${report.question}`,
    ...headlineToMarkdown(report),
    ...report.scoreboard ? [tableToMarkdown(scoreboardTable(report.scoreboard))] : [],
    ...report.answer.length > 0
      ? ["## All that was found", report.answer.map((sentence) => `- ${sentence}`).join("\n")]
      : [],
    ...report.caveats.length > 0 ? [`## Caveats`, report.caveats.map((one) => `- ${one}`).join("\n")] : [],
    ...report.charts.map(({ chart }) => `![${chart.title}](charts/${chart.id}.svg)\n\n${chart.caption}`),
    ...report.tables.map(tableToMarkdown),
    `## How it was made`,
    [
      ...report.environment.map(([name, value]) => `- ${name}: ${value}`),
      ...report.command === null ? [] : [`- Made by: \`${report.command}\``],
    ].join("\n"),
  ];
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

function headlineToMarkdown({ headline, predicted, forgetting }: Report): string[] {
  const { verdict, claim, what, sure, change, command } = headline;
  return [
    `**${verdict}**`,
    ...claim ? [`- Claim: ${claim.said}\n- Unlike there: ${claim.unlike}`] : [],
    ...predicted ? [tableToMarkdown(predicted)] : [],
    [
      `- ${claim ? "Single comparisons" : "What"}: ${what}`,
      ...forgetting === null ? [] : [`- Forgetting: ${forgetting}`],
      `- How sure: ${sure}`,
      `- What would change it: ${change}${command === null ? "" : ` \`${command}\``}`,
    ].join("\n"),
  ];
}

/** A comparison with another sweep by itself, to go with a change. */
export function againstToMarkdown({ name, against }: Report): string {
  const { sentences = [], tables = [] } = against ?? {};
  const parts = [
    `# Sweep "${name}" against another`,
    sentences.map((sentence) => `- ${sentence}`).join("\n"),
    ...tables.map(tableToMarkdown),
  ];
  return `${parts.join("\n\n")}\n`;
}

function tableToMarkdown(table: Table): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll(/\s+/g, " ")).join(" | ")} |`;
  const rule = `| ${table.columns.map(() => "---").join(" | ")} |`;
  return [`## ${table.title}`, "", table.note, "", line(table.columns), rule, ...table.rows.map(line)].join(
    "\n",
  );
}
