/**
 * The registry of models: one line per size.
 * @module
 */
export { decoderTiny, decoderTinyDialogue, vitTiny } from "./sizes.ts";
