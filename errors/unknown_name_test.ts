import { assertEquals } from "@std/assert";
import { nearestName, unknownName } from "./unknown_name.ts";

Deno.test("nearestName() finds what was meant, by letters too many, too few, other ones and swapped ones", () => {
  const known = ["lora", "lora-pro", "lora-ga", "dora", "report", "--ranks"];
  const cases = [
    ["lora-por", "lora-pro"],
    ["LoRA-Pro", "lora-pro"],
    ["lorapro", "lora-pro"],
    ["lora-g", "lora-ga"],
    ["reprot", "report"],
    ["--rank", "--ranks"],
    ["dora", "dora"],
  ] as const;
  for (const [typed, meant] of cases) assertEquals(nearestName(typed, known), meant);
  for (const typed of ["", "x", "adam", "__proto__", "rap"]) assertEquals(nearestName(typed, known), null);
});

Deno.test("nearestName() counts two letters that changed places as one mistake, and takes the nearest of several", () => {
  assertEquals(nearestName("rnu", ["run"]), "run");
  assertEquals(nearestName("abcdef", ["abcxyf", "abcxef", "abcdxy"]), "abcxef");
});

Deno.test("unknownName() names what was meant, if anything, and what there is", () => {
  assertEquals(
    unknownName('task "digit"', "digit", ["digits", "code"]).message,
    'Cannot find task "digit": did you mean digits? Known are digits, code',
  );
  assertEquals(
    unknownName('sweep "x"', "x", ["quick", "tune"], ", or give a path").message,
    'Cannot find sweep "x": known are quick, tune, or give a path',
  );
});
