/** @file A chart's SVG as a PDF of the same size, by itself: no browser, no font of the machine's. */
import PDFDocument from "pdfkit";
import { parseSvg, type SvgElement } from "./svg_elements.ts";

/** What is used of pdfkit, which brings no types. */
interface Document {
  save(): Document;
  restore(): Document;
  transform(a: number, b: number, c: number, d: number, e: number, f: number): Document;
  path(d: string): Document;
  clip(): Document;
  fill(color: string | Gradient): Document;
  stroke(color: string): Document;
  fillOpacity(share: number): Document;
  strokeOpacity(share: number): Document;
  lineWidth(width: number): Document;
  lineCap(cap: string): Document;
  lineJoin(join: string): Document;
  miterLimit(limit: number): Document;
  dash(lengths: readonly number[], options: { readonly phase: number }): Document;
  undash(): Document;
  font(name: string): Document;
  registerFont(name: string, bytes: Uint8Array): Document;
  fontSize(size: number): Document;
  fillColor(color: string): Document;
  widthOfString(text: string): number;
  text(text: string, x: number, y: number, options: Readonly<Record<string, unknown>>): Document;
  linearGradient(x1: number, y1: number, x2: number, y2: number): Gradient;
  on(event: "data", take: (bytes: Uint8Array) => void): Document;
  on(event: "end", then: () => void): Document;
  end(): void;
}

interface Gradient {
  stop(share: number, color: string, opacity: number): Gradient;
}

/** What an element has from those around it, by SVG's names of attributes. */
type Style = Readonly<Record<string, string>>;

/** Attributes that elements within take over. */
const INHERITED = [
  "fill",
  "fill-opacity",
  "font-size",
  "font-style",
  "font-weight",
  "stroke",
  "stroke-dasharray",
  "stroke-dashoffset",
  "stroke-linecap",
  "stroke-linejoin",
  "stroke-miterlimit",
  "stroke-opacity",
  "stroke-width",
  "text-anchor",
];

/** Where PDF's and SVG's defaults differ, or what is read as a number has to be there. */
const INITIAL: Style = {
  fill: "black",
  stroke: "none",
  "stroke-width": "1",
  "stroke-miterlimit": "4",
  "font-size": "16",
};

let fonts: Promise<readonly [normal: Uint8Array, bold: Uint8Array]> | undefined;

/**
 * Draws an SVG that Vega wrote, text in DejaVu Sans, which is embedded as far as it is used. A pixel becomes a point. The same
 * SVG gives the same bytes.
 *
 * @throws {Error} for elements that charts don't have
 */
export async function toPdf(svg: string): Promise<Uint8Array> {
  const [normal, bold] = await (fonts ??= readFonts());
  const root = parseSvg(svg), { width, height } = root.attributes;
  const document = new PDFDocument({
    size: [Number(width), Number(height)],
    margin: 0,
    // None of PDF's own, whose metrics would have to be read.
    font: null,
    info: { CreationDate: new Date(0) },
  }) as unknown as Document;
  const parts: Uint8Array[] = [];
  const ended = new Promise<void>((resolve) => {
    document.on("data", (bytes) => parts.push(bytes)).on("end", resolve);
  });
  document.registerFont("normal", normal).registerFont("bold", bold);
  const byId = new Map<string, SvgElement>();
  collectIds(root, byId);
  drawChildren(document, root, INITIAL, 1, byId);
  document.end();
  await ended;
  return new Uint8Array(await new Blob(parts as Uint8Array<ArrayBuffer>[]).arrayBuffer());
}

async function readFonts(): Promise<readonly [Uint8Array, Uint8Array]> {
  const read = (name: string) =>
    Deno.readFile(new URL(import.meta.resolve(`dejavu-fonts-ttf/ttf/${name}.ttf`)));
  return await Promise.all([read("DejaVuSans"), read("DejaVuSans-Bold")]);
}

