import { assertEquals } from "@std/assert";
import { isUserFault, sentenceOf } from "./fault.ts";

Deno.test("sentenceOf() says what allows a path that a sweep may not read, in a sentence of its own and within one", () => {
  const refused = new Deno.errors.NotCapable(
    'Requires read access to "/a b", run again with the --allow-read flag',
  );
  assertEquals(isUserFault(refused), true);
  const ours = 'reading "/a b" is not allowed, ./run bench --may-read /a b allows it, or its folder\'s path';
  assertEquals(sentenceOf(refused), `Cannot go on: ${ours}`);
  assertEquals(sentenceOf(new Error(`Cannot read /a b: ${refused.message}`)), `Cannot read /a b: ${ours}`);
  const unwritten = new Deno.errors.NotCapable(
    'Requires write access to "/a", run again with the --allow-write flag',
  );
  assertEquals(sentenceOf(unwritten), 'Cannot go on: writing "/a" is not allowed');
  const closed = new Deno.errors.NotCapable(
    'Requires all access to "/dev/full/x", run again with the --allow-all flag',
  );
  assertEquals(
    sentenceOf(closed),
    'Cannot go on: using "/dev/full/x" is not allowed: the system\'s own folders are closed',
  );
  assertEquals(sentenceOf("lost"), "lost");
});
