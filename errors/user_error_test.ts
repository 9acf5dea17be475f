import { assertEquals } from "@std/assert";
import { CheckpointError } from "../models/checkpoints/checkpoint.ts";
import { listNames } from "./quote.ts";
import { UserError } from "./user_error.ts";

Deno.test("a UserError is on one line and moves no cursor, whatever a file's names have in them", () => {
  const { message } = new UserError("Cannot read a\n\u001b[2J\u0000\u009bb: é 汉");
  assertEquals(message, "Cannot read a\\n\\u001b[2J\\u0000\\u009bb: é 汉");
  assertEquals(new CheckpointError("a\tb", { cause: 3 }).message, "a\\tb");
  assertEquals(new CheckpointError("a", { cause: 3 }).cause, 3);
});

Deno.test("listNames() shows the first of many names, and the beginning of long ones", () => {
  assertEquals(listNames(["q", "a"]), "q, a");
  assertEquals(listNames(["x".repeat(1000)]), `${"x".repeat(80)}…`);
  assertEquals(listNames(Array(500).fill("c")), `${Array(20).fill("c").join(", ")} and 480 more`);
});
