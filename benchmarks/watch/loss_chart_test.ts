import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import * as fc from "fast-check";
import { type Curve, drawLosses, linearTicks } from "./loss_chart.ts";

const curve = (points: Curve["points"], changes: Partial<Curve> = {}): Curve => ({
  name: "a run",
  points,
  color: "#0072B2",
  dash: [4, 2],
  isLive: false,
  counts: true,
  ...changes,
});
const draw = (curves: readonly Curve[], steps = 10) =>
  drawLosses("Training loss", curves, steps)?.text ?? null;
const ticksOf = (svg: string) =>
  [...svg.matchAll(/text-anchor="end">([^<]+)</g)].map(([, tick]) => Number(tick));
const linesOf = (svg: string) => [...svg.matchAll(/points="([^"]+)"/g)].map(([, points]) => points!);

Deno.test("drawLosses() draws nothing of nothing, and of losses that are no numbers", () => {
  assertEquals(draw([]), null);
  assertEquals(draw([curve([])]), null);
  assertEquals(draw([curve([{ step: 1, value: NaN }, { step: 2, value: Infinity }])]), null);
  const [line] = linesOf(
    draw([curve([{ step: 1, value: NaN }, { step: 5, value: 2 }, { step: 10, value: 1 }])])!,
  );
  assertEquals(line!.split(" ").length, 2);
});

Deno.test("drawLosses() takes a logarithmic axis unless a loss is 0 or less", () => {
  const decades = curve([{ step: 0, value: 100 }, { step: 5, value: 1 }, { step: 10, value: 0.01 }]);
  const [line] = linesOf(draw([decades])!);
  const heights = line!.split(" ").map((place) => Number(place.split(",")[1]));
  assertEquals(heights[1]! - heights[0]!, heights[2]! - heights[1]!);
  assertEquals(ticksOf(draw([decades])!), [0.01, 0.1, 1, 10, 100]);
  assertEquals(ticksOf(draw([curve([{ step: 0, value: 1 }, { step: 10, value: 0 }])])!), [
    0,
    0.2,
    0.4,
    0.6,
    0.8,
    1,
  ]);
});

Deno.test("drawLosses() puts the running run on top, with its last point, and says so to those who don't see it", () => {
  const live = curve([{ step: 1, value: 3 }, { step: 4, value: 2.5 }], { isLive: true, name: "live <one>" });
  const svg = draw([live, curve([{ step: 1, value: 1 }, { step: 10, value: 2 }])], 10)!;
  assert(svg.lastIndexOf('class="past"') < svg.indexOf('class="live"'));
  assertMatch(svg, /<circle [^>]*r="4"/);
  assertStringIncludes(svg, "<title>live &lt;one&gt;</title>");
  assertStringIncludes(
    svg,
    'aria-label="Training loss by step: the running run has 2.5 at step 4, beside 1 other run"',
  );
});

Deno.test("drawLosses() does not let a diverged run flatten the others, but draws it alone", () => {
  const good = curve([{ step: 1, value: 2 }, { step: 10, value: 1 }]);
  const diverged = curve([{ step: 1, value: 2 }, { step: 3, value: 1e30 }], { counts: false });
  assertEquals(ticksOf(draw([good, diverged])!), ticksOf(draw([good])!));
  assert(ticksOf(draw([diverged])!).length >= 2);
});

Deno.test("drawLosses() places all that is finite inside numbers that an SVG takes", () => {
  const value = fc.oneof(fc.double({ noNaN: true }), fc.constantFrom(0, -0, 5e-324, 1e308, -1e308));
  const points = fc.array(value, { maxLength: 5 }).map((values) =>
    values.map((value, i) => ({ step: i, value }))
  );
  fc.assert(fc.property(fc.array(points, { maxLength: 4 }), fc.nat(20), (lines, steps) => {
    const svg = draw(lines.map((points, i) => curve(points, { isLive: i === 0 })), steps);
    if (svg === null) return;
    assert(!/NaN|Infinity|undefined/.test(svg), svg);
    assert(ticksOf(svg).length <= 12, svg);
  }));
});

Deno.test("linearTicks() are round numbers inside the range", () => {
  assertEquals(linearTicks(0, 40, 5), [0, 10, 20, 30, 40]);
  assertEquals(linearTicks(0, 1, 5), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assertEquals(linearTicks(0.13, 0.37, 5), [0.15, 0.2, 0.25, 0.3, 0.35]);
});
