/** @file Sweeps that several processes share, as a user starts them. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { reproducible, resultsIn } from "./support/stored_results.ts";
import { inFolder } from "./support/in_folder.ts";
import { PROGRAMS, testNeeding } from "./support/test_needing.ts";

const test = testNeeding(PROGRAMS);

const repository = new URL("../", import.meta.url).pathname;

function start(args: readonly string[]): Deno.ChildProcess {
  return new Deno.Command("sh", {
    args: ["-c", 'exec "$0" "$@"', `${repository}run`, "bench", ...args],
    cwd: repository,
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function end(child: Deno.ChildProcess) {
  const { code, stdout, stderr } = await child.output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

const SWEEP = ["smoke", "--tasks", "digits"];

/** Nothing that only a sweep at work needs is left; its processes' last words are. */
function assertTidy(out: string): void {
  const names = [...Deno.readDirSync(out)].map(({ name }) => name).sort();
  assertEquals(names, ["bases", "live", "report", "runs", "sweep.json"]);
}

test("two people who start one sweep on one folder share it: each run is made once, and both get the report", async () => {
  await inFolder(async (folder) => {
    const out = `${folder}/both`;
    const both = [start([...SWEEP, "--out", out, "--json"]), start([...SWEEP, "--out", out, "--json"])];
    const ends = await Promise.all(both.map(end));
    for (const { code, stdout, stderr } of ends) {
      assertEquals(code, 0, stderr);
      assertEquals(JSON.parse(stdout).counts, { total: 4, done: 4, diverged: 0, failed: 0, left: 0 });
    }
    // What one says of a run it says when it makes it.
    const made = ends.flatMap(({ stderr }) =>
      [...stderr.matchAll(/^\[\d\/4\] (.*): score/gm)].map(([, run]) => run)
    );
    assertEquals([made.length, new Set(made).size], [4, 4]);
    assertEquals(ends.flatMap(({ stderr }) => [...stderr.matchAll(/before fine-tuning: score/g)]).length, 1);
    assertTidy(out);

    const alone = `${folder}/jobs`,
      { code, stderr } = await end(start([...SWEEP, "--jobs", "2", "--out", alone]));
    assertEquals(code, 0, stderr);
    assertTidy(alone);
    const [there, here] = [await resultsIn(out), await resultsIn(alone)];
    assertEquals([...here.keys()].sort(), [...there.keys()].sort());
    for (const [id, { result }] of there) {
      assertEquals(reproducible(here.get(id)!.result), reproducible(result));
    }
  });
});

test("--plan writes the plan, --worker makes its runs and no report, and refuses another plan", async () => {
  await inFolder(async (folder) => {
    const out = `${folder}/planned`, sweep = [...SWEEP, "--optimizers", "lora", "--out", out];
    const early = await end(start([...sweep, "--worker"]));
    assertEquals(early.code, 2);
    assertStringIncludes(early.stderr, `Cannot work in ${out}: it has no plan`);
    const planned = await end(start([...sweep, "--plan"]));
    assertEquals([planned.code, planned.stdout.split("\n").at(-2)], [
      0,
      `Planned 1 run in ${out}: ./run bench with the same options and --worker makes them`,
    ]);
    const other = await end(start([...sweep, "--worker", "--seeds", "0,1"]));
    assertEquals(other.code, 2);
    assertStringIncludes(
      other.stderr,
      `Cannot work in ${out}: its plan is another one, of 1 runs of sweep "smoke"`,
    );
    const worked = await end(start([...sweep, "--worker", "--keep", "trained"]));
    assertEquals(worked.code, 0, worked.stderr);
    assertStringIncludes(worked.stdout, `Worked in ${out}: made 1 run;`);
    const [id] = (await resultsIn(out)).keys();
    assertEquals([...Deno.readDirSync(`${out}/trained`)].map(({ name }) => name), [`${id}.safetensors`]);
    const unknown = await end(start([...sweep, "--keep", "all"]));
    assertEquals([unknown.code, unknown.stderr], [2, 'Cannot find thing to keep "all": known are trained\n']);
    assert(![...Deno.readDirSync(out)].some(({ name }) => name === "report"));
  });
});
