/** @file The gains of norms, trained alone. */
import type { AdamwOptions } from "../adamw.ts";
import type { OptimizerModule } from "../optimizer.ts";
import { trainsOwn } from "./own_parameters.ts";

/**
 * AdamW on the gain of every norm, LayerNorm's or RMSNorm's, and on a new head; all else is frozen, the norms' biases too, which the
 * paper trains as well where there are some.
 *
 * Rates of 1e-3 to 0.1 are to be searched: PEFT's bench has a score of 0 at 1e-4.
 *
 * The equivalent gradient is 0: no linear map moves.
 * Source: Zhao et al., arXiv 2312.11420; PEFT's `LNTuningConfig`.
 */
export const norms: OptimizerModule<AdamwOptions> = trainsOwn({
  id: "norms",
  title: "Norms' gains",
  source: "https://arxiv.org/abs/2312.11420",
  paper: {
    title: "Tuning LayerNorm in Attention: Towards Efficient Multi-Modal LLM Finetuning",
    authors: ["Bingchen Zhao", "Haoqin Tu", "Chen Wei", "Jieru Mei", "Cihang Xie"],
    year: 2023,
  },
  alsoTrains: ["gains"],
});
