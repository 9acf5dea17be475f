import { assertEquals } from "@std/assert";
import { estimateAllMs, estimateMs, type Pace } from "./estimate.ts";
import { fakePlan } from "./fakes/sweep.ts";

const configs = (await fakePlan()).runs.map(({ config }) => config);
const [full, lora] = configs;
const paces: Pace[] = [
  { task: "digits", optimizer: "lora", rank: 8, msPerStep: 10 },
  { task: "digits", optimizer: "lora", rank: 2, msPerStep: 20 },
  { task: "arithmetic", optimizer: "lora", rank: 2, msPerStep: 100 },
];

Deno.test("estimateMs() takes the most similar paces: same rank, else same method, else same task, else any", () => {
  assertEquals(estimateMs(lora!, paces), 40 * 20);
  assertEquals(estimateMs(lora!, paces.toSpliced(1, 1)), 40 * 10);
  assertEquals(estimateMs(full!, paces), 40 * 15);
  assertEquals(estimateMs(full!, paces.slice(2)), 40 * 100);
});

Deno.test("estimateAllMs() admits that it doesn't know", () => {
  assertEquals(estimateMs(full!, []), null);
  assertEquals(estimateAllMs(configs, []), null);
  assertEquals(estimateAllMs([], []), null);
  assertEquals(estimateAllMs([lora!, lora!], paces), 1600);
});
