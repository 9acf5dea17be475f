/**
 * The registry of models: one line per size.
 * @module
 */
export { decoderTiny, vitTiny } from "./sizes.ts";
