/**
 * The registry of models: one line per size.
 * @module
 */
export {
  clipVitB16,
  decoderSmall,
  decoderTiny,
  decoderTinyCode,
  decoderTinyDialogue,
  llama2,
  llama31,
  llama32Small,
  t5Base,
  t5BaseGated,
  t5Small,
  t5Tiny,
  t5TinyPairs,
  useLite,
  vitSmall,
  vitTiny,
} from "./sizes.ts";
