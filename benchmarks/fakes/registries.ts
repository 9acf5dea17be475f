/** @file Made-up registries for tests: two tasks, two models, four methods, no GPU. */
import { decoderTiny, vitTiny } from "../../models/mod.ts";
import type { KnownOptimizer, Registries } from "../../training/configuration.ts";

const sites = ["q", "k"].flatMap((name) =>
  [0, 1].map((i) => ({ name: `layers.${i}.${name}`, in: 8, out: 12 }))
);

function method(
  id: string,
  title: string,
  defaults: KnownOptimizer["defaults"],
  describe = "",
): KnownOptimizer {
  return {
    id,
    title,
    source: "made up",
    defaults,
    refuse({ rank }, adapted) {
      if (rank === undefined) return null;
      const most = Math.min(...adapted.map((site) => Math.min(site.in, site.out)));
      return typeof rank === "number" && rank >= 1 && rank <= most
        ? null
        : `rank is ${rank}, 1 to ${most} is needed`;
    },
    describe: () => describe,
    stepWork: (_options, { parameters }) => ({
      trainsAll: true,
      weightFlops: 0,
      factorFlops: 0,
      updateFlops: 0,
      elements: 0,
      trained: parameters,
      added: 0,
      state: 0,
    }),
    footprint: (_options, { parameters }) => ({
      adapters: [],
      trained: parameters,
      state: [],
      tables: [],
      scratch: [],
      linear: [],
      trainsWeights: defaults["rank"] === undefined,
      trainsAll: true,
      fullGradients: false,
    }),
  };
}

/** Made-up registries. */
export const fakeRegistries: Registries = {
  tasks: {
    digits: {
      id: "digits",
      title: "Shifted digits",
      family: "vision",
      metric: { name: "accuracy", chance: 0.1 },
    },
    arithmetic: {
      id: "arithmetic",
      title: "Word problems",
      family: "math",
      metric: { name: "exact match", chance: 0 },
    },
  },
  models: {
    vision: { ...vitTiny, title: "A ViT", sites: () => sites },
    decoder: { ...decoderTiny, title: "A decoder", sites: () => sites },
  },
  optimizers: {
    full: method("full", "Full fine-tuning", { beta1: 0.9 }),
    lora: method("lora", "LoRA", { alpha: 16, beta1: 0.9, rank: 8 }, "alpha/r"),
    loraGa: method(
      "lora-ga",
      "LoRA-GA",
      { alpha: 16, gamma: 16, rank: 8, scaling: "alpha/sqrt(r)" },
      "alpha/sqrt(r)",
    ),
    loraPro: method(
      "lora-pro",
      "LoRA-Pro",
      { alpha: 16, mode: "full", rank: 8, symmetric: false },
      "alpha/r",
    ),
  },
};
