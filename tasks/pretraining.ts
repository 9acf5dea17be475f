/** @file The registry of what makes base checkpoints: tasks too, but not compared on. */
export { arithmeticBase } from "./arithmetic_base.ts";
export { dialogueStateBase } from "./dialogue_state_base.ts";
export { digitsUpright } from "./digits_upright.ts";
export { understandingBase } from "./understanding_base.ts";
