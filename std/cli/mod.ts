/**
 * A thin stand-in for jsr:@std/cli, for machines that reach npm but not JSR: deno.json links it. The part that this
 * project uses has the same names and signatures, so removing the link brings the original.
 *
 * @module
 */
export * from "./parse_args.ts";
