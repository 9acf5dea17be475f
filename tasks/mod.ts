/** @file The registry: one line per task. Everything exported here takes part in sweeps and in the contract test. */
export { arithmetic } from "./math/arithmetic.ts";
export { code } from "./code/code.ts";
export { dialogueState } from "./dialogue/dialogue_state.ts";
export { digits } from "./images/digits.ts";
