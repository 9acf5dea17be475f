/** @file For tests: what a chart shows where, read from Vega's scenegraph as a reader's eyes take it, by place. */

import type { Study } from "../../benchmarks/study/study.ts";

/** A row as marks have it. */
export type Row = Readonly<Record<string, unknown>>;

/** A panel, the headings that stand over, beneath or beside it, and the data of its marks. */
export interface DrawnPanel {
  readonly headings: readonly string[];
  readonly marks: readonly Row[];
}

/** A mark or an item of Vega's scenegraph, as far as it matters here. */
export interface SceneNode {
  readonly marktype?: string;
  readonly role?: string;
  readonly name?: string;
  readonly items?: readonly SceneNode[];
  readonly datum?: Row;
  readonly x?: number;
  readonly y?: number;
  readonly width?: number;
  readonly height?: number;
  readonly opacity?: number;
  readonly text?: string | readonly string[];
}

/**
 * The panels below a scenegraph's root, and headings that stand nowhere near one. A heading of rows belongs to the panels
 * that lie at its height, one of columns to those above or below it. Uses nothing around it: a browser gets its text.
 */
export function drawnPanels(root: SceneNode): {
  readonly panels: readonly DrawnPanel[];
  readonly idle: readonly string[];
} {
  interface Found {
    readonly left: number;
    readonly top: number;
    readonly node: SceneNode;
    readonly role: string;
  }
  const cells: Found[] = [], headings: Found[] = [];
  /** `role` is that of the header or the cell around. */
  const visit = (node: SceneNode, left: number, top: number, role: string) => {
    const inside = node.marktype === undefined
      ? role
      : /^(row|column)-(header|footer)$/.test(node.role ?? "")
      ? node.role!
      : node.role === "scope" && node.name === "cell"
      ? "cell"
      : role;
    const x = left + (node.marktype === undefined ? node.x ?? 0 : 0);
    const y = top + (node.marktype === undefined ? node.y ?? 0 : 0);
    for (const item of node.items ?? []) {
      if (node.name === "cell") {
        cells.push({ left: x + (item.x ?? 0), top: y + (item.y ?? 0), node: item, role: "cell" });
      }
      if (node.role === "title-text" && inside !== "") {
        headings.push({ left: x + (item.x ?? 0), top: y + (item.y ?? 0), node: item, role: inside });
      }
      visit(item, x, y, inside);
    }
  };
  visit(root, 0, 0, "");
  const marksOf = (node: SceneNode, drawn: Row[] = []): Row[] => {
    for (const mark of node.items ?? []) {
      if (mark.role !== "mark" && mark.role !== "scope") continue;
      for (const item of mark.items ?? []) {
        if (mark.marktype === "group") marksOf(item, drawn);
        else if (item.opacity !== 0 && item.datum) drawn.push(item.datum);
      }
    }
    return drawn;
  };
  const textOf = ({ node: { text } }: Found) => Array.isArray(text) ? text.join(" ") : String(text);
  const belong = (heading: Found, cell: Found) => {
    const { width = 0, height = 0 } = cell.node;
    const across = heading.left >= cell.left && heading.left <= cell.left + width;
    const beside = heading.top >= cell.top && heading.top <= cell.top + height;
    if (heading.role.startsWith("row")) return beside;
    // A panel's own heading stands right above it, and those of columns above or below all.
    const above = cell.top - heading.top;
    return across && (heading.role !== "cell" || (above > 0 && above < 60));
  };
  return {
    panels: cells.map((cell) => ({
      headings: headings.filter((heading) => belong(heading, cell)).map(textOf),
      marks: marksOf(cell.node),
    })),
    idle: headings.filter((heading) => !cells.some((cell) => belong(heading, cell))).map(textOf),
  };
}

/** Sentences about a panel whose marks are not those of its headings. */
export function panelFaults({ headings, marks }: DrawnPanel, { tasks, methods, ranks }: Study): string[] {
  const at = headings.join(", ");
  if (headings.length === 0) return ["a panel has no heading"];
  if (marks.length === 0) return [`the panel under ${at} is empty`];
  const faults = headings.flatMap((heading) => {
    const task = tasks.find(({ title }) => title === heading);
    const method = methods.find(({ label }) => label === heading);
    const rank = ranks.find((one) => `rank ${one}` === heading);
    const reference = methods.find(({ optimizer }) => optimizer === "lora")?.label;
    const isOwn = (row: Row) =>
      task
        ? row["task"] === task.id
        : method
        ? row["method"] === heading
        : rank !== undefined || heading === "no rank"
        ? row["rank"] === rank || row["rank"] === null
        : ["measure", "kind", "axis", "heading", "column"].some((field) => row[field] === heading);
    const mayStand = (row: Row) =>
      isOwn(row) || method && (row["method"] === undefined || row["method"] === reference);
    const strangers = marks.filter((row) => !mayStand(row));
    return [
      ...strangers.slice(0, 1).map((row) =>
        `under ${heading} stands ${row["task"]}, ${row["method"]}, rank ${row["rank"]}`
      ),
      ...marks.some((row) => isOwn(row) && !row["beside"])
        ? []
        : [`under ${heading} stands nothing of its own`],
    ];
  });
  return faults.map((fault) => `${at}: ${fault}`);
}
