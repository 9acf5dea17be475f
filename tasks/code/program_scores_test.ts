import { assertEquals } from "@std/assert";
import type { Predictor } from "../task.ts";
import { measurePrograms, type ProgramTrial, scorePrograms } from "./program_scores.ts";

const trial: ProgramTrial<number> = {
  promptOf: (example) => Int32Array.of(example),
  maxTokens: 7,
  stop: 9,
  judge: (examples) => Promise.resolve(examples.map((example) => example > 1)),
};

Deno.test("Programs are scored as greedy texts, and measured on ten drawn as the paper draws them", async () => {
  const asked: unknown[] = [];
  const predictor = {
    generate(prompts, how) {
      asked.push(how);
      return Promise.resolve(
        prompts.flatMap((prompt) => Array.from({ length: how.sampling?.samples ?? 1 }, () => prompt)),
      );
    },
  } as Partial<Predictor> as Predictor;
  assertEquals([...await scorePrograms(predictor, [1, 2], trial)], [0, 1]);
  const measured = await measurePrograms(predictor, [1, 2], trial);
  assertEquals(Array.from(measured["pass@5"]!.values), [0, 1]);
  const how = { maxTokens: 7, stop: 9 };
  assertEquals(asked, [how, { ...how, sampling: { temperature: 0.8, topP: 0.95, seed: 0, samples: 10 } }]);
});
