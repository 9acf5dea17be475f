/** @file A config, or the base of a sweep, with another number of steps. */

/** What goes by steps. */
interface Stepped {
  readonly steps: number;
  readonly validateEvery: number;
  readonly telemetryEvery: number;
  readonly schedule: { readonly warmup: number };
}

/** With so many steps: the warm-up, and the steps between validations and between measurements, scale along. */
export function withSteps<T extends Stepped>(
  base: T,
  steps: number | undefined,
): T {
  if (steps === undefined) return base;
  const scaled = (value: number) => Math.round(value * steps / base.steps);
  return {
    ...base,
    steps,
    validateEvery: Math.max(1, scaled(base.validateEvery)),
    telemetryEvery: base.telemetryEvery === 0 ? 0 : Math.max(1, scaled(base.telemetryEvery)),
    schedule: { ...base.schedule, warmup: Math.min(Math.max(0, steps - 1), scaled(base.schedule.warmup)) },
  };
}
