/**
 * The registry of models: one line per size.
 * @module
 */
export { decoderTiny, decoderTinyDialogue, t5Tiny, vitTiny } from "./sizes.ts";