function collectIds(element: SvgElement, byId: Map<string, SvgElement>): void {
  if (element.attributes["id"] !== undefined) byId.set(element.attributes["id"], element);
  for (const child of element.children) if (typeof child !== "string") collectIds(child, byId);
}

type ById = ReadonlyMap<string, SvgElement>;

function drawChildren(
  document: Document,
  element: SvgElement,
  style: Style,
  opacity: number,
  byId: ById,
): void {
  for (const child of element.children) {
    if (typeof child !== "string") draw(document, child, style, opacity, byId);
  }
}

/** @param opacity that of the groups around it: marks of charts don't overlap within one */
function draw(document: Document, element: SvgElement, around: Style, opacity: number, byId: ById): void {
  const { name, attributes } = element;
  if (name === "defs" || attributes["display"] === "none") return;
  const own = INHERITED.flatMap((one) => attributes[one] === undefined ? [] : [[one, attributes[one]]]);
  const style: Style = { ...around, ...Object.fromEntries(own) };
  const shown = opacity * Number(attributes["opacity"] ?? 1);
  document.save();
  applyTransform(document, attributes["transform"] ?? "");
  const clip = byId.get(referenceOf(attributes["clip-path"]) ?? "");
  if (clip) {
    for (const child of clip.children) if (typeof child !== "string") document.path(pathOf(child)).clip();
  }
  if (name === "g" || name === "svg" || name === "a") drawChildren(document, element, style, shown, byId);
  else if (name === "text") drawText(document, element, style, shown);
  else drawShape(document, pathOf(element), style, shown, byId);
  document.restore();
}

function drawShape(document: Document, path: string, style: Style, opacity: number, byId: ById): void {
  if (path === "") return;
  const { fill, stroke } = style as { readonly fill: string; readonly stroke: string };
  if (!isNone(fill)) {
    const gradient = byId.get(referenceOf(fill) ?? "");
    document.fillOpacity(opacity * Number(style["fill-opacity"] ?? 1));
    document.path(path).fill(gradient ? gradientOf(document, gradient, path) : colorOf(fill));
  }
  const width = Number(style["stroke-width"]);
  if (isNone(stroke) || width === 0) return;
  const dashes = (style["stroke-dasharray"] ?? "").split(/[\s,]+/).map(Number).filter((one) => one > 0);
  // With one length alone, such as "1,0", there is no gap.
  if (dashes.length > 1) document.dash(dashes, { phase: Number(style["stroke-dashoffset"] ?? 0) });
  else document.undash();
  document.lineWidth(width).lineCap(style["stroke-linecap"] ?? "butt").lineJoin(
    style["stroke-linejoin"] ?? "miter",
  )
    .miterLimit(Number(style["stroke-miterlimit"])).strokeOpacity(
      opacity * Number(style["stroke-opacity"] ?? 1),
    );
  document.path(path).stroke(colorOf(stroke));
}

/** Lines of a text lie in elements "tspan", each with how far it is below the one before. */
function drawText(
  document: Document,
  { attributes, children }: SvgElement,
  style: Style,
  opacity: number,
): void {
  const isBold = style["font-weight"] === "bold" || Number(style["font-weight"]) >= 600;
  document.font(isBold ? "bold" : "normal").fontSize(Number.parseFloat(style["font-size"]!));
  document.fillColor(colorOf(style["fill"]!)).fillOpacity(opacity * Number(style["fill-opacity"] ?? 1));
  let y = Number(attributes["y"] ?? 0);
  for (const child of children) {
    const [text, of] = typeof child === "string"
      ? [child, attributes]
      : [child.children.join(""), child.attributes];
    if (typeof child !== "string") y += Number(of["dy"] ?? 0);
    if (text === "" || isNone(style["fill"]!)) continue;
    const width = document.widthOfString(text);
    const shift = { start: 0, middle: width / 2, end: width }[style["text-anchor"] ?? "start"] ?? 0;
    document.text(text, Number(of["x"] ?? 0) - shift, y, { baseline: "alphabetic", lineBreak: false });
  }
}

