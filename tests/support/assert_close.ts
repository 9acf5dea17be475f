/** @file The comparison of numbers that the contract of methods has too. */
export * from "../../contract/assert_close.ts";
