/**
 * @file Trains runs and settles a question, both of a JSON file, on the path that browsers take: a process of its own for
 * another adapter. Prints the results of the runs; those of the question are in the folder that is named behind the file.
 */
import { createLines } from "../../benchmarks/command_line/display.ts";
import { askQuestion } from "../../benchmarks/settle/question.ts";
import { settle } from "../../benchmarks/settle/settle.ts";
import { openGpu } from "../../gpu/mod.ts";
import { environmentOf } from "../../training/environment.ts";
import { shipped } from "../../training/shipped.ts";
import { train } from "../../training/train.ts";

const [file, out] = Deno.args as [string, string];
const { configs, spec } = JSON.parse(await Deno.readTextFile(file));
await using gpu = await openGpu({ path: "gpu" });
const results = [];
for (const config of configs) results.push(await train(gpu, config));
await settle(await askQuestion(spec, shipped, null, false), out, "", shipped, {
  deps: {
    open: () => Promise.resolve({ [Symbol.asyncDispose]: () => Promise.resolve() }),
    train: (_, config, hooks) => train(gpu, config, hooks),
    scoreBase: () => Promise.reject(new Error("no question asks for one")),
    environment: () => environmentOf(gpu),
  },
  display: createLines(() => {}),
  signal: new AbortController().signal,
  checkpointEveryMs: Infinity,
  isOwn: true,
  say: (sentence) => console.error(sentence),
});
console.log(JSON.stringify(results));
