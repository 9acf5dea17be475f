/** @file How reports look: one colour, shape and dash for each method, safe for colour-blind eyes. */
import type { MethodLabel } from "./study.ts";

type Style = Pick<MethodLabel, "color" | "shape" | "dash">;

/** Shapes beyond Vega's own, as SVG paths: its further ones are too thin to see. */
const PATHS = {
  star: "M0,-1L0.29,-0.4L0.95,-0.31L0.48,0.15L0.59,0.81L0,0.5L-0.59,0.81L-0.48,0.15L-0.95,-0.31L-0.29,-0.4Z",
  saltire: "M-0.7,-1L0,-0.3L0.7,-1L1,-0.7L0.3,0L1,0.7L0.7,1L0,0.3L-0.7,1L-1,0.7L-0.3,0L-1,-0.7Z",
  ring: "M-1,0A1,1,0,1,0,1,0A1,1,0,1,0,-1,0M-0.5,0A0.5,0.5,0,1,1,0.5,0A0.5,0.5,0,1,1,-0.5,0",
  hourglass: "M-0.9,-1L0.9,-1L-0.9,1L0.9,1Z",
  bowTie: "M-1,-0.9L-1,0.9L1,-0.9L1,0.9Z",
  bar: "M-0.4,-1.1L0.4,-1.1L0.4,1.1L-0.4,1.1Z",
  flatBar: "M-1.1,-0.4L1.1,-0.4L1.1,0.4L-1.1,0.4Z",
  pentagon: "M0,-1L0.95,-0.31L0.59,0.81L-0.59,0.81L-0.95,-0.31Z",
  chevron: "M-1,-0.9L0,-0.3L1,-0.9L1,0.1L0,0.9L-1,0.1Z",
  frame: "M-0.9,-0.9L0.9,-0.9L0.9,0.9L-0.9,0.9ZM-0.4,-0.4L-0.4,0.4L0.4,0.4L0.4,-0.4Z",
  hexagon: "M-1,0L-0.5,-0.87L0.5,-0.87L1,0L0.5,0.87L-0.5,0.87Z",
  house: "M0,-1L1,-0.2L1,0.9L-1,0.9L-1,-0.2Z",
  drop: "M0,-1.1L0.75,0.2A0.8,0.8,0,1,1,-0.75,0.2Z",
  slotted: "M-1,-0.5L-0.5,-1L0.5,-1L1,-0.5L1,0.5L0.5,1L-0.5,1L-1,0.5ZM-0.2,-0.6L-0.2,0.6L0.2,0.6L0.2,-0.6Z",
  halves: "M-1,-0.15A1,1,0,0,1,1,-0.15ZM-1,0.15A1,1,0,0,0,1,0.15Z",
  dots: "M-0.9,-0.9h0.7v0.7h-0.7ZM0.2,-0.9h0.7v0.7h-0.7ZM-0.9,0.2h0.7v0.7h-0.7ZM0.2,0.2h0.7v0.7h-0.7Z",
  stripes: "M-1,-1h2v0.5h-2ZM-1,-0.25h2v0.5h-2ZM-1,0.5h2v0.5h-2Z",
  cut: "M-1,-1L1,-1L1,0.2L0.2,1L-1,1ZM-0.3,-0.3L-0.3,0.3L0.3,0.3L0.3,-0.3Z",
  corners: "M-1,-1L0.2,-1L-1,0.2ZM1,1L-0.2,1L1,-0.2Z",
  arch: "M-1,0.9L-1,0A1,1,0,0,1,1,0L1,0.9L0.45,0.9L0.45,0A0.45,0.45,0,0,0,-0.45,0L-0.45,0.9Z",
  steps: "M-1,1L-1,0.33L-0.33,0.33L-0.33,-0.33L0.33,-0.33L0.33,-1L1,-1L1,1Z",
  trapezoid: "M-0.5,-0.8L0.5,-0.8L1,0.8L-1,0.8Z",
  tee: "M-0.9,-0.9L0.9,-0.9L0.9,-0.3L0.3,-0.3L0.3,0.9L-0.3,0.9L-0.3,-0.3L-0.9,-0.3Z",
  zed: "M-0.9,-0.9L0.9,-0.9L0.9,-0.4L0,0.4L0.9,0.4L0.9,0.9L-0.9,0.9L-0.9,0.4L0,-0.4L-0.9,-0.4Z",
  crown: "M-0.9,-0.8L-0.4,-0.1L0,-0.9L0.4,-0.1L0.9,-0.8L0.9,0.8L-0.9,0.8Z",
  arrow: "M0,-1L0.9,0L0.35,0L0.35,1L-0.35,1L-0.35,0L-0.9,0Z",
  ladder: "M-1,-1H-0.5V-0.65H0.5V-1H1V1H0.5V0.65H-0.5V1H-1ZM-0.5,-0.25V0.25H0.5V-0.25Z",
  tent: "M0,-1L1,0.9L0.45,0.9L0,0L-0.45,0.9L-1,0.9Z",
  lens: "M-1.1,0A1.2,1.2,0,0,1,1.1,0A1.2,1.2,0,0,1,-1.1,0Z",
  cup: "M-1,-0.9L-0.45,-0.9L-0.45,0.35L0.45,0.35L0.45,-0.9L1,-0.9L1,0.9L-1,0.9Z",
  pair: "M-1,-1L-0.2,-1L-0.2,1L-1,1ZM0.2,-1L1,-1L1,1L0.2,1Z",
  open: "M0,0L0.8,-0.62A1,1,0,1,0,0.8,0.62Z",
  wedge: "M-0.9,-0.9L0.9,-0.9L-0.9,0.9Z",
};

