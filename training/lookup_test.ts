import { assertEquals, assertThrows } from "@std/assert";
import { lookup } from "./lookup.ts";
import { UserError } from "../errors/user_error.ts";

const registry = { first: { id: "one" }, second: { id: "two" } };

Deno.test("lookup() finds an entry by its id, not by its export name", () => {
  assertEquals(lookup("thing", registry, "two"), { id: "two" });
  assertThrows(() => lookup("thing", registry, "second"), UserError);
});

Deno.test("lookup() names the known ids where it finds nothing", () => {
  assertThrows(
    () => lookup("thing", registry, "three"),
    UserError,
    'Cannot find thing "three": known are one, two',
  );
});