/** A shape's outline as the attribute d of a path. */
function pathOf({ name, attributes }: SvgElement): string {
  const number = (of: string) => Number(attributes[of] ?? 0);
  switch (name) {
    case "path":
      return attributes["d"] ?? "";
    case "line":
      return `M${number("x1")},${number("y1")}L${number("x2")},${number("y2")}`;
    case "rect":
      return `M${number("x")},${number("y")}h${number("width")}v${number("height")}h${-number("width")}Z`;
    case "circle": {
      const [x, y, r] = [number("cx"), number("cy"), number("r")];
      return `M${x - r},${y}a${r},${r} 0 1 0 ${2 * r},0a${r},${r} 0 1 0 ${-2 * r},0Z`;
    }
    default:
      throw new Error(`Cannot draw the SVG's element "${name}" in a PDF`);
  }
}

/** Applies "translate(1,2) rotate(-90) scale(2)". */
function applyTransform(document: Document, text: string): void {
  for (const [, kind, list] of text.matchAll(/(\w+)\(([^)]*)\)/g)) {
    const [a = 0, b, ...rest] = list!.split(/[\s,]+/).map(Number);
    if (kind === "translate") document.transform(1, 0, 0, 1, a, b ?? 0);
    else if (kind === "scale") document.transform(a, 0, 0, b ?? a, 0, 0);
    else if (kind === "matrix") document.transform(a, b!, rest[0]!, rest[1]!, rest[2]!, rest[3]!);
    else if (kind === "rotate") {
      const [sine, cosine] = [Math.sin(a * Math.PI / 180), Math.cos(a * Math.PI / 180)];
      document.transform(cosine, sine, -sine, cosine, 0, 0);
    } else throw new Error(`Cannot draw the SVG's transform "${text}" in a PDF`);
  }
}

/** A gradient over a shape's box, which its path's corners span. */
function gradientOf(document: Document, { attributes, children }: SvgElement, path: string): Gradient {
  const box = boxOf(path), at = (name: string, otherwise: number) => Number(attributes[name] ?? otherwise);
  const gradient = document.linearGradient(
    box.x + at("x1", 0) * box.width,
    box.y + at("y1", 0) * box.height,
    box.x + at("x2", 1) * box.width,
    box.y + at("y2", 0) * box.height,
  );
  for (const child of children) {
    if (typeof child === "string") continue;
    const { offset, "stop-color": color, "stop-opacity": share } = child.attributes;
    gradient.stop(Number(offset), colorOf(color!), Number(share ?? 1));
  }
  return gradient;
}

/** The box of a path of straight lines along the axes, as legends have it. */
function boxOf(path: string): { x: number; y: number; width: number; height: number } {
  let [x, y] = [0, 0];
  const xs: number[] = [], ys: number[] = [];
  for (const [, command, list] of path.matchAll(/([MLhvHV])([^A-Za-z]*)/g)) {
    const [a = 0, b = 0] = list!.split(/[\s,]+/).map(Number);
    if (command === "M" || command === "L") [x, y] = [a, b];
    if (command === "h") x += a;
    if (command === "H") x = a;
    if (command === "v") y += a;
    if (command === "V") y = a;
    xs.push(x);
    ys.push(y);
  }
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  return { x: left, y: top, width: Math.max(...xs) - left, height: Math.max(...ys) - top };
}

/** The id behind "url(#id)". */
function referenceOf(value: string | undefined): string | undefined {
  return /^url\(#(.*)\)$/.exec(value ?? "")?.[1];
}

function isNone(color: string): boolean {
  return color === "none" || color === "transparent";
}

/** pdfkit knows names and hex codes, with three digits or six. */
function colorOf(color: string): string {
  const channels = /^rgb\((\d+), ?(\d+), ?(\d+)\)$/.exec(color)?.slice(1);
  return channels ? `#${channels.map((one) => Number(one).toString(16).padStart(2, "0")).join("")}` : color;
}