/**
 * Colours of Okabe and Ito (2008), yellow darkened so that it can be seen on white, and for the methods beyond the
 * paper's those of Tol's muted scheme (2021): with shape and dash no two methods look alike.
 */
const styles: Readonly<Record<string, Style>> = {
  full: { color: "#444444", shape: "cross", dash: [1, 0] },
  lora: { color: "#0072B2", shape: "circle", dash: [1, 0] },
  "lora-ga": { color: "#D55E00", shape: "square", dash: [7, 3] },
  "lora-pro": { color: "#009E73", shape: "triangle-up", dash: [4, 2] },
  rslora: { color: "#56B4E9", shape: "diamond", dash: [2, 2] },
  "lora-plus": { color: "#CC79A7", shape: "triangle-down", dash: [8, 2, 2, 2] },
  pissa: { color: "#E69F00", shape: "triangle-right", dash: [10, 4] },
  dora: { color: "#8F8300", shape: "triangle-left", dash: [5, 5] },
  adalora: { color: "#7B3294", shape: PATHS.star, dash: [1, 2] },
  "lora-ga-pro": { color: "#882255", shape: PATHS.saltire, dash: [6, 2] },
  "lora-fa": { color: "#44AA99", shape: PATHS.flatBar, dash: [3, 3] },
  "scaled-adamw": { color: "#332288", shape: PATHS.ring, dash: [9, 3] },
  "lora-rite": { color: "#AA4499", shape: PATHS.hourglass, dash: [4, 4] },
  "lora-one": { color: "#661100", shape: PATHS.bar, dash: [2, 3] },
  altlora: { color: "#117733", shape: PATHS.bowTie, dash: [12, 3] },
  galore: { color: "#8B2E16", shape: PATHS.arch, dash: [9, 2, 1, 2] },
  milora: { color: "#8A6D1B", shape: PATHS.trapezoid, dash: [4, 1, 1, 4] },
  olora: { color: "#3D5A98", shape: PATHS.tee, dash: [7, 1, 3, 1] },
  eva: { color: "#A8327A", shape: PATHS.arrow, dash: [11, 1, 1, 1] },
  corda: { color: "#C4561A", shape: PATHS.crown, dash: [5, 1, 5, 4] },
  "lora-null": { color: "#5B6B2F", shape: PATHS.zed, dash: [2, 1, 2, 5] },
  relora: { color: "#2B8A57", shape: PATHS.open, dash: [9, 1, 1, 5] },
  "lora-sb": { color: "#546E7A", shape: PATHS.steps, dash: [1, 1, 5, 1] },
  "lora-xs": { color: "#2F6B6B", shape: PATHS.corners, dash: [6, 1, 1, 1] },
  hira: { color: "#3B7DD8", shape: PATHS.cut, dash: [2, 2, 7, 2] },
  miss: { color: "#7A5C00", shape: PATHS.stripes, dash: [10, 2, 3, 2] },
  shira: { color: "#4E7D2D", shape: PATHS.dots, dash: [1, 4] },
  oft: { color: "#B03A78", shape: PATHS.halves, dash: [3, 5] },
  "lora-muon": { color: "#A0522D", shape: PATHS.slotted, dash: [8, 4, 2, 4] },
  randlora: { color: "#3A6EA5", shape: PATHS.ladder, dash: [8, 1, 2, 4] },
  norms: { color: "#BC5090", shape: PATHS.tent, dash: [1, 3, 4, 3] },
  biases: { color: "#5F7F1F", shape: PATHS.lens, dash: [3, 1, 3, 4] },
  vera: { color: "#6D6875", shape: PATHS.pair, dash: [2, 1, 6, 1] },
  ia3: { color: "#9C6644", shape: PATHS.cup, dash: [4, 1, 1, 1] },
  loft: { color: "#1B4F72", shape: PATHS.drop, dash: [5, 2, 1, 2] },
};

