import { assertEquals } from "@std/assert";
import { assertClose } from "../../tests/support/assert_close.ts";
import { matthewsCorrelation } from "./matthews.ts";

Deno.test("matthewsCorrelation() of two classes is (TP TN − FP FN) over the root of the margins' product", () => {
  const predictions = [1, 1, 0, 0, 1, 0, 1, 1, 0, 1], labels = [1, 0, 0, 0, 1, 1, 1, 1, 0, 0];
  const count = (predicted: number, real: number) =>
    labels.filter((label, i) => label === real && predictions[i] === predicted).length;
  const tp = count(1, 1), tn = count(0, 0), fp = count(1, 0), fn = count(0, 1);
  const expected = (tp * tn - fp * fn) / Math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn));
  assertClose([matthewsCorrelation(predictions, labels)], [expected], { relative: 1e-12 });
});

Deno.test("matthewsCorrelation() is 1 where all are right, −1 where all are wrong, 0 where either are all the same", () => {
  assertEquals(matthewsCorrelation([0, 1, 1], [0, 1, 1]), 1);
  assertEquals(matthewsCorrelation([1, 0, 0, 1], [0, 1, 1, 0]), -1);
  assertEquals(matthewsCorrelation([1, 1, 1], [0, 1, 1]), 0);
  assertEquals(matthewsCorrelation([0, 1, 1], [1, 1, 1]), 0);
  assertEquals(matthewsCorrelation([1], [1]), 0);
});

Deno.test("matthewsCorrelation() of several classes, no label among them, is the covariance of indicators, scaled", () => {
  const predictions = [0, 1, 2, 2, 1, 0, -1, 0], labels = [0, 1, 2, 1, 1, 0, 0, 2];
  const covariance = (a: readonly number[], b: readonly number[]) =>
    [-1, 0, 1, 2].reduce((sum, one) => {
      const share = (list: readonly number[]) => list.filter((x) => x === one).length / list.length;
      return sum +
        a.reduce(
          (inner, x, i) => inner + (Number(x === one) - share(a)) * (Number(b[i] === one) - share(b)),
          0,
        );
    }, 0);
  const expected = covariance(predictions, labels) /
    Math.sqrt(covariance(predictions, predictions) * covariance(labels, labels));
  assertClose([matthewsCorrelation(predictions, labels)], [expected], { relative: 1e-12 });
});
