/** @file What a run ends with that was asked to stop. */

/** A run that stopped because its signal asked it to: no finding and no fault. It goes on from its checkpoint, if it has one. */
export class Interrupted extends Error {
  /** Tells it apart in logs. */
  override readonly name = "Interrupted";

  /** Takes no message. */
  constructor() {
    super("The run was asked to stop");
  }
}