/** What methods look like that are not among them, such as those of the reader: the first of a report, the second, … */
const others: readonly Style[] = [
  { color: "#C1121F", shape: PATHS.pentagon, dash: [6, 3, 1, 3] },
  { color: "#5E60CE", shape: PATHS.chevron, dash: [11, 2] },
  { color: "#8C564B", shape: PATHS.frame, dash: [2, 4] },
  { color: "#006D77", shape: PATHS.hexagon, dash: [7, 2, 2, 2, 2, 2] },
  { color: "#B8336A", shape: PATHS.house, dash: [3, 1] },
  { color: "#6A994E", shape: PATHS.wedge, dash: [14, 4] },
];

/** How far a method's further variants are from its colour: below 0 towards black, above towards white. */
const SHADES = [-0.45, 0.45, -0.65, 0.25, -0.25, 0.6, -0.8];

/** Variants of a method that no report is likely to have. */
const FAR = 4;

/** Whether a method's style is its own in every report; that of others goes by their place among them. */
export function hasStyle(optimizer: string): boolean {
  return Object.hasOwn(styles, optimizer);
}

/**
 * The style of a method's variant, for methods with a style of their own the same in every report: that of its first one is its own.
 * Further ones have shades of its colour, and shapes and dashes that follow its own, so that no variant looks like another
 * method.
 *
 * @param before how many variants of the method come before it
 * @param place how many methods of the report without a style of their own come before it, where it has none
 */
export function styleOf(optimizer: string, before: number, place = 0): Style {
  const isKnown = hasStyle(optimizer), all = isKnown ? Object.values(styles) : others;
  const own = isKnown ? styles[optimizer]! : others[place % others.length]!;
  // Beyond the last style others begin again, each as a far variant of the one that it shares its style with.
  const variant = before + (isKnown ? 0 : FAR * Math.floor(place / others.length));
  if (variant === 0) return own;
  const { shape, dash } = all[(all.indexOf(own) + variant) % all.length]!;
  return { color: shade(own.color, SHADES[(variant - 1) % SHADES.length]!), shape, dash };
}

/** A colour "#rrggbb" mixed with so much white, or below 0 with black. */
function shade(color: string, amount: number): string {
  const target = amount > 0 ? 255 : 0, share = Math.abs(amount);
  const mixed = Uint8Array.fromHex(color.slice(1)).map((channel) =>
    Math.round(channel + (target - channel) * share)
  );
  return `#${mixed.toHex()}`;
}

/** The part of a Vega-Lite specification that all charts share. */
export const theme = {
  $schema: "https://vega.github.io/schema/vega-lite/v6.json",
  background: "white",
  padding: 8,
  config: {
    font: "sans-serif",
    view: { stroke: "#dddddd" },
    axis: {
      labelFontSize: 12,
      titleFontSize: 13,
      titleFontWeight: "normal",
      gridColor: "#eeeeee",
      labelColor: "#333333",
    },
    legend: { labelFontSize: 13, titleFontSize: 13, symbolSize: 90, labelLimit: 480 },
    header: { labelFontSize: 14, labelFontWeight: "bold", titleFontSize: 13 },
    title: { fontSize: 16, anchor: "start", offset: 12 },
  },
} as const;
