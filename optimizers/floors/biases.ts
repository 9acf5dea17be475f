/** @file BitFit: biases, trained alone. */
import type { AdamwOptions } from "../adamw.ts";
import type { OptimizerModule } from "../optimizer.ts";
import { trainsOwn } from "./own_parameters.ts";

/**
 * BitFit: AdamW on every bias, of linear maps and of norms, and on a new head; all else is frozen. Models without biases, such as
 * T5 and Llama, are refused. Rates are some ten times those of full fine-tuning.
 *
 * The equivalent gradient is 0: no weight moves.
 * Source: Ben Zaken et al., arXiv 2106.10199.
 */
export const biases: OptimizerModule<AdamwOptions> = trainsOwn({
  id: "biases",
  title: "BitFit",
  source: "https://arxiv.org/abs/2106.10199",
  paper: {
    title: "BitFit: Simple Parameter-efficient Fine-tuning for Transformer-based Masked Language-models",
    authors: ["Elad Ben Zaken", "Shauli Ravfogel", "Yoav Goldberg"],
    year: 2021,
  },
  alsoTrains: ["biases"],
});
