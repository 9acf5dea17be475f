/** @file What a parameter that is no adapted linear map is for, told by its name in any family. */

/** The kinds of parameter that may be trained beside adapters. What a norm has is of two: "norms" are its gains and biases. */
export const PARAMETER_KINDS = ["embeddings", "head", "norms", "gains", "biases"] as const;
/** What a parameter is for. */
export type ParameterKind = typeof PARAMETER_KINDS[number];

const NORM = /^(.*norm\d*(_before|_after)?|.*layrnorm|ln_\w+)$/i;
const EMBEDDING = /^(.*embed(ding)?s?(_tokens|_positions)?|shared|wte|wpe)$/i;
const HEAD = /^(lm_head|classifier|score|.*_projection|pre_classifier)$/;

/** True where a parameter, e.g. "model.layers.3.input_layernorm.weight", is of a kind. */
export function isOfKind(kind: ParameterKind, name: string): boolean {
  const parts = name.split("."), module = parts.filter((part, i) => i === 0 || !/^(weight|bias)$/.test(part));
  const isNorm = NORM.test(module.at(-1)!);
  switch (kind) {
    case "norms":
      return isNorm;
    case "gains":
      return isNorm && parts.at(-1) === "weight";
    case "biases":
      return parts.at(-1) === "bias";
    case "embeddings":
      return !isNorm && module.some((part) => EMBEDDING.test(part));
    case "head":
      return module.some((part) => HEAD.test(part));
  }
}
