/** @file One problem, all libraries: losses first, then times, ours beside its own matrix products. */
import type { Gpu } from "../../../gpu/gpu.ts";
import { interleave } from "./interleave.ts";
import { ours } from "./ours.ts";
import { lossDifference, type OurStep, type Row } from "./outcome.ts";
import type { Peer, Trainer } from "./peer.ts";
import type { Problem } from "./problem.ts";
import { largeProducts, productFlops, productsAlone, weightMaps } from "./products.ts";

/** Steps whose losses are compared, and how far a peer's may be from ours, relative to ours. */
const COMPARED = 5, TOLERANCE = 1e-4;
/** Rounds, and what each library and each large product should get of one, in milliseconds. */
const ROUNDS = 5, SHARE = 1000, LARGE_SHARE = 250;

/** How `compare` measures, for readers of its numbers. The problems differ in layers and vocabulary alone. */
export function describeMethod({ decoder, batch }: Problem): string {
  return `Decoder of width ${decoder.width} (${decoder.heads} heads, hidden width ${decoder.hidden}, RMS norm, rotary ` +
    `positions, SwiGLU), ${batch} sequences of ${decoder.length} tokens, AdamW on all parameters, 32-bit floats. ` +
    `The losses of the first ${COMPARED} steps agree with ours within ${TOLERANCE} of each. Then the libraries take ` +
    `turns: in each of ${ROUNDS} rounds each trains for about ${SHARE} ms, at least one step, and waits once at its ` +
    `end. Times are medians over rounds; what the first step compiles is not among them. PyTorch runs on one thread ` +
    `or on all, whichever was quicker.`;
}

/** A library that may have been unable to run. */
interface Entrant {
  readonly row: Row;
  readonly trainer: Trainer | null;
}

/** Compares ours and all peers on a problem. @throws {Error} where ours fails or a peer's losses differ from ours */
export async function compare(
  gpu: Gpu,
  peers: readonly Peer[],
  problem: Problem,
  say: (line: string) => void,
): Promise<{ readonly rows: readonly Row[]; readonly ourStep: OurStep }> {
  await using stack = new AsyncDisposableStack();
  const entrants: Entrant[] = [];
  for (const peer of [ours(gpu), ...peers]) {
    const entrant = await enter(peer, problem, entrants[0]?.row.losses ?? null);
    if (entrant.trainer) stack.use(entrant.trainer);
    entrants.push(entrant);
    say(describe(entrant.row));
  }

  using _ = gpu.scope("products", "scratch");
  const maps = weightMaps(problem);
  const products = productsAlone(gpu, maps, { share: SHARE }),
    large = largeProducts(gpu, { share: LARGE_SHARE });
  const trainers = entrants.flatMap(({ trainer }) => trainer ?? []);
  const timings = await interleave([
    ...trainers.map((trainer) => ({ share: SHARE, run: (steps: number) => trainer.train(steps) })),
    products,
    ...large,
  ], { rounds: ROUNDS, onRound: (round) => say(`${problem.label}: round ${round} of ${ROUNDS}`) });

  const ofTrainers = timings.splice(0, trainers.length), [ofProducts, ...ofLarge] = timings;
  const rows = entrants.map(({ row, trainer }) => {
    if (!trainer) return row;
    const { ms, cpuMs, spread, units } = ofTrainers[trainers.indexOf(trainer)]!;
    const timed = { ...row, msPerStep: ms, spread, steps: units, rounds: ROUNDS };
    return row.backend === "cpu" ? timed : { ...timed, cpuMsPerStep: cpuMs };
  });
  const best = large.map(({ label, flops }, i) => ({ label, gflops: flops / 1e6 / ofLarge[i]!.ms }))
    .reduce((a, b) => b.gflops > a.gflops ? b : a);
  const bestByCpu = Math.max(...large.map(({ flops }, i) => flops / 1e6 / ofLarge[i]!.cpuMs));
  const stepMs = ofTrainers[0]!.ms, matmulMs = ofProducts!.ms;
  const gflop = productFlops(maps) / 1e9, matmulGflops = 1000 * gflop / matmulMs;
  return {
    rows,
    ourStep: {
      config: problem.label,
      gflop,
      matmulMs,
      matmulGflops,
      stepMs,
      stepOverMatmuls: stepMs / matmulMs,
      bestGflops: best.gflops,
      bestProduct: best.label,
      shareOfBest: matmulGflops / best.gflops,
      byCpuTime: {
        stepOverMatmuls: ofTrainers[0]!.cpuMs / ofProducts!.cpuMs,
        shareOfBest: 1000 * gflop / ofProducts!.cpuMs / bestByCpu,
      },
    },
  };
}

/** Takes the compared steps. Whoever cannot run at all is told of in the row; ours and different losses throw. */
async function enter(peer: Peer, problem: Problem, expected: readonly number[] | null): Promise<Entrant> {
  const identity = { config: problem.label, name: peer.name, backend: peer.backend };
  let trainer: Trainer | null = null;
  let losses: number[], firstStepMs: number;
  try {
    trainer = await peer.open(problem);
    const begun = performance.now();
    losses = await trainer.train(1);
    firstStepMs = performance.now() - begun;
    losses.push(...await trainer.train(COMPARED - 1));
  } catch (error) {
    await trainer?.[Symbol.asyncDispose]();
    if (expected === null) throw error;
    const message = (error instanceof Error ? error.message : String(error)).split("\n")[0]!;
    return { row: { ...identity, msPerStep: null, loss: null, error: message }, trainer: null };
  }
  const difference = lossDifference(expected ?? losses, losses);
  if (!(difference <= TOLERANCE)) {
    await trainer[Symbol.asyncDispose]();
    throw new Error(
      `Cannot compare ${peer.name} on ${peer.backend} with ours (${problem.label}): its losses are ${
        losses.join(", ")
      } and ours ${expected?.join(", ")}, off by ${
        difference.toExponential(1)
      } where ${TOLERANCE} is allowed`,
    );
  }
  const { note } = trainer;
  return {
    row: {
      ...identity,
      ...{ msPerStep: null, loss: losses.at(-1)!, losses, lossDifference: difference, firstStepMs },
      ...(note === undefined ? {} : { note }),
    },
    trainer,
  };
}

function describe({ config, name, backend, firstStepMs, loss, lossDifference, error }: Row): string {
  const who = `${config}: ${name} on ${backend}`;
  if (error !== undefined) return `${who} did not run: ${error}`;
  return `${who}: first step ${(firstStepMs! / 1000).toFixed(1)} s, loss ${
    loss!.toFixed(5)
  } after ${COMPARED} steps, off by ${lossDifference!.toExponential(0)}`;
}
