import { assert, assertEquals } from "@std/assert";
import { assertClose } from "../tests/support/assert_close.ts";
import {
  assertFollows,
  conditionedProblem,
  deficientProblems,
  freshProblem,
  onQuadratics,
  rebased,
  type ReferenceStep,
  scaledOptions,
} from "../tests/support/low_rank_problems.ts";
import { effectiveWeight } from "../tests/support/quadratic.ts";
import { factorGradients, invertGram, rowProjector } from "../tests/reference/low_rank.ts";
import { add, identity, multiply, scale as times, subtract } from "../tests/reference/matrix.ts";
import { type AdamMoments, adamwStep } from "../tests/reference/network.ts";
import { loraFa } from "./lora_fa.ts";
import type { OptimizerModule, Options } from "./optimizer.ts";

const module = loraFa as OptimizerModule;

function reference(
  { correction, damping, weightDecay, epsilon, epsilonTo }: {
    readonly correction: string;
    readonly damping: number;
    readonly epsilon: number;
    readonly epsilonTo: string;
    readonly weightDecay: number;
  },
  learningRate: number,
): ReferenceStep {
  let moments: AdamMoments | undefined;
  return ({ a, b, scale }, gradient, step) => {
    const raw = factorGradients(gradient, { a, b, scale }).gradientB;
    const inverse = invertGram(add(multiply(a, a, { transposeB: true }), identity(a.rows), damping));
    const followed = correction === "none" ? raw : times(multiply(raw, inverse), scale ** -2);
    // √v + ε over √(1 − β₂ᵗ) is √v̂ + ε / √(1 − β₂ᵗ).
    const added = epsilonTo === "raw" ? epsilon / Math.sqrt(1 - 0.999 ** step) : epsilon;
    const next = adamwStep(b, followed, moments, { learningRate, weightDecay, epsilon: added });
    moments = next.moments;
    return { a, b: next.parameter, scale };
  };
}

Deno.test("loraFa follows float64 with both corrections, damped much and next to nothing, at ranks 1, 3 and 8 of wide and tall maps, with decay", async () => {
  for (const [rank, rows, columns] of [[1, 9, 30], [3, 20, 12], [8, 17, 40]] as const) {
    for (
      const [correction, damping, epsilonTo, epsilon] of [
        ["inverse", 1e-8, "corrected", 1e-6],
        ["inverse", 0.5, "raw", 0.02],
        ["none", 1e-8, "corrected", 1e-6],
        ["none", 1e-8, "raw", 0.02],
      ] as const
    ) {
      const map = freshProblem(rows, columns, rank, rank), rate = 0.02, weightDecay = 0.5;
      // Condition numbers of A are below 4; Adam's direction is steep where a second moment is small.
      const how = { scale: 2, rate, relative: 2e-5, label: `${correction} ${damping} rank ${rank}` };
      const options = { correction, damping, weightDecay, epsilon, epsilonTo };
      await assertFollows(module, options, map, reference(options, rate), how);
    }
  }
});

Deno.test("loraFa's equivalent gradient is G P_A, whatever s and the basis of A's rows", async () => {
  const map = conditionedProblem(14, 18, 4, 5);
  for (const [start, scale] of [[map, 2], [rebased(map, 6), 2], [map, 0.25]] as const) {
    const gradient = subtract(effectiveWeight(start.base, start.a, start.b, scale), start.target);
    await onQuadratics(module, scaledOptions(4, scale), [start], async (run) => {
      const [found] = await run.gradients();
      const wanted = multiply(gradient, rowProjector(start.a));
      // Condition numbers below 10; PEFT's damping of 1e-8 is far below.
      assertClose(found!.equivalent.data, wanted.data, { relative: 2e-5 }, `s = ${scale}`);
    });
  }
});

Deno.test("loraFa trains B and no A, which counts as state and keeps its bytes", async () => {
  await onQuadratics(module, { rank: 3 }, [freshProblem(10, 12, 3, 7)], async (run, gpu) => {
    const { optimizer } = run, before = await run.readOne();
    assertEquals(optimizer.trainable.map(({ name }) => name), ["map 0.B"]);
    assertEquals(optimizer.state.map(({ name }) => name), ["map 0.A", "map 0.B.m", "map 0.B.v"]);
    assertEquals(gpu.memory.liveBytesByCategory["adapters"], 256);
    for (let step = 1; step <= 3; step++) await run.step(step, 0.1);
    assertEquals((await run.readOne()).a, before.a);
  });
});

Deno.test("loraFa trains maps of different shapes side by side as it trains each alone", async () => {
  const maps = [freshProblem(10, 12, 3, 81), freshProblem(5, 33, 3, 82), freshProblem(40, 4, 3, 83)];
  const trained = (some: typeof maps) =>
    onQuadratics(module, { rank: 3 }, some, async (run) => {
      for (let step = 1; step <= 3; step++) await run.step(step, 0.02);
      return await run.read();
    });
  const together = await trained(maps);
  for (const [i, map] of maps.entries()) assertEquals((await trained([map]))[0], together[i]);
});

Deno.test("loraFa stays finite over five steps where A lacks ranks or is 0", async () => {
  await onQuadratics(module, { rank: 4 }, deficientProblems(12, 16, 9), async (run) => {
    for (let step = 1; step <= 5; step++) await run.step(step, 0.01);
    (await run.read()).forEach(({ b }, i) => assert(b.data.every(Number.isFinite), `start ${i}`));
  });
});

Deno.test("loraFa refuses an unknown correction, negative damping, and ranks that it cannot decompose", () => {
  const targetModules = [{ name: "wide", in: 400, out: 300 }];
  const refusal = (options: Options) =>
    loraFa.validate({ ...loraFa.defaults, ...options }, targetModules, 100);
  assertEquals(refusal({}), null);
  assertEquals(refusal({ correction: "half" }), 'correction is "half", known are inverse, none');
  assertEquals(refusal({ damping: NaN }), "damping is NaN, 0 or more is needed");
  assertEquals(
    refusal({ rank: 257 }),
    'rank is 257, at most 256 is possible at target module "wide" [300, 400]',
  );
  assertEquals(refusal({ rank: 257, correction: "none" }), null);
  assertEquals(refusal({ epsilonTo: "none" }), 'epsilonTo is "none", known are corrected, raw');
  assertEquals(loraFa.describe({ ...loraFa.defaults, correction: "none" }), "alpha/r, uncorrected");
  assertEquals(loraFa.describe({ ...loraFa.defaults, epsilonTo: "raw" }), "alpha/r, epsilon to the raw root");
});
