/** @file The worker of `javascript_sandbox.ts`: an interpreter in WebAssembly that runs one program a message. */
import variant from "@jitl/quickjs-singlefile-browser-release-sync";
import {
  newQuickJSWASMModuleFromVariant,
  type QuickJSContext,
  type QuickJSHandle,
} from "quickjs-emscripten-core";
import { type Failure, type Outcome, type Program, READY, type WorkerRequest } from "./javascript_sandbox.ts";

/** What a worker has that a window, against whose types this is checked, has not. */
interface WorkerScope {
  onmessage: (event: MessageEvent<WorkerRequest>) => void;
  postMessage(message: Outcome | typeof READY): void;
}

const interpreter = await newQuickJSWASMModuleFromVariant(variant);
const scope = globalThis as unknown as WorkerScope;
scope.onmessage = ({ data }) => {
  let outcome: Outcome;
  try {
    outcome = run(data);
  } catch {
    // E.g. the end of this worker's own stack: it leaves the interpreter in no state to go on, or to be cleaned up.
    outcome = failed("crashed");
  }
  scope.postMessage(outcome);
};
scope.postMessage(READY);

/** Runs a program in a runtime of its own. */
function run({ program, limits }: WorkerRequest): Outcome {
  const runtime = interpreter.newRuntime();
  runtime.setMemoryLimit(limits.memory);
  runtime.setMaxStackSize(limits.stack);
  let checks = 0;
  runtime.setInterruptHandler(() => ++checks > limits.checks);
  const context = runtime.newContext();
  const outcome = callAll(context, program);
  context.dispose();
  runtime.dispose();
  // A program cannot catch an interruption. One that goes on after it, in the getter of what it threw, has failed too.
  return checks > limits.checks ? failed("endless") : outcome;
}

function callAll(context: QuickJSContext, { source, calls }: Program): Outcome {
  const evaluated = context.evalCode(source, "program.js", { type: "global" });
  if (evaluated.error) return discard(evaluated.error, "threw");
  const program = evaluated.value;
  if (context.typeof(program) !== "function") return discard(program, "threw");
  const values: (number | boolean | string)[] = [];
  for (const call of calls) {
    const given = call.map((value) => context.newNumber(value));
    const result = context.callFunction(program, context.undefined, ...given);
    for (const handle of given) handle.dispose();
    if (result.error) {
      program.dispose();
      return discard(result.error, "threw");
    }
    const value = primitive(context, result.value);
    result.value.dispose();
    if (value === null) return discard(program, "no value");
    values.push(value);
  }
  program.dispose();
  return { kind: "returned", values };
}

/** The value of a number, boolean or string, read without running any of the program; null for all else. */
function primitive(context: QuickJSContext, value: QuickJSHandle): number | boolean | string | null {
  switch (context.typeof(value)) {
    case "number":
      return context.getNumber(value);
    case "boolean":
      return context.sameValue(value, context.true);
    case "string":
      return context.getString(value);
    default:
      return null;
  }
}

function discard(handle: QuickJSHandle, reason: Failure): Outcome {
  handle.dispose();
  return failed(reason);
}

function failed(reason: Failure): Outcome {
  return { kind: "failed", reason };
}
