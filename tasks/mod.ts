/** @file The registry: one line per task. Everything exported here takes part in sweeps and in the contract test. */
export { arithmetic } from "./arithmetic.ts";
export { dialogueState } from "./dialogue_state.ts";
export { digits } from "./digits.ts";
