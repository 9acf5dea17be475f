/** @file Questions settled from a program, on the machine's own adapter. */
import { assertEquals, assertMatch } from "@std/assert";
import { lora, settle } from "../mod.ts";
import { inFolder } from "./support/in_folder.ts";
import { FILES, testNeeding } from "./support/test_needing.ts";

const test = testNeeding(FILES);

test("settle() finds LoRA and a copy of it under another id identical, and one call more runs nothing", async () => {
  await inFolder(async (out) => {
    const question = {
      methods: ["copy", "lora"],
      tasks: ["digits"],
      ranks: [2],
      entries: { optimizers: { copy: { ...lora, id: "copy", title: "A copy of LoRA" } } },
      changes: {
        learningRates: [4e-3],
        steps: 3,
        examples: { trainExamples: 16, validationExamples: 4, testExamples: 8 },
      },
    };
    let runs = 0;
    const onResult = () => void runs++;
    const { verdicts, answer, page, interrupted } = await settle(question, out, { onResult });
    const found = verdicts.map(({ outcome, verdict, difference, pairs, more }) => {
      return { outcome, verdict, difference, pairs, more };
    });
    const identical = { verdict: "identical", difference: 0, pairs: 4 } as const;
    assertEquals(found, [
      { outcome: "score", ...identical, more: 0 },
      { outcome: "log loss", ...identical, more: null },
    ]);
    assertEquals([interrupted, page, runs], [false, `${out}/report/index.html`, 8]);
    assertMatch(answer[0]!, /A copy of LoRA.*identical/);
    assertEquals(await settle(question, out, { onResult }).then(({ answer }) => answer), answer);
    assertEquals(runs, 8);
  });
});
