/** @file Sweeps that are killed and stopped in the middle of a run, as a user runs them: processes of their own. */
import { assert, assertEquals, assertGreater, assertMatch } from "@std/assert";
import { reproducible, resultsIn } from "./support/stored_results.ts";
import { PROGRAMS, testNeeding } from "./support/test_needing.ts";

const test = testNeeding(PROGRAMS);

const repository = new URL("../", import.meta.url).pathname;

/** What `./run` starts, as it starts it. */
const START = `words=$(deno run --no-prompt --allow-read=. --allow-env launch.ts "$0" "$@") || exit
eval "set -- $words"
exec deno "$@"`;

function start(args: readonly string[]): Deno.ChildProcess {
  return new Deno.Command("sh", {
    args: ["-c", START, repository.replace(/\/$/, ""), "bench", ...args],
    cwd: repository,
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function end(child: Deno.ChildProcess) {
  const { code, stderr } = await child.output();
  return { code, stderr: new TextDecoder().decode(stderr) };
}

/** Steps of the checkpoints of the only run at work. */
function stepsKept(out: string): number[] {
  try {
    const [run] = [...Deno.readDirSync(`${out}/checkpoints`)];
    return [...Deno.readDirSync(`${out}/checkpoints/${run?.name}`)]
      .flatMap(({ name }) => name.endsWith(".safetensors") ? [parseInt(name)] : []).sort((a, b) => a - b);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** Resolves once a checkpoint beyond a step is there. */
async function keptBeyond(out: string, step: number): Promise<void> {
  while (!stepsKept(out).some((kept) => kept > step)) await new Promise((resolve) => setTimeout(resolve, 5));
}

test("bench, killed and stopped in the middle of a run, goes on there with the same bits and leaves nothing", async () => {
  const folder = await Deno.makeTempDir({ prefix: "interrupted" });
  try {
    const smoke = JSON.parse(await Deno.readTextFile(`${repository}benchmarks/sweeps/smoke.json`));
    const task = smoke.tasks.find((entry: { readonly task: { readonly id: string } }) =>
      entry.task.id === "digits"
    );
    const spec = {
      ...smoke,
      name: "interrupted",
      tasks: [task],
      optimizers: [{ id: "lora-pro" }],
      seeds: [0],
    };
    await Deno.writeTextFile(`${folder}/sweep.json`, JSON.stringify(spec));
    const args = [`${folder}/sweep.json`, "--steps", "100", "--checkpoint-every", "0.1s", "--out"];
    const whole = await end(start([...args, `${folder}/whole`]));
    assertEquals(whole.code, 0, whole.stderr);

    const out = `${folder}/disturbed`;
    const killed = start([...args, out]);
    await keptBeyond(out, 0);
    killed.kill("SIGKILL");
    await end(killed);
    const [before] = stepsKept(out);
    for (const [signal, code] of [["SIGTERM", 143], ["SIGUSR1", 138]] as const) {
      const stopped = start([...args, out]), known = stepsKept(out).at(-1)!;
      await keptBeyond(out, known);
      stopped.kill(signal);
      const found = await end(stopped);
      assertEquals(found.code, code, found.stderr);
      assertMatch(found.stderr, /Run [0-9a-f]{16} goes on after step \d+ of 100/);
      assertMatch(found.stderr, /Stopped: 0 of 1 runs are stored/);
      assertGreater(stepsKept(out).at(-1)!, known);
    }
    assertGreater(stepsKept(out).at(-1)!, before!);
    const last = await end(start([...args, out]));
    assertEquals(last.code, 0, last.stderr);
    const [there, here] = [await resultsIn(`${folder}/whole`), await resultsIn(out)];
    assertEquals(here.size, 1);
    for (const [id, { result }] of there) {
      assert(result.status === "done");
      assertEquals(reproducible(here.get(id)!.result), reproducible(result));
    }
    const names = [...Deno.readDirSync(out)].map(({ name }) => name).sort();
    assertEquals(names.filter((name) => name === "checkpoints" || name.endsWith(".part")), []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
