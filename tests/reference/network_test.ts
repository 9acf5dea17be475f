import { assertEquals } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { assertClose } from "../support/assert_close.ts";
import { centralDifference } from "../support/central_difference.ts";
import {
  addBias,
  attention,
  attentionGradients,
  clipByGlobalNorm,
  crossEntropy,
  gatherRows,
  linear,
  rotary,
  rotaryFrequencies,
  softmax,
} from "./network.ts";
import {
  dot,
  fromRows,
  type Matrix,
  matrix,
  randomMatrix,
  scale,
  sliceColumns,
  sliceRows,
  toRows,
  zeros,
} from "./matrix.ts";

const random = createRandom(13);
const heads = { batch: 2, length: 3, heads: 4, keyValueHeads: 2, headSize: 2, causal: true, scale: 0.7 };

Deno.test("linear() and addBias() read the weight as [out, in]", () => {
  const x = fromRows([[1, 2]]), weight = fromRows([[1, 0], [0, 1], [1, 1]]);
  assertEquals(toRows(addBias(linear(x, weight), [10, 20, 30])), [[11, 22, 33]]);
});

Deno.test("softmax() sums to 1 in each row and survives large logits", () => {
  const rows = toRows(softmax(fromRows([[1000, 1000, -1000], [0, Math.log(2), Math.log(5)]])));
  assertClose(rows.flat(), [0.5, 0.5, 0, 1 / 8, 2 / 8, 5 / 8], { relative: 1e-15 });
});

Deno.test("attention() of equal keys is the mean of what each position sees", () => {
  const q = randomMatrix(6, 8, random), k = zeros(6, 4), v = randomMatrix(6, 4, random.fork("v"));
  const out = toRows(attention(q, k, v, heads));
  assertClose(out[0]!.slice(0, 2), v.data.slice(0, 2), { relative: 1e-15 });
  assertClose(
    out[4]!.slice(0, 2), // position 1 of the second sequence
    [0, 1].map((column) => (v.data[3 * 4 + column]! + v.data[4 * 4 + column]!) / 2),
    { relative: 1e-15 },
  );
});

Deno.test("attention() lets query head h use key-value head floor(h / group)", () => {
  const q = randomMatrix(6, 8, random),
    k = randomMatrix(6, 4, random.fork("k")),
    v = randomMatrix(6, 4, random.fork("v"));
  const out = attention(q, k, v, heads);
  for (let head = 0; head < 4; head++) {
    const own = (m: typeof k, at: number) => sliceColumns(m, 2 * at, 2 * at + 2);
    const source = head < 2 ? 0 : 1;
    const alone = attention(own(q, head), own(k, source), own(v, source), {
      ...heads,
      heads: 1,
      keyValueHeads: 1,
    });
    assertClose(own(out, head).data, alone.data, { relative: 1e-15 }, `Head ${head}`);
  }
});

Deno.test("attention() leaves out what the mask hides, gives zeros where nothing is left, and adds the bias to scores", () => {
  const q = zeros(4, 2), k = zeros(6, 2), v = fromRows([[1, 0], [2, 0], [4, 0], [1, 0], [1, 0], [1, 0]]);
  const options = { batch: 2, length: 2, keys: 3, heads: 1, keyValueHeads: 1, headSize: 2, scale: 1 };
  const mask = [1, 1, 0, 0, 0, 0];
  const [first, second, ...rest] = toRows(attention(q, k, v, { ...options, causal: false, mask }));
  assertClose([first![0]!, second![0]!], [1.5, 1.5], { relative: 1e-15 });
  assertEquals(rest, [[0, 0], [0, 0]]);
  const bias = fromRows([[0, Math.log(3), 100], [0, 0, Math.log(2)]]);
  const biased = toRows(attention(q, k, v, { ...options, causal: true, bias }));
  // The first of two queries sees the first two of three keys.
  assertClose([biased[0]![0]!, biased[1]![0]!], [7 / 4, 11 / 4], { relative: 1e-15 });
});

