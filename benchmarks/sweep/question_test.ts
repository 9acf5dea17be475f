import { assertEquals } from "@std/assert";
import { questionOf } from "./question.ts";

const titled = (...titles: string[]) => titles.map((title) => ({ id: title.toLowerCase(), title }));

Deno.test("questionOf() keeps a sweep's question as long as the methods that it names are compared", () => {
  const own = titled("Full fine-tuning", "LoRA", "LoRA-GA", "LoRA-Pro");
  const asked = "Does LoRA-Pro close the gap between LoRA and full fine-tuning?";
  assertEquals(questionOf(asked, own, own), asked);
  assertEquals(questionOf(asked, own, titled("LoRA-Pro", "LoRA", "Full fine-tuning", "DoRA")), asked);
  assertEquals(
    questionOf(asked, own, titled("LoRA", "MiLoRA", "Full fine-tuning")),
    "How do LoRA, MiLoRA and full fine-tuning compare?",
  );
  assertEquals(questionOf(asked, own, titled("MiLoRA")), "What does MiLoRA score?");
  // LoRA-Pro's name has LoRA's in it, and LoRA+'s too.
  const modes = "What do LoRA-Pro's modes change, and LoRA+?";
  assertEquals(questionOf(modes, own, titled("LoRA-Pro")), modes);
});
