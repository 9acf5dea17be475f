import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { paretoFront } from "./pareto.ts";

Deno.test("paretoFront() keeps those whom none beats in one without losing in the other, by cost", () => {
  const point = fc.record({ cost: fc.integer({ min: 0, max: 6 }), score: fc.integer({ min: 0, max: 6 }) });
  fc.assert(fc.property(fc.array(point, { maxLength: 12 }), (points) => {
    const front = paretoFront(points);
    const beaten = (one: typeof points[number]) =>
      points.some(({ cost, score }) =>
        cost <= one.cost && score >= one.score && (cost < one.cost || score > one.score)
      );
    assertEquals(new Set(front), new Set(points.filter((one) => !beaten(one))));
    assertEquals(front, front.toSorted((a, b) => a.cost - b.cost));
  }));
  assertEquals(paretoFront([]), []);
});
