/** @file Small affine changes of square images. */
import type { Random } from "../../numerics/random.ts";

/** Where an image goes. All about its centre: scaled, turned, then shifted. */
export interface Placement {
  /** In radians, anticlockwise. */
  readonly angle: number;
  /** Above 1 enlarges. */
  readonly scale: number;
  /** In pixels, to the right. */
  readonly right: number;
  /** In pixels, downwards. */
  readonly down: number;
}

/** The largest change that `drawPlacement` may make each way. */
export interface PlacementRange {
  /** In radians. */
  readonly angle: number;
  /** Scales are from 1 - scale to 1 + scale. */
  readonly scale: number;
  /** In pixels. */
  readonly shift: number;
}

/** A placement, uniform in a range. */
export function drawPlacement(random: Random, range: PlacementRange): Placement {
  const [angle, scale, right, down] = random.uniform(4, -1, 1);
  return {
    angle: angle! * range.angle,
    scale: 1 + scale! * range.scale,
    right: right! * range.shift,
    down: down! * range.shift,
  };
}

/** A square image `[side · side]`, by rows, placed anew with bilinear sampling; what lies outside is 0. */
export function warp(
  image: ArrayLike<number>,
  side: number,
  placement: Placement,
): Float32Array<ArrayBuffer> {
  const { angle, scale, right, down } = placement;
  const cosine = Math.cos(angle) / scale, sine = Math.sin(angle) / scale;
  const centre = (side - 1) / 2;
  const at = (row: number, column: number): number =>
    row < 0 || row >= side || column < 0 || column >= side ? 0 : image[row * side + column]!;
  const out = new Float32Array(side * side);
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const x = column - centre - right, y = row - centre - down;
      const fromColumn = centre + x * cosine - y * sine, fromRow = centre + x * sine + y * cosine;
      const left = Math.floor(fromColumn), top = Math.floor(fromRow);
      const rightShare = fromColumn - left, bottomShare = fromRow - top;
      out[row * side + column] =
        (1 - bottomShare) * ((1 - rightShare) * at(top, left) + rightShare * at(top, left + 1)) +
        bottomShare * ((1 - rightShare) * at(top + 1, left) + rightShare * at(top + 1, left + 1));
    }
  }
  return out;
}
