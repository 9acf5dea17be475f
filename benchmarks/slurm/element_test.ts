/** @file The script of an array's element, with a `./run` and a `scontrol` of stubs: no Slurm is there. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { inFolder } from "../../tests/support/in_folder.ts";
import { PROGRAMS, testNeeding } from "../../tests/support/test_needing.ts";

const test = testNeeding(PROGRAMS);

const script = decodeURIComponent(new URL("./element.sh", import.meta.url).pathname);

/** Waits for TERM as a worker does that keeps its run. */
const WAITING =
  `trap 'echo kept >"$STATE/kept"; exit 143' TERM; : >"$STATE/ready"; while :; do sleep 0.02; done`;

interface Start {
  /** What `./run` does. */
  readonly run: string;
  readonly restarts?: number;
  /** Sent once the worker is ready. */
  readonly signals?: readonly Deno.Signal[];
}

/** Starts the element in `<folder>/project`, with `<folder>/out`. */
async function start(folder: string, { run, restarts = 0, signals = [] }: Start) {
  const [project, bin, out] = [`${folder}/project`, `${folder}/bin`, `${folder}/out`];
  for (const path of [project, bin, out]) await Deno.mkdir(path, { recursive: true });
  const write = (path: string, text: string) =>
    Deno.writeTextFile(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  await write(`${project}/run`, `echo "run $*"\n${run}`);
  await write(`${bin}/scontrol`, `echo "scontrol $*" >>"$STATE/asked"`);
  for (const name of ["ready", "kept", "asked"]) await Deno.remove(`${folder}/${name}`).catch(() => {});
  const child = new Deno.Command("sh", {
    args: ["-c", 'PATH="$0:$PATH" exec sh "$@"', bin, script, out, "bench", "quick", "--worker"],
    cwd: project,
    env: {
      STATE: folder,
      SLURM_ARRAY_JOB_ID: "12",
      SLURM_ARRAY_TASK_ID: "3",
      SLURM_RESTART_COUNT: String(restarts),
      SLURM_CPUS_PER_TASK: "2",
      LP_NUM_THREADS: "",
    },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const output = child.output();
  for (const signal of signals) {
    while (await Deno.stat(`${folder}/ready`).catch(() => null) === null) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    child.kill(signal);
  }
  const { code, stdout } = await output;
  const read = (path: string) => Deno.readTextFile(path).then((text) => text.trim(), () => null);
  return {
    code,
    said: new TextDecoder().decode(stdout),
    asked: await read(`${folder}/asked`),
    kept: await read(`${folder}/kept`),
    ended: await read(`${out}/slurm/elements/12_3.end`),
    noted: await read(`${out}/slurm/elements/12_3.start`),
  };
}

test("An element makes runs until nothing is left, and tells by its exit code and a note how it ended", async () => {
  await inFolder(async (folder) => {
    const done = await start(folder, { run: 'echo "$LP_NUM_THREADS threads"' });
    assertEquals([done.code, done.ended, done.asked], [0, "done: nothing is left for it", null]);
    assertStringIncludes(done.said, "run bench quick --worker\n2 threads\n");
    assert(/^0 \S+ \S+-\d+$/.test(done.noted!), done.noted!);
    const failed = await start(folder, { run: "exit 2" });
    assertEquals([failed.code, failed.ended, failed.asked], [2, "failed with exit code 2", null]);
  });
});

test("An element is queued again once its run is kept, where time is up; not where it is cancelled", async () => {
  await inFolder(async (folder) => {
    const timely = await start(folder, { run: WAITING, signals: ["SIGUSR1"] });
    assertEquals([timely.code, timely.kept, timely.asked, timely.ended], [
      0,
      "kept",
      "scontrol requeue 12_3",
      null,
    ]);
    const cancelled = await start(folder, { run: WAITING, signals: ["SIGTERM"] });
    assertEquals([cancelled.code, cancelled.kept, cancelled.asked], [143, "kept", null]);
    assertEquals(cancelled.ended, "stopped by TERM: its run is kept");
    // Nothing was left when time was up.
    const finished = await start(folder, {
      run: WAITING.replace("exit 143", "exit 0"),
      signals: ["SIGUSR1"],
    });
    assertEquals([finished.code, finished.asked, finished.ended], [0, null, "done: nothing is left for it"]);
  });
});

test("An element ends that was started three times more and brought nothing: no run, and no step of one", async () => {
  await inFolder(async (folder) => {
    const step = async (restarts: number, step: number) => {
      const checkpoints = `${folder}/out/checkpoints/0123456789abcdef`;
      await Deno.remove(checkpoints, { recursive: true }).catch(() => {});
      await Deno.mkdir(checkpoints, { recursive: true });
      await Deno.writeTextFile(`${checkpoints}/${step}.safetensors`, "x");
      return await start(folder, { run: "exit 0", restarts });
    };
    const counts: (string | undefined)[] = [];
    // A step on, twice the same, a step on again: it counts from there.
    for (const [restarts, at] of [[0, 10], [1, 20], [2, 20], [3, 20], [4, 30], [5, 30], [6, 30]] as const) {
      const { code, noted } = await step(restarts, at);
      assertEquals(code, 0);
      counts.push(noted?.split(" ")[0]);
    }
    assertEquals(counts, ["0", "0", "1", "2", "0", "1", "2"]);
    const stopped = await step(7, 30);
    assertEquals([stopped.code, stopped.said.includes("run bench")], [1, false]);
    assertStringIncludes(
      stopped.ended!,
      "stopped: it was started 3 times more, and no run went a step further",
    );
    // Submitted again, it tries again.
    assertEquals((await step(0, 30)).code, 0);
  });
});
