/** @file Which variant forms a product: a rule by the adapter's kind, and choices by measurement that overrule it. */
import type { Gpu } from "../../gpu/gpu.ts";
import { block128, block32, block64, block64Double, blockFor } from "./block.ts";
import { type ProductShape, rowLengths, suffixOf, type Variant } from "./product.ts";
import { staged, suitsStaged } from "./staged.ts";
import { tiled } from "./tiled.ts";

/** All variants by name. */
export const variants = {
  tiled,
  staged,
  block32,
  block64,
  block128,
  "block64-double": block64Double,
} as const satisfies Record<string, Variant>;

/** How a product can be formed: `matmul` chooses, tests and measurements force each. */
export type MatmulVariant = keyof typeof variants;

/** Names of all variants. */
export const MATMUL_VARIANTS = Object.keys(variants) as readonly MatmulVariant[];

/**
 * The variants for an adapter. The staged one is written for llvmpipe: its text is long, and the compiler of another software
 * adapter, SwiftShader, takes minutes for it.
 */
export function variantsOn({ info }: Pick<Gpu, "info">): readonly MatmulVariant[] {
  return MATMUL_VARIANTS.filter((variant) => variant !== "staged" || /llvmpipe/i.test(info.adapter));
}

/** Variants by shape class: see `shapeClassOf`. */
export type MatmulChoices = Readonly<Record<string, string>>;

const inUse = new WeakMap<Gpu, ReadonlyMap<string, MatmulVariant>>();

/**
 * The class of shapes that share a choice: layout, sizes rounded up to powers of two, and which rows start at multiples
 * of four elements, e.g. "nt 1024x64x64 abc".
 */
export function shapeClassOf(product: ProductShape): string {
  const { layout, batch, rows, inner, columns, typeB } = product;
  const round = (size: number) => 2 ** Math.ceil(Math.log2(size));
  const aligned = Object.entries(rowLengths(product)).map(([name, length]) => length % 4 === 0 ? name : "-");
  return `${layout} ${batch > 1 ? "batch of " : ""}${[rows, inner, columns].map(round).join("x")} ${
    aligned.join("")
  }${suffixOf(typeB).replace("_", " ")}`;
}

/**
 * From now on products on `gpu` take these variants, and the rule's where a class is not among them.
 *
 * @throws {RangeError} where a choice names an unknown variant
 */
export function useMatmulChoices(gpu: Gpu, choices: MatmulChoices): void {
  const known = new Map<string, MatmulVariant>();
  for (const [shape, name] of Object.entries(choices)) {
    const variant = MATMUL_VARIANTS.find((variant) => variant === name);
    if (!variant) {
      throw new RangeError(
        `Cannot use variant "${name}" for products "${shape}": known are ${MATMUL_VARIANTS.join(", ")}`,
      );
    }
    known.set(shape, variant);
  }
  inUse.set(gpu, known);
}

/** The choices in use on `gpu`; none where the rule alone chooses. */
export function matmulChoicesOf(gpu: Gpu): MatmulChoices {
  return Object.fromEntries(inUse.get(gpu) ?? []);
}

/** The variant that forms a product: the choice in use for its class, else the rule's. */
export function variantFor(gpu: Gpu, product: ProductShape): MatmulVariant {
  const whole = { ...product, rows: product.wholeRows ?? product.rows };
  const chosen = inUse.get(gpu)?.get(shapeClassOf(whole));
  return chosen && variants[chosen].takes(product) ? chosen : ruleFor(gpu, whole);
}

/** The variant that the rule gives a product. */
export function ruleFor(gpu: Gpu, product: ProductShape): MatmulVariant {
  // The staged variant scatters its reads of A and takes many registers, blocks leave a processor waiting at barriers.
  if (!gpu.info.software) return blockFor(product) ?? "tiled";
  const suits = variantsOn(gpu).includes("staged") && staged.takes(product) && suitsStaged(product);
  return suits ? "staged" : "tiled";
}
