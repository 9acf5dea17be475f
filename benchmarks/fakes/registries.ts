/** @file Made-up registries for tests: two tasks, two models, four methods, no GPU. */
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
    vision: { id: "vit-tiny", title: "A ViT", family: "vision", sites: () => sites },
    decoder: { id: "decoder-tiny", title: "A decoder", family: "decoder", sites: () => sites },
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
