/** @file The registry: one line per task. Everything exported here takes part in sweeps and in the contract test. */
export { acceptability } from "./understanding/acceptability.ts";
export { answering } from "./understanding/answering.ts";
export { arithmetic } from "./math/arithmetic.ts";
export { code } from "./code/code.ts";
export { dialogueState } from "./dialogue/dialogue_state.ts";
export { digits } from "./images/digits.ts";
export { inference } from "./understanding/inference.ts";
export { paraphrase } from "./understanding/paraphrase.ts";
export { sentiment } from "./understanding/sentiment.ts";
export { wordSenses } from "./understanding/word_senses.ts";
