/** @file The assertions of jsr:@std/assert that this project uses, with the same names and signatures. */
import { AssertionError } from "./assertion_error.ts";
import { equal, firstDifference, format } from "./equal.ts";

/** The class of the errors that `assertThrows` and `assertRejects` wait for. */
export type ErrorClass<E extends Error> = new (...args: never[]) => E;

/** Asserts that `expr` is truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg);
}

/** Asserts deep equality, see `equal`. The error tells the first difference. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  const difference = firstDifference(actual, expected);
  if (difference === undefined) return;
  throw new AssertionError(
    `Values are not equal${suffix(msg)}
  first difference: ${difference.path === "" ? "the value itself" : difference.path}
    actual:   ${difference.actual}
    expected: ${difference.expected}
  actual:   ${format(actual)}
  expected: ${format(expected)}`,
  );
}

/** Asserts that two values are not deeply equal, see `equal`. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  if (equal(actual, expected)) {
    throw new AssertionError(
      `Expected actual ${format(actual)} to differ from expected${suffix(msg)}`,
    );
  }
}

/** Asserts that two values are the same one, by `Object.is`: 0 is not -0. */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  if (Object.is(actual, expected)) return;
  const reason = equal(actual, expected) ? "equal, but not the same value" : "not strictly equal";
  throw new AssertionError(
    `Values are ${reason}${suffix(msg)}\n  actual:   ${format(actual)}\n  expected: ${format(expected)}`,
  );
}

/** Asserts that two numbers differ by at most `tolerance`, by default 1e-7 of `expected`. */
export function assertAlmostEquals(
  actual: number,
  expected: number,
  tolerance?: number,
  msg?: string,
): void {
  if (Object.is(actual, expected)) return;
  const limit = tolerance ??
    (Number.isFinite(expected) ? Math.abs(expected) * 1e-7 : 1e-7);
  const delta = Math.abs(actual - expected);
  // So written that NaN fails.
  if (delta <= limit) return;
  throw new AssertionError(
    `Expected actual ${actual} to be within ${limit} of ${expected}: they differ by ${delta}${suffix(msg)}`,
  );
}

/** Asserts that `actual` is neither null nor undefined. */
export function assertExists<T>(
  actual: T,
  msg?: string,
): asserts actual is NonNullable<T> {
  if (actual === undefined || actual === null) {
    throw new AssertionError(
      `Expected actual ${actual} to be neither null nor undefined${suffix(msg)}`,
    );
  }
}

/** Asserts that a text contains another. */
export function assertStringIncludes(
  actual: string,
  expected: string,
  msg?: string,
): void {
  if (!actual.includes(expected)) {
    throw new AssertionError(
      `Expected actual ${quote(actual)} to contain ${quote(expected)}${suffix(msg)}`,
    );
  }
}

/** Asserts that a text matches a pattern. */
export function assertMatch(
  actual: string,
  expected: RegExp,
  msg?: string,
): void {
  if (!expected.test(actual)) {
    throw new AssertionError(
      `Expected actual ${quote(actual)} to match ${expected}${suffix(msg)}`,
    );
  }
}

/** Asserts that a list has every element of another, by deep equality. */
export function assertArrayIncludes<T>(
  actual: ArrayLike<T>,
  expected: ArrayLike<T>,
  msg?: string,
): void {
  const found = Array.from(actual);
  const missing = Array.from(expected).filter((wanted) => !found.some((item) => equal(item, wanted)));
  if (missing.length > 0) {
    throw new AssertionError(
      `Expected actual ${format(actual)} to include ${format(expected)}${suffix(msg)}\n  missing: ${
        format(missing)
      }`,
    );
  }
}

/** Asserts that `actual` is greater than `expected`. */
export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual > expected)) throw order(actual, ">", expected, msg);
}

/** Asserts that `actual` is at least `expected`. */
export function assertGreaterOrEqual<T>(
  actual: T,
  expected: T,
  msg?: string,
): void {
  if (!(actual >= expected)) throw order(actual, ">=", expected, msg);
}

/** Asserts that `actual` is less than `expected`. */
export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual < expected)) throw order(actual, "<", expected, msg);
}

/** Asserts that `actual` is at most `expected`. */
export function assertLessOrEqual<T>(
  actual: T,
  expected: T,
  msg?: string,
): void {
  if (!(actual <= expected)) throw order(actual, "<=", expected, msg);
}

/** Asserts that a function throws; returns what it threw. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/** Asserts that a function throws an error of a class whose message has a part; returns the error. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  errorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows<E extends Error>(
  fn: () => unknown,
  errorClassOrMsg?: ErrorClass<E> | string,
  msgIncludes?: string,
  msg?: string,
): unknown {
  const message = typeof errorClassOrMsg === "string" ? errorClassOrMsg : msg;
  try {
    fn();
  } catch (error) {
    checkError(error, errorClassOrMsg, msgIncludes, message);
    return error;
  }
  throw new AssertionError(`Expected function to throw${suffix(message)}`);
}

/** Asserts that a function returns a promise that rejects; resolves to what it rejected with. */
export function assertRejects(
  fn: () => PromiseLike<unknown>,
  msg?: string,
): Promise<unknown>;
/** Asserts that a promise rejects with an error of a class whose message has a part; resolves to the error. */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  errorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects<E extends Error>(
  fn: () => PromiseLike<unknown>,
  errorClassOrMsg?: ErrorClass<E> | string,
  msgIncludes?: string,
  msg?: string,
): Promise<unknown> {
  const message = typeof errorClassOrMsg === "string" ? errorClassOrMsg : msg;
  let promise: PromiseLike<unknown>;
  try {
    promise = fn();
  } catch (error) {
    throw new AssertionError(
      `Function throws when expected to reject${suffix(message)}`,
      { cause: error },
    );
  }
  if (typeof promise?.then !== "function") {
    throw new AssertionError(
      `Expected function to return a promise${suffix(message)}`,
    );
  }
  try {
    await promise;
  } catch (error) {
    checkError(error, errorClassOrMsg, msgIncludes, message);
    return error;
  }
  throw new AssertionError(`Expected function to reject${suffix(message)}`);
}

/** Fails the test. */
export function fail(msg?: string): never {
  throw new AssertionError(`Failed assertion${suffix(msg)}`);
}

function checkError(
  error: unknown,
  errorClass: ErrorClass<Error> | string | undefined,
  msgIncludes: string | undefined,
  msg: string | undefined,
): void {
  if (errorClass === undefined || typeof errorClass === "string") return;
  if (!(error instanceof Error)) {
    throw new AssertionError(
      `Expected an Error, but ${format(error)} was thrown${suffix(msg)}`,
    );
  }
  const { message, constructor } = error;
  if (!(error instanceof errorClass)) {
    throw new AssertionError(
      `Expected error to be instance of "${errorClass.name}", but was "${constructor.name}" ` +
        `with message ${quote(message)}${suffix(msg)}`,
      { cause: error },
    );
  }
  if (msgIncludes !== undefined && !error.message.includes(msgIncludes)) {
    throw new AssertionError(
      `Expected error message to include ${quote(msgIncludes)}, but got ${quote(error.message)}${
        suffix(msg)
      }`,
      { cause: error },
    );
  }
}

function order(
  actual: unknown,
  relation: string,
  expected: unknown,
  msg: string | undefined,
): AssertionError {
  return new AssertionError(
    `Expected ${format(actual)} ${relation} ${format(expected)}${suffix(msg)}`,
  );
}

function quote(text: string): string {
  return JSON.stringify(text);
}

function suffix(msg: string | undefined): string {
  return msg === undefined ? "" : `: ${msg}`;
}
