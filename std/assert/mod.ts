/**
 * A thin stand-in for jsr:@std/assert, for machines that reach npm but not JSR: deno.json links it. The part that
 * this project uses has the same names and signatures, so removing the link brings the original.
 *
 * @module
 */
export * from "./assertion_error.ts";
export * from "./assertions.ts";
export { equal } from "./equal.ts";
