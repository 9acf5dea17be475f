/** @file What a schema finds amiss with a checkpoint's JSON, in words. */
import type { z } from "zod";
import { quote, show } from "./quote.ts";

/** One issue in words: the field, what it has, and what is needed. */
export function explainIssue(issue: z.core.$ZodIssue, json: unknown): string {
  const field = issue.path.length > 0 ? issue.path.join(".") : "the whole";
  if (issue.code === "unrecognized_keys") {
    return `${field} has the field ${quote(issue.keys[0]!)}, which is not known here`;
  }
  const found = issue.path.reduce<unknown>(
    (inner, key) =>
      inner !== null && typeof inner === "object" ? (inner as Record<PropertyKey, unknown>)[key] : undefined,
    json,
  );
  const needed = issue.message
    .replace(/^Invalid input: expected (\w+), received .+$/, "a value of type $1 is needed")
    .replace(/^Invalid (?:input|option): expected (.+)$/, "$1 is needed")
    // Of a choice of forms.
    .replace(/^Invalid input$/, "a value of another form is needed")
    .replaceAll("|", ", ");
  return `${field} is ${found === undefined ? "missing" : show(found)}, ${needed}`;
}
