import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { basesOf } from "../sweep/bases.ts";
import { made } from "../../tests/support/fakes/reports.ts";
import { fakeBase, fakeDiverged } from "../../tests/support/fakes/results.ts";
import { measurementsToCsv, toCsv } from "./csv.ts";

Deno.test("toCsv() has a line for each run, and quotes what needs it", async () => {
  const { stored } = await made();
  const lines = toCsv([stored[1]!, await fakeDiverged(stored[2]!.config)]).split("\r\n");
  assertEquals(lines.length, 4);
  assertStringIncludes(lines[0]!, "id,status,task,model,optimizer,options,rank,learning_rate,seed");
  assertStringIncludes(lines[1]!, 'done,digits,vit-tiny,lora,"{""alpha"":16,""beta1"":0.9}",2,0.004,0');
  assertStringIncludes(lines[2]!, "diverged,digits,vit-tiny,lora-ga");
});

Deno.test("toCsv() has the score before fine-tuning of each run's own base, and nothing where that was not taken", async () => {
  const { plan, stored } = await made();
  const [digits] = basesOf(plan.runs.map(({ config }) => config));
  const base = { ...await fakeBase(digits!), commonest: 0.125 };
  const { score: _, scores: _s, ...header } = await fakeBase({ ...digits!, scoreOn: "validation" });
  const failed = { ...header, status: "failed", error: "the device was lost" } as const;
  const [names, ...lines] = toCsv(stored, [failed, base]).trimEnd().split("\r\n").map((line) =>
    line.replaceAll(/"[^"]*(""[^"]*)*"/g, "").split(",")
  );
  const place = names!.indexOf("score_before");
  assertEquals(names![place - 1], "score");
  assertEquals(
    lines.map((line) => line[place]),
    stored.map(({ config }) => config.task.id === "digits" ? String(base.score) : ""),
  );
  // Answers that are no classes have no commonest one.
  assertEquals(names![place + 1], "score_of_commonest_class");
  assertEquals(
    lines.map((line) => line[place + 1]),
    stored.map(({ config }) => config.task.id === "digits" ? "0.125" : ""),
  );
});

Deno.test("measurementsToCsv() has a line for each measured step and map, with the kind of its weight", async () => {
  const { stored } = await made();
  const run = stored[1]!;
  const lines = measurementsToCsv([run, await fakeDiverged(stored[2]!.config)]).split("\r\n");
  assert(run.status === "done");
  assertEquals(lines.length, 2 + run.outcome.discrepancies.length);
  assertStringIncludes(lines[0]!, "step,target_module,kind,gradient_error,gradient_error_bound");
  assertStringIncludes(lines[2]!, ",2,0.004,0,1,layers.1.k,k,");
});

Deno.test("toCsv() tells the effective rank at the last measured step, and of other measurements the mean", async () => {
  const { stored } = await made();
  const run = stored[1]!;
  assert(run.status === "done");
  const [first, second] = run.outcome.discrepancies;
  const measured = [1, 9].flatMap((step, i) =>
    [first!, second!].map((one) => ({
      ...one,
      step,
      effectiveRank: 2 + 4 * i,
      gradientCosine: 0.25 + 0.5 * i,
    }))
  );
  const [names, line] = toCsv([{ ...run, outcome: { ...run.outcome, discrepancies: measured } }]).split(
    "\r\n",
  )
    .map((text) => text.replaceAll(/"[^"]*(""[^"]*)*"/g, "").split(","));
  const value = (name: string) => line![names!.indexOf(name)];
  assertEquals([value("effective_rank"), value("gradient_cosine")], ["6", "0.5"]);
});
