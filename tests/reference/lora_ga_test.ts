import { assertEquals, assertThrows } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { assertClose } from "../support/assert_close.ts";
import { svd } from "./decompositions.ts";
import { loraGaStart, signedSvd } from "./lora_ga.ts";
import { equivalentGradient, factorGradients, weightChange } from "./low_rank.ts";
import { add, identity, multiply, norm, randomMatrix, scale, subtract, toRows, transpose } from "./matrix.ts";

const random = createRandom(14);
const options = { rank: 3, scale: 16 / Math.sqrt(3), gamma: 16 };

Deno.test("loraGaStart() leaves the effective weight as it was", () => {
  const weight = randomMatrix(11, 7, random.fork("weight"));
  const start = loraGaStart(randomMatrix(11, 7, random), weight, options);
  assertClose(add(start.weight, weightChange(start)).data, weight.data, { relative: 1e-14 });
});

Deno.test("loraGaStart() makes both factors orthogonal, with out^(1/4) / sqrt(gamma) as length", () => {
  for (const [out, inner] of [[11, 7], [7, 13], [6, 6]] as const) {
    const { a, b } = loraGaStart(randomMatrix(out, inner, random), randomMatrix(out, inner, random), options);
    const square = scale(identity(3), Math.sqrt(out) / 16);
    assertClose(multiply(a, a, { transposeB: true }).data, square.data, { relative: 1e-13 });
    assertClose(multiply(b, b, { transposeA: true }).data, square.data, { relative: 1e-13 });
  }
});

Deno.test("loraGaStart()'s first equivalent gradient is the best approximation of rank 2r, up to a factor", () => {
  const gradient = randomMatrix(11, 9, random);
  const start = loraGaStart(gradient, randomMatrix(11, 9, random), options);
  const equivalent = equivalentGradient({ ...start, ...factorGradients(gradient, start) });
  const { u, values, v } = svd(gradient);
  const share = options.scale ** 2 * Math.sqrt(11) / 16;
  const kept = transpose(multiply(
    scaleColumns(v, values.map((value, i) => i < 6 ? share * value : 0)),
    u,
    { transposeB: true },
  ));
  assertClose(equivalent.data, kept.data, { relative: 1e-13 });
});

Deno.test("loraGaStart() turns with the gradient's sign, whatever an SVD returns: B changes sign, A does not", () => {
  const gradient = randomMatrix(8, 12, random), weight = randomMatrix(8, 12, random.fork("weight"));
  const start = loraGaStart(gradient, weight, options),
    turned = loraGaStart(scale(gradient, -1), weight, options);
  assertClose(turned.a.data, start.a.data, { relative: 1e-13 });
  assertClose(turned.b.data, scale(start.b, -1).data, { relative: 1e-13 });
});

Deno.test("signedSvd() makes the largest entry of each right vector positive and still multiplies back", () => {
  const m = randomMatrix(6, 9, random);
  const { u, values, v } = signedSvd(m);
  for (const vector of toRows(transpose(v))) {
    const largest = vector.reduce((a, b) => Math.abs(b) > Math.abs(a) ? b : a);
    assertEquals(largest > 0, true);
  }
  const error = norm(subtract(multiply(scaleColumns(u, values), v, { transposeB: true }), m));
  assertClose([error], [0], { relative: 0, absolute: 1e-13 });
});

Deno.test("loraGaStart() refuses a rank that leaves B no vectors of its own", () => {
  const m = randomMatrix(5, 9, random);
  assertThrows(() => loraGaStart(m, m, options), RangeError, "rank 3 on [5, 9]");
});

function scaleColumns(m: ReturnType<typeof randomMatrix>, factors: readonly number[]): typeof m {
  return { ...m, data: m.data.map((value, i) => value * factors[i % m.columns]!) };
}
