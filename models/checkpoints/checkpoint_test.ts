import { assertEquals, assertMatch, assertStrictEquals, assertThrows } from "@std/assert";
import { CheckpointError, take } from "./checkpoint.ts";
import { parseSafetensors } from "./read_safetensors.ts";
import { encodeSafetensors } from "./write_safetensors.ts";

Deno.test("take() names the file, the tensor, both shapes and, where it is missing, the nearest names", () => {
  const tensor = { shape: [2, 3], data: new Float32Array(6) };
  const names = ["model.layers.0.q.weight", "model.layers.0.k.weight", "model.layers.1.q.weight", "other"];
  const tensors = new Map(names.map((name) => [name, tensor]));
  const checkpoint = parseSafetensors(encodeSafetensors(tensors), "base.safetensors");
  assertStrictEquals(take(checkpoint, "other", [2, 3]).length, 6);
  const message = (name: string, shape: readonly number[]) =>
    assertThrows(() => take(checkpoint, name, shape), CheckpointError).message;
  const from = 'from "base.safetensors"';
  assertEquals(
    message("other", [3, 2]),
    `Cannot take tensor "other" [3,2] ${from}: there it has the shape [2,3]`,
  );
  assertEquals(
    message("other", [2, 3, 1]),
    `Cannot take tensor "other" [2,3,1] ${from}: there it has the shape [2,3]`,
  );
  assertMatch(
    message("layers.0.q.weight", [2, 3]),
    /there is none of that name, the nearest are "model\.layers\.0\.q/,
  );
  assertMatch(message("zzz", [2, 3]), /there is none of that name$/);
});
