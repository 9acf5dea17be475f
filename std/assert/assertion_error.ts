/** Thrown where an assertion does not hold. */
export class AssertionError extends Error {
  /** Tells it apart in logs. */
  override readonly name = "AssertionError";
}
