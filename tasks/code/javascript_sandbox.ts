/** @file Runs JavaScript that nobody has read: in QuickJS, in WebAssembly, in a worker without permissions. */
import { system } from "../../system/mod.ts";

/** A program and what to call it with. */
export interface Program {
  /** JavaScript whose value is a function, e.g. "(x,y)=>x+2*y". */
  readonly source: string;
  /** The arguments of each call, in order: one context for all calls of a program, none shared by two programs. */
  readonly calls: readonly (readonly number[])[];
}

/**
 * Why a program has no values: it threw, its source is no JavaScript or its value no function ("threw"); it reached
 * the limit of steps ("endless") or of time ("late"); a call gave something else than a number, boolean or string
 * ("no value"); or it brought the interpreter down ("crashed").
 */
export type Failure = "threw" | "endless" | "late" | "no value" | "crashed";

/** What came of a program. */
export type Outcome =
  | { readonly kind: "returned"; readonly values: readonly (number | boolean | string)[] }
  | { readonly kind: "failed"; readonly reason: Failure };

/** What one program may use, for all its calls together. */
export interface ProgramLimits {
  /** Bytes of its heap. */
  readonly memory: number;
  /** Bytes of its stack. */
  readonly stack: number;
  /**
   * How often the interpreter may ask whether to go on: once in 10,000 loops and calls. The same program uses the same
   * number on every machine.
   */
  readonly checks: number;
  /**
   * Wall-clock time, in ms, for what asks too seldom, like `[].indexOf.call({length:2**53-1})`: a guard against a
   * hang that no program which ends by itself should come near.
   */
  readonly milliseconds: number;
}

/** Far more than the task's own programs take, which ask for less than one check. */
export const PROGRAM_LIMITS: ProgramLimits = {
  memory: 4 * 2 ** 20,
  stack: 128 * 2 ** 10,
  checks: 200,
  milliseconds: 10_000,
};

/** What the worker is told to do. */
export interface WorkerRequest {
  readonly program: Program;
  readonly limits: ProgramLimits;
}

/** What the worker says once it has loaded the interpreter. */
export const READY = "ready";

/**
 * Runs programs one after the other and gives their outcomes in their order. Whatever a program does is its outcome:
 * this throws for none.
 *
 * A program sees ECMAScript's own globals and nothing else: no files, no network, no modules, no clock that waits. Its
 * results are read as primitives by the interpreter, so that no `valueOf`, getter or changed prototype has a say. Each
 * program has a runtime of its own. It runs in a worker that holds no permission and is ended, with all in it, where
 * a program goes past its time or breaks the interpreter; the next program then gets a new one.
 *
 * @throws {Error} where the interpreter cannot be loaded
 */
export async function runPrograms(
  programs: readonly Program[],
  limits: ProgramLimits = PROGRAM_LIMITS,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  let worker: Worker | null = null;
  try {
    for (const program of programs) {
      worker ??= await startWorker();
      const outcome = await runIn(worker, { program, limits });
      outcomes.push(outcome);
      if (outcome.kind === "failed" && (outcome.reason === "late" || outcome.reason === "crashed")) {
        worker.terminate();
        worker = null;
      }
    }
  } finally {
    worker?.terminate();
  }
  return outcomes;
}

async function startWorker(): Promise<Worker> {
  const worker = system.startConfined("tasks/code/javascript_worker.ts");
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  worker.onmessage = () => resolve();
  worker.onerror = (event) => {
    event.preventDefault();
    worker.terminate();
    reject(new Error(`Cannot load the JavaScript interpreter: ${event.message}`));
  };
  await promise;
  return worker;
}

async function runIn(worker: Worker, request: WorkerRequest): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const fail = (reason: Failure) => resolve({ kind: "failed", reason });
  worker.onmessage = ({ data }: MessageEvent<Outcome>) => resolve(data);
  worker.onerror = (event) => {
    event.preventDefault();
    fail("crashed");
  };
  const timer = setTimeout(() => fail("late"), request.limits.milliseconds);
  worker.postMessage(request);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}
