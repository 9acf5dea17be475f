/**
 * @file Trains the configs of a JSON file on the path that browsers take, and prints the results: a process of its own for
 * another adapter.
 */
import { openGpu } from "../../gpu/mod.ts";
import { train } from "../../training/train.ts";

await using gpu = await openGpu({ path: "gpu" });
const results = [];
for (const config of JSON.parse(await Deno.readTextFile(Deno.args[0]!))) {
  results.push(await train(gpu, config));
}
console.log(JSON.stringify(results));
