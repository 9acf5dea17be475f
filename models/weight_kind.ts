/** @file What a linear map is for, told by its name in any family: telemetry is summed up by it. */

/**
 * The kinds of linear map, in the order of reports: an attention's four, the first three as one where a model has them so;
 * those of the feed-forward part; and what brings the stream to another width, which `use-lite` alone has.
 */
export const WEIGHT_KINDS = ["q", "k", "v", "qkv", "o", "mlp", "residual"] as const;
/** What a linear map is for. */
export type WeightKind = typeof WEIGHT_KINDS[number];

const PATTERNS: readonly (readonly [RegExp, WeightKind])[] = [
  [/\.(q|q_proj|q_lin|query|query_proj)$/, "q"],
  [/\.(k|k_proj|k_lin|key|key_proj)$/, "k"],
  [/\.(v|v_proj|v_lin|value|value_proj)$/, "v"],
  [/\.c_attn$/, "qkv"],
  [/\.(o|o_proj|out_proj|out_lin|attn\.c_proj|attention\.output\.dense)$/, "o"],
  [
    /\.(gate_proj|up_proj|down_proj|fc1|fc2|wi|wi_0|wi_1|wo|c_fc|mlp\.c_proj|lin1|lin2|intermediate\.dense|output\.dense)$/,
    "mlp",
  ],
  [/\.residual$/, "residual"],
];

/**
 * The kind of the linear map that a target module's name ends in, e.g. "o" for "layers.3.self_attn.out_proj"; null where no family
 * has such a map.
 */
export function weightKindOf(targetModule: string): WeightKind | null {
  return PATTERNS.find(([pattern]) => pattern.test(targetModule))?.[1] ?? null;
}
