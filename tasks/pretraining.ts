/** @file The registry of what makes base checkpoints: tasks too, but not compared on. */
export { arithmeticBase } from "./math/arithmetic_base.ts";
export { codeBase } from "./code/code_base.ts";
export { dialogueStateBase } from "./dialogue/dialogue_state_base.ts";
export { digitsUpright } from "./images/digits_upright.ts";
export { understandingBase } from "./understanding/understanding_base.ts";
export { understandingPairsBase } from "./understanding/understanding_pairs_base.ts";
