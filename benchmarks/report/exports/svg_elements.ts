/** @file The elements of an SVG as Vega writes it: a tree of names, attributes and texts. */

/** An element. */
export interface SvgElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Elements and texts, in their order. */
  readonly children: readonly (SvgElement | string)[];
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/**
 * Reads an SVG that a program wrote: no comments, no processing instructions, attributes in double quotes.
 *
 * @throws {Error} where that is not so
 */
export function parseSvg(text: string): SvgElement {
  const root = { name: "", attributes: {}, children: [] as (SvgElement | string)[] };
  const open = [root];
  let at = 0;
  for (const match of text.matchAll(/<(\/?)([\w:]+)((?:[^>"]|"[^"]*")*?)(\/?)>|[^<]+/g)) {
    if (match.index !== at) throw new Error(`Cannot read the SVG at "${text.slice(at, at + 40)}"`);
    at += match[0].length;
    const [whole, closing, name, attributes = "", alone] = match, parent = open.at(-1)!;
    if (name === undefined) {
      parent.children.push(decode(whole));
    } else if (closing === "/") {
      if (open.pop()!.name !== name) throw new Error(`Cannot read the SVG: </${name}> ends another element`);
    } else {
      const element = { name, attributes: readAttributes(attributes), children: [] };
      parent.children.push(element);
      if (alone === "") open.push(element);
    }
  }
  const [svg] = root.children.filter((child) => typeof child !== "string");
  if (at !== text.length || open.length !== 1 || svg === undefined) {
    throw new Error("Cannot read the SVG: it is not whole");
  }
  return svg;
}

function readAttributes(text: string): Record<string, string> {
  return Object.fromEntries(
    Array.from(text.matchAll(/([\w:-]+)="([^"]*)"/g), ([, name, value]) => [name!, decode(value!)]),
  );
}

function decode(text: string): string {
  return text.replaceAll(/&(?:#(\d+)|#x([\da-f]+)|(\w+));/gi, (whole, decimal, hex, name) => {
    if (name !== undefined) return ENTITIES[name] ?? whole;
    return String.fromCodePoint(decimal !== undefined ? Number(decimal) : Number.parseInt(hex, 16));
  });
}
