/** @file Fields of a `config.json`, and how one is checked: what is there and means something else is refused by name and value. */
import { z } from "zod";
import { explainIssue } from "../../../errors/explain_issue.ts";
import { CheckpointError } from "../checkpoint.ts";

const WHOLE = "a whole number from 1 is needed";
/** A size from 1. */
export const size = z.int(WHOLE).min(1, WHOLE);
/** Tables of positions are as long, so a length that no model has would fill the memory. */
const MOST_POSITIONS = 2 ** 20;
/** Tokens of a text. */
export const length = size.max(MOST_POSITIONS, `${MOST_POSITIONS} at most are needed`);
const POSITIVE = "a number above 0 is needed";
/** A number above 0. */
export const positive = z.number(POSITIVE).positive(POSITIVE);
const TOKEN = "a token's number from 0 is needed";
/** A token's number. */
export const token = z.int(TOKEN).min(0, TOKEN);
/** Weights that are packed are no weights without the rest of their method. */
export const unpacked = {
  quantization_config: z.null("weights that are not quantized are needed").optional(),
};

/** What a schema makes of a config. @throws {CheckpointError} for the first field that it refuses */
export function check<S extends z.ZodType>(schema: S, json: unknown, name: string): z.output<S> {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new CheckpointError(
    `Cannot read model config "${name}": ${explainIssue(parsed.error.issues[0]!, json)}`,
  );
}
