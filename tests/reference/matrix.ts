/** @file Matrices in float64: those of numerics/. */
export * from "../../numerics/matrix.ts";
