/** @file HTML from templates that escape every text put into them, so that none can be forgotten. */

/** HTML that is safe to send: only templates make it. */
export class Markup {
  private constructor(
    /** The HTML. */
    readonly text: string,
  ) {}

  /** HTML that was made elsewhere, such as a drawn chart: put in as it stands, so never a text of others. */
  static asIs(html: string): Markup {
    return new Markup(html);
  }

  /** Fills a template. */
  static fill(parts: TemplateStringsArray, ...values: readonly Content[]): Markup {
    return new Markup(parts.map((part, i) => part + render(values[i] ?? null)).join(""));
  }
}

/** What may be put into a template: texts and numbers are escaped, lists are joined, null is nothing. */
export type Content = Markup | string | number | null | readonly Content[];

function render(value: Content): string {
  if (value === null) return "";
  if (value instanceof Markup) return value.text;
  if (typeof value === "string" || typeof value === "number") return escape(String(value));
  return value.map(render).join("");
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => entities[character]!);
}

/** The template tag. Attribute values are to stand in quotes. */
export const markup = Markup.fill;

/** One below the other. */
export function lines(items: readonly Content[]): Content {
  return items.flatMap((item, i) => i === 0 ? [item] : ["\n", item]);
}
