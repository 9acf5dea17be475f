/** @file PyTorch on the processor: a Python process for each problem, asked over its standard input. */
import type { Peer, Trainer } from "./peer.ts";
import type { Problem } from "./problem.ts";

/** Debian's Python, which has PyTorch where the package python3-torch is installed. */
const PYTHON = "/usr/bin/python3";

/** PyTorch, where `import torch` works. */
export const peers: readonly Peer[] = [{ name: "pytorch", backend: "cpu", open }];

interface TorchTrainer extends Trainer {
  readonly threads: number;
  /** Quickest of a few forward and backward passes. */
  readonly gradientSeconds: number;
}

let bestThreads: number | null = null;

/** More threads are not always quicker where others are at work: one thread and all are tried, once. */
async function open(problem: Problem): Promise<Trainer> {
  if (bestThreads !== null) return await start(problem, bestThreads);
  const one = await start(problem, 1);
  if (navigator.hardwareConcurrency === 1) return one;
  const all = await start(problem, navigator.hardwareConcurrency);
  const [better, worse] = all.gradientSeconds < one.gradientSeconds ? [all, one] : [one, all];
  await worse[Symbol.asyncDispose]();
  bestThreads = better.threads;
  return better;
}

async function start(problem: Problem, threads: number): Promise<TorchTrainer> {
  const script = decodeURIComponent(new URL("./torch_step.py", import.meta.url).pathname);
  const process = new Deno.Command(PYTHON, {
    args: ["-B", script, String(threads)],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const complaints = new Response(process.stderr).text();
  const input = process.stdin.getWriter(), lines = linesOf(process.stdout);
  const answer = async () => {
    const { value, done } = await lines.next();
    if (!done) return JSON.parse(value);
    // The last line of a Python traceback is the error itself.
    throw new Error(`${PYTHON} said: ${(await complaints).trim().split("\n").at(-1) || "nothing"}`);
  };
  const close = async () => {
    await input.close().catch(() => {});
    await process.status;
  };
  try {
    // A process that fails before it has read everything breaks the pipe; what it says is worth more.
    await sendAll(input, messagesOf(problem)).catch(() => {});
    const { version, gradientSeconds } = await answer();
    return {
      note: `PyTorch ${version}, ${threads === 1 ? "1 thread" : `${threads} threads`}`,
      threads,
      gradientSeconds,
      async train(steps) {
        await input.write(new TextEncoder().encode(`${steps}\n`));
        return await answer();
      },
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function messagesOf(problem: Problem): Uint8Array<ArrayBuffer>[] {
  const { decoder, batch, batches, adamw, weights } = problem;
  const header = {
    ...{ decoder, batch, adamw },
    batches: batches.length,
    weights: weights.map(({ name, shape }) => [name, shape]),
  };
  const bytes = ({ data }: { readonly data: Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> }) =>
    new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return [
    new TextEncoder().encode(`${JSON.stringify(header)}\n`),
    ...weights.map(bytes),
    ...batches.flatMap(({ tokens, targets }) => [bytes(tokens), bytes(targets)]),
  ];
}

async function sendAll(
  input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>,
  parts: readonly Uint8Array<ArrayBuffer>[],
): Promise<void> {
  for (const part of parts) await input.write(part);
}

async function* linesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}
