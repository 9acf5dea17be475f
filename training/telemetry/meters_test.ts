import { assertEquals } from "@std/assert";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { PeakMeter, StepClock } from "./meters.ts";

/** Times windows given as [steps, milliseconds], on a clock that tells exactly so. */
function medianOf(
  windows: readonly (readonly [number, number])[],
  read: (clock: StepClock) => number | null = (clock) => clock.medianStepMs(),
): number | null {
  const { now } = performance;
  let time = 1000;
  performance.now = () => time;
  try {
    const clock = new StepClock();
    for (const [steps, ms] of windows) {
      clock.begin();
      for (let i = 0; i < steps; i++) clock.count(ms / steps / 4);
      time += ms;
      clock.end();
      // Between windows time passes that belongs to none.
      time += 500;
    }
    return read(clock);
  } finally {
    performance.now = now;
  }
}

Deno.test("StepClock gives the median over windows, without the first and the short ones", () => {
  assertEquals(medianOf([[10, 60], [5, 10], [1, 30], [10, 40], [5, 15]]), 3);
  assertEquals(medianOf([[10, 60], [5, 10], [10, 40]]), 3);
});

Deno.test("StepClock tells the host's part of the same windows", () => {
  assertEquals(medianOf([[10, 60], [5, 40], [1, 30], [10, 40]], (clock) => clock.medianHostMs()), 1.5);
  assertEquals(medianOf([], (clock) => clock.medianHostMs()), null);
});

Deno.test("StepClock takes what there is: one window, short windows, none", () => {
  assertEquals(medianOf([[5, 10]]), 2);
  assertEquals(medianOf([[2, 20], [2, 6]]), 3);
  assertEquals(medianOf([[2, 20], [2, 6], [3, 15]]), 4);
  assertEquals(medianOf([]), null);
});

Deno.test("StepClock tells where the first window is the only one, whose steps compile kernels", () => {
  const isAlone = (windows: readonly (readonly [number, number])[]) => {
    const clock = new StepClock();
    for (const [steps] of windows) {
      clock.begin();
      for (let i = 0; i < steps; i++) clock.count(0);
      clock.end();
    }
    return clock.isFirstAlone();
  };
  assertEquals([isAlone([]), isAlone([[4, 1]]), isAlone([[4, 1], [0, 1]]), isAlone([[4, 1], [1, 1]])], [
    false,
    true,
    true,
    false,
  ]);
});

Deno.test("StepClock ignores windows without steps", () => {
  assertEquals(medianOf([[0, 5]]), null);
  assertEquals(medianOf([[10, 60], [0, 5], [5, 10]]), 2);
});

Deno.test("PeakMeter keeps the most live bytes, leaving out what it is told to", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("peaks", "data");
  gpu.empty([1024], "held");
  const { liveBytes } = gpu.memory;
  const meter = new PeakMeter(gpu);
  const allocate = (bytes: number, category: "state" | "scratch") => {
    using _ = gpu.scope("short", category);
    gpu.empty([bytes / 4], "short-lived");
  };
  allocate(4096, "scratch");
  const result = await meter.without(() => {
    allocate(1 << 20, "scratch");
    return Promise.resolve("done");
  });
  allocate(8192, "state");
  await meter.without(() => Promise.resolve());
  allocate(2048, "scratch");
  const { peakBytes, peakBytesByCategory } = meter.read();
  assertEquals(result, "done");
  assertEquals(peakBytes, liveBytes + 8192);
  assertEquals([peakBytesByCategory["scratch"], peakBytesByCategory["state"]], [4096, 8192]);
});
