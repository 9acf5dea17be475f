/**
 * The registry of models: one line per size.
 * @module
 */
export { decoderTiny, decoderTinyCode, vitTiny } from "./sizes.ts";
