/** Thrown where an assertion does not hold. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}
