/** @file The registry: one line per task. Everything exported here takes part in sweeps and in the contract test. */
export { acceptability } from "./acceptability.ts";
export { answering } from "./answering.ts";
export { arithmetic } from "./arithmetic.ts";
export { dialogueState } from "./dialogue_state.ts";
export { digits } from "./digits.ts";
export { inference } from "./inference.ts";
export { paraphrase } from "./paraphrase.ts";
export { sentiment } from "./sentiment.ts";
export { wordSenses } from "./word_senses.ts";
