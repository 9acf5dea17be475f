import { assert, assertEquals, assertLess } from "@std/assert";
import { build, made } from "../../../tests/support/fakes/reports.ts";
import { parseSvg, type SvgElement } from "../exports/svg_elements.ts";
import { forestToCsv, forestToSvg } from "./forest_svg.ts";

const forest = build(await made()).forest!;
const rows = forest.groups.flatMap((group) => group.rows);

function elements(svg: string): SvgElement[] {
  return parseSvg(svg).children.filter((child) => typeof child !== "string");
}

Deno.test("forestToSvg() says every name, number and verdict, and all lies within its size", () => {
  const svg = forestToSvg(forest), { width, height } = parseSvg(svg).attributes;
  const all = elements(svg), texts = all.filter(({ name }) => name === "text");
  const said = texts.map(({ children }) => children.join(""));
  for (const { method } of rows) assert(said.includes(method), method);
  for (const { title } of forest.groups) assert(said.includes(title), title);
  const bars = rows.flatMap(({ bars }) => bars.filter((bar) => bar !== null));
  const numbers = bars.map(({ difference, between }) => `${difference}${between && ` (${between})`}`);
  assertEquals(numbers.filter((one) => !said.includes(one)), []);
  assertEquals(all.filter(({ name }) => name === "circle").length, bars.length);
  for (const { attributes } of all) {
    for (const [name, most] of [["x", width], ["x2", width], ["cx", width], ["y", height]] as const) {
      const value = Number(attributes[name] ?? 0);
      assert(value >= 0 && value <= Number(most), JSON.stringify(attributes));
    }
  }
  // Texts of a line stand one behind the other: the least that a sans-serif face takes fits between two.
  for (const own of Map.groupBy(texts, ({ attributes }) => attributes["y"]).values()) {
    const starting = own.filter(({ attributes }) => attributes["text-anchor"] === "start")
      .toSorted((a, b) => Number(a.attributes["x"]) - Number(b.attributes["x"]));
    for (const [i, { attributes, children }] of starting.slice(0, -1).entries()) {
      const end = Number(attributes["x"]) + 0.55 * Number.parseFloat(attributes["font-size"]!) *
          children.join("").length;
      assertLess(end, Number(starting[i + 1]!.attributes["x"]), children.join(""));
    }
  }
});

Deno.test("forestToSvg() puts a larger difference further right, and cuts what an interval has beyond the axis", () => {
  const axis = forest.axes[0]!;
  const bar = { ...rows[1]!.bars[0]!, mean: 0, interval: null, verdict: "better" as const };
  const drawn = (mean: number, half: number) =>
    forestToSvg({
      ...forest,
      baselines: ["LoRA"],
      axes: [axis],
      groups: [{
        task: null,
        title: "",
        rows: [{
          method: "m",
          rank: null,
          bars: [{ ...bar, mean, interval: { low: mean - half, high: mean + half } }],
        }],
      }],
    });
  const at = (svg: string) => Number(elements(svg).find(({ name }) => name === "circle")!.attributes["cx"]);
  const arrows = (svg: string) => elements(svg).filter(({ name }) => name === "path").length;
  const middle = (axis.low + axis.high) / 2, small = (axis.high - axis.low) / 10;
  assertLess(at(drawn(middle - small, small)), at(drawn(middle + small, small)));
  assertEquals([arrows(drawn(middle, small)), arrows(drawn(middle, 100))], [0, 2]);
});

Deno.test("forestToCsv() has a line a comparison, and texts of others stay in their cell and in their text", () => {
  const lines = forestToCsv(forest).trimEnd().split("\r\n");
  assertEquals(lines[0], "task,method,rank,against,difference,low,high,verdict,wins,of,unit,group");
  const bars = rows.flatMap(({ bars }) => bars.filter((bar) => bar !== null));
  assertEquals(lines.slice(1).map((line) => Number(line.split(",")[4])), bars.map(({ mean }) => mean));
  const method = 'a, "b" <c>';
  const hostile = { ...forest, groups: [{ ...forest.groups[0]!, rows: [{ ...rows[1]!, method }] }] };
  assert(forestToCsv(hostile).includes(',"a, ""b"" <c>",'));
  const said = elements(forestToSvg(hostile)).map(({ children }) => children.join(""));
  assert(said.includes(method));
});
