import { assert, assertEquals, assertLess, assertRejects, assertThrows } from "@std/assert";
import { decode } from "fast-png";
import { build, made } from "../../../tests/support/fakes/reports.ts";
import { FOREST, forestToSvg } from "../drawing/forest_svg.ts";
import { renderSvg } from "../render.ts";
import { toPdf } from "./pdf.ts";
import { toPng } from "./png.ts";
import { parseSvg } from "./svg_elements.ts";
import { lackOf, PROGRAMS, READING, testNeeding } from "../../../tests/support/test_needing.ts";

const hasPoppler = lackOf(PROGRAMS) === null && new Deno.Command("sh", {
  args: ["-c", "command -v pdftoppm && command -v pdftotext && command -v pdffonts"],
  stdout: "null",
}).outputSync().success;
const test = testNeeding(READING);
const testWithPoppler = testNeeding(PROGRAMS, hasPoppler ? null : "poppler-utils");

const { charts, forest } = build(await made());
const pictures = [
  { id: FOREST, title: forest!.title, svg: forestToSvg(forest!) },
  ...await Promise.all(
    charts.map(async ({ chart: { id, title }, spec }) => ({ id, title, svg: await renderSvg(spec, id) })),
  ),
];

/** A chart for each combination of elements and attributes that charts are drawn with. */
const kinds = [
  ...new Map(pictures.map((picture) => {
    const used = new Set(Array.from(picture.svg.matchAll(/<[\w]+| [\w-]+(?==)/g), ([name]) => name));
    return [[...used].sort().join(), picture];
  })).values(),
];

/** Brightness from 0 to 1 of squares of so many pixels, by row. */
function brightness(png: Uint8Array, square: number): number[][] {
  const { data, width, height, channels } = decode(png);
  const sums = Array.from(
    { length: Math.floor(height / square) },
    () => new Array<number>(Math.floor(width / square)).fill(0),
  );
  for (const [y, row] of sums.entries()) {
    for (const x of row.keys()) {
      for (let i = 0; i < square; i++) {
        for (let j = 0; j < square; j++) {
          const at = ((y * square + i) * width + x * square + j) * channels;
          row[x]! += (data[at]! + data[at + 1]! + data[at + 2]!) / (3 * 255 * square ** 2);
        }
      }
    }
  }
  return sums;
}

test("toPdf() gives charts of every kind the SVG's size, and the same bytes for the same SVG", async () => {
  for (const { svg } of kinds) {
    const [, width, height] = /width="([\d.]+)" height="([\d.]+)"/.exec(svg)!;
    const bytes = await toPdf(svg), text = new TextDecoder("latin1").decode(bytes);
    assert(text.startsWith("%PDF-1.") && text.trimEnd().endsWith("%%EOF"));
    assert(text.includes(`/MediaBox [0 0 ${width} ${height}]`), text.slice(0, 400));
    assertEquals(await toPdf(svg), bytes);
  }
});

testWithPoppler("toPdf() draws what toPng() draws, with its text as text in an embedded font", async () => {
  const folder = await Deno.makeTempDir();
  const run = async (command: string) => {
    const { code, stdout } = await new Deno.Command("sh", { args: ["-c", command], cwd: folder }).output();
    assertEquals(code, 0, command);
    return new TextDecoder().decode(stdout);
  };
  try {
    for (const { id, title, svg } of kinds) {
      await Deno.writeFile(`${folder}/chart.pdf`, await toPdf(svg));
      await run("pdftoppm -r 144 -png -singlefile chart.pdf chart");
      const wanted = brightness(await toPng(svg), 8);
      const found = brightness(await Deno.readFile(`${folder}/chart.png`), 8);
      assertEquals([found.length, found[0]!.length], [wanted.length, wanted[0]!.length]);
      // Edges are smoothed in other ways; what is missing, moved or of another colour shows in whole squares.
      const far = found.flatMap((row, y) => row.map((one, x) => Math.abs(one - wanted[y]![x]!)));
      assertLess(Math.max(...far), 0.3, id);
      assertLess(far.filter((one) => one > 0.12).length / far.length, 0.002, id);
      const text = (await run("pdftotext -layout chart.pdf -")).replaceAll(/\s+/g, " ");
      assert(text.includes(title), `${title} is not in ${text}`);
      const fonts = (await run("pdffonts chart.pdf")).trim().split("\n").slice(2);
      assert(
        fonts.length > 0 && fonts.every((line) => /DejaVuSans.* yes +yes +yes /.test(line)),
        fonts.join("\n"),
      );
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

test("toPdf() refuses what it can't draw, rather than leave it out", async () => {
  const of = (inner: string) => `<svg xmlns="x" width="20" height="20">${inner}</svg>`;
  await toPdf(of('<g transform="translate(1,2) rotate(90)"><rect width="3" height="4" fill="#f00"/></g>'));
  await assertRejects(() => toPdf(of("<image/>")), Error, 'Cannot draw the SVG\'s element "image" in a PDF');
  await assertRejects(() => toPdf(of('<g transform="skewX(3)"/>')), Error, 'transform "skewX(3)"');
});

Deno.test("parseSvg() reads elements, attributes and texts, and refuses what is cut short", () => {
  const svg = parseSvg(
    '<svg a="1 > 0" b="&lt;&quot;&#233;"><g><path d="M0,0"/></g>x &amp; y<text>g̃</text></svg>',
  );
  assertEquals(svg.attributes, { a: "1 > 0", b: '<"é' });
  assertEquals(svg.children, [
    { name: "g", attributes: {}, children: [{ name: "path", attributes: { d: "M0,0" }, children: [] }] },
    "x & y",
    { name: "text", attributes: {}, children: ["g̃"] },
  ]);
  for (const text of ["<svg><g></svg>", "<svg", "<svg></svg><", "<svg><!-- --></svg>"]) {
    assertThrows(() => parseSvg(text), Error, "Cannot read the SVG");
  }
});
