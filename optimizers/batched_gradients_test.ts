import { assertEquals, assertThrows } from "@std/assert";
import type { Parameter } from "../autodiff/tape.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { batchGradients } from "./batched_gradients.ts";

/** A tensor of so many numbers at an offset in bytes. No device is needed: only places are looked at. */
function place(buffer: object, offset: number, count: number, label: string): Tensor {
  return { buffer: buffer as GPUBuffer, offset, shape: [count], dtype: "f32", label };
}

/** Parameters and their gradients, at offsets in bytes. */
function laidOut(places: Readonly<Record<string, readonly [value: number, gradient: number]>>) {
  const values = {}, gradients = {}, pairs = new Map<Parameter, Tensor>();
  for (const [name, [value, gradient]] of Object.entries(places)) {
    pairs.set({ name, value: place(values, value, 8, name) }, place(gradients, gradient, 8, `d ${name}`));
  }
  const parameters = [...pairs.keys()];
  return { parameters, gradients: { of: (parameter: Parameter) => pairs.get(parameter)! } };
}

Deno.test("batchGradients() gives the span of all gradients, and where each kind begins in it", () => {
  const { parameters, gradients } = laidOut({
    a0: [0, 256],
    a1: [256, 512],
    b0: [1024, 768],
    b1: [1536, 1280],
  });
  const { flat, starts } = batchGradients(
    gradients,
    [parameters.slice(0, 2), parameters.slice(2)],
    "gradients",
  );
  assertEquals([flat.offset, flat.shape, flat.label], [256, [(1280 - 256) / 4 + 8], "gradients"]);
  assertEquals(starts, [0, 128]);
});

Deno.test("batchGradients() refuses a kind whose gradients are packed unlike its parameters, and names both", () => {
  const { parameters, gradients } = laidOut({ a0: [0, 0], a1: [256, 256], b0: [512, 512], b1: [768, 1024] });
  batchGradients(gradients, [parameters.slice(0, 2), parameters.slice(2, 3)], "gradients");
  assertThrows(
    () => batchGradients(gradients, [parameters.slice(0, 2), parameters.slice(2)], "gradients"),
    Error,
    'Cannot batch the gradients of "b0" and "b1": they are packed unlike the factors',
  );
});
