/**
 * The registry of models: one line per size.
 * @module
 */
export { decoderTiny, decoderTinyCode, decoderTinyDialogue, vitTiny } from "./sizes.ts";
