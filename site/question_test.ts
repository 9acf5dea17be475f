import { assertEquals } from "@std/assert";
import { readAsked, readOverrides } from "../benchmarks/command_line/arguments.ts";
import { readArguments } from "../benchmarks/command_line/commands.ts";
import { pack } from "../benchmarks/report/page/site_link.ts";
import { specOf } from "../benchmarks/settle/question.ts";
import { override } from "../benchmarks/sweep/sweep.ts";
import { shipped } from "../training/shipped.ts";
import { type AskedQuestion, readQuestion, withMinutes } from "./question.ts";

const asked: AskedQuestion = {
  kind: "settle",
  tasks: ["digits"],
  methods: ["lora", "lora-ga", "lora-pro"],
  rank: 8,
  within: 0.05,
  budget: "45m",
};

/** The sweep that `./run` reads of what is typed. */
function typed(command: string) {
  const { texts, paths, positional } = readArguments("settle", command.split(" ").slice(2));
  return override(specOf(readAsked(texts, positional), shipped), readOverrides({ texts, paths }), shipped);
}

Deno.test("readQuestion() reads what the command that it names reads, for every way to ask", async () => {
  const all = [
    asked,
    { ...asked, against: "lora-ga", atLeast: 23 },
    { ...asked, against: "lora", steps: 20 },
  ];
  for (const one of all) {
    const { spec, command } = await readQuestion(one, shipped);
    assertEquals(spec, typed(command!), command!);
  }
});

Deno.test("withMinutes() asks the same question in the same folder; other steps and looks have another", async () => {
  const { spec } = await readQuestion({ ...asked, against: "lora", atLeast: 23 }, shipped);
  const linked: AskedQuestion = { kind: "question", question: await pack(spec) };
  for (const one of [asked, { ...asked, atLeast: 23 }, linked]) {
    const before = await readQuestion(one, shipped);
    const after = await readQuestion(await withMinutes(one, 90), shipped);
    assertEquals(after.name, before.name);
    assertEquals(after.spec, { ...before.spec, settle: { ...before.spec.settle!, budget: "90m" } });
  }
  const names = await Promise.all(
    [asked, { ...asked, steps: 20 }, { ...asked, atLeast: 20 }, linked].map(async (one) =>
      (await readQuestion(one, shipped)).name
    ),
  );
  assertEquals(new Set(names).size, 4);
});
