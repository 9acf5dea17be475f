/** @file When paired differences are judged. */

/** Fewest pairs that can decide. */
export const FEWEST_PAIRS = 4;

/** Numbers of pairs after which a question is judged, and no others: from the fewest on, each about 1.4 times the one before. */
export const LOOKS: readonly number[] = [4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128];