Deno.test("attentionGradients() are central differences, with cross lengths, groups, mask and bias", () => {
  for (const causal of [false, true]) {
    const options = {
      batch: 2,
      length: 3,
      keys: 4,
      heads: 4,
      keyValueHeads: 2,
      headSize: 2,
      causal,
      scale: 0.7,
    };
    const mask = [1, 0, 1, 1, 0, 0, 0, 0];
    const inputs = [[6, 8], [8, 4], [8, 4], [12, 4]].map(([rows, columns], i) =>
      randomMatrix(rows!, columns!, random.fork(`${i}`))
    );
    const upstream = randomMatrix(6, 8, random.fork("upstream"));
    const [q, k, v, bias] = inputs as [Matrix, Matrix, Matrix, Matrix];
    const found = attentionGradients(q, k, v, upstream, { ...options, mask, bias });
    [found.q, found.k, found.v, found.bias].forEach((gradient, index) => {
      const wanted = centralDifference(
        (data) => {
          const [q, k, v, bias] = data.map((entries, i) =>
            matrix(inputs[i]!.rows, inputs[i]!.columns, entries)
          ) as [Matrix, Matrix, Matrix, Matrix];
          return dot(attention(q, k, v, { ...options, mask, bias }), upstream);
        },
        inputs.map(({ data }) => data),
        index,
      );
      assertClose(gradient.data, wanted, { relative: 1e-8 }, `input ${index}, causal ${causal}`);
    });
  }
});

Deno.test("rotary() makes scores depend on distance alone and leaves position 0 as it is", () => {
  const options = { batch: 1, length: 6, heads: 1, headSize: 8, theta: 100 };
  const repeated = (seed: string) => {
    const row = toRows(randomMatrix(1, 8, random.fork(seed)))[0]!;
    return rotary(fromRows(Array.from({ length: 6 }, () => row)), options);
  };
  const q = repeated("q"), k = repeated("k");
  const score = (i: number, j: number) => dot(sliceRows(q, i, i + 1), sliceRows(k, j, j + 1));
  assertClose([score(4, 1), score(5, 2)], [score(3, 0), score(3, 0)], { relative: 1e-14 });
  assertEquals(sliceRows(q, 0, 1), randomMatrix(1, 8, random.fork("q")));
});

Deno.test("rotaryFrequencies() of Llama 3 keeps fast turns, divides slow ones and blends between", () => {
  const llama3 = { factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalLength: 8192 };
  const plain = rotaryFrequencies({ headSize: 64, theta: 500000 });
  const scaled = rotaryFrequencies({ headSize: 64, theta: 500000, llama3 });
  assertEquals(scaled[0], plain[0]);
  assertClose([scaled[31]!], [plain[31]! / 8], { relative: 1e-15 });
  const ratios = scaled.map((frequency, i) => frequency / plain[i]!);
  assertEquals(ratios.every((ratio, i) => i === 0 || ratio <= ratios[i - 1]!), true);
  assertEquals(ratios.some((ratio) => ratio > 0.13 && ratio < 0.99), true);
});

Deno.test("gatherRows() adds the rows that each range names, with repeats, and gives zeros for none", () => {
  const x = fromRows([[1, 2], [10, 20], [100, 200]]);
  assertEquals(toRows(gatherRows(x, [0, 2, 2, 5], [0, 2, 1, 1, 1])), [[101, 202], [0, 0], [30, 60]]);
});

Deno.test("crossEntropy() of equal logits is the logarithm of their number, times the share that counts", () => {
  assertClose([crossEntropy(zeros(4, 5), [0, -100, 4, -100], 2)], [Math.log(5)], { relative: 1e-15 });
  assertClose([crossEntropy(zeros(4, 5), [0, 0, 0, 7], 6, 7)], [Math.log(5) / 2], { relative: 1e-15 });
  assertEquals(crossEntropy(matrix(1, 2, [0, 5000]), [0], 1), 5000);
});

Deno.test("clipByGlobalNorm() shortens all gradients together, and only long ones", () => {
  const gradients = [fromRows([[3]]), fromRows([[0, 4]])];
  assertEquals(clipByGlobalNorm(gradients, 6), { gradients, norm: 5 });
  const clipped = clipByGlobalNorm(gradients, 1);
  assertEquals(clipped.norm, 5);
  clipped.gradients.forEach((g, i) =>
    assertClose(g.data, scale(gradients[i]!, 0.2).data, { relative: 1e-15 })
  );
  assertEquals(clipByGlobalNorm([zeros(2, 2)], 1).gradients, [zeros(2, 2)]);
});
