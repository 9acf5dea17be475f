/** @file Real data from the command line: `--data` and `--examples`, from the plan to the report. */
import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import { RunResult } from "../training/schemas.ts";
import { optdigitsFile, withDataFolder } from "./data_folder.ts";

const repository = new URL("../", import.meta.url).pathname;

async function run(args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await new Deno.Command("deno", {
    args: ["run", "--no-prompt", "--allow-read", "--allow-write", "cli.ts", ...args],
    cwd: repository,
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

const bench = (data: string, out: string, ...more: string[]) => [
  ...["bench", "smoke", "--tasks", "digits", "--optimizers", "lora", "--steps", "3"],
  ...["--data", data, "--examples", "20,4,5", "--out", out, "--json", ...more],
];

Deno.test("bench trains digits on a folder of images, and its report tells which and how much was kept", async () => {
  await withDataFolder({
    "images/optdigits.tra": optdigitsFile(60) + optdigitsFile(3),
    "images/notes.md": "",
  }, async (folder) => {
    const out = `${folder}/out`;
    const { code, stdout, stderr } = await run(bench(`${folder}/images`, out));
    assertEquals(code, 0, stderr);
    assertStringIncludes(stderr, `"digits" takes its examples from ${folder}/images (fingerprint `);
    const [{ id }] = JSON.parse(stdout).runs;
    const { digest: _, ...stored } = JSON.parse(await Deno.readTextFile(`${out}/runs/${id}.json`));
    const result = RunResult.parse(stored);
    assert(result.status === "done");
    assertEquals([result.outcome.trainLoss.length, result.outcome.scores.length], [3, 5]);
    const { task } = result.config, { data } = result.outcome;
    assertEquals([task.trainExamples, task.validationExamples, task.testExamples], [20, 4, 5]);
    assertEquals([task.data, task.fingerprint], [`${folder}/images`, data!.fingerprint]);
    const records = Object.values(data!.records);
    assertEquals(records.reduce((sum, { read }) => sum + read, 0), 63);
    assertEquals(records.reduce((sum, { kept }) => sum + kept, 0), 60);
    const summary = await Deno.readTextFile(`${out}/report/summary.md`);
    assertStringIncludes(summary, `optdigits, fingerprint ${data!.fingerprint.slice(0, 16)}; `);
    assertStringIncludes(summary, "held out elsewhere or there twice");
    assert(!summary.includes("Turned, inverted digits"), "the task's own title is of its own images");

    // The same files in another place are the same run, and it is stored.
    await Deno.rename(`${folder}/images`, `${folder}/moved`);
    const moved = await run(bench(`${folder}/moved`, out, "--dry-run"));
    assertEquals(moved.code, 0, moved.stderr);
    assertEquals(JSON.parse(moved.stdout).counts, { total: 1, finished: 1, left: 0 });
    // Other content is another run, and so are other counts of examples and the task's own data.
    await Deno.writeTextFile(`${folder}/moved/optdigits.tra`, optdigitsFile(61));
    const ids = [id];
    for (
      const args of [
        bench(`${folder}/moved`, out, "--dry-run"),
        bench(`${folder}/moved`, out, "--dry-run", "--examples", "20,4,4"),
        bench(`${folder}/moved`, out, "--dry-run").toSpliced(8, 2),
      ]
    ) {
      const outlook = JSON.parse((await run(args)).stdout);
      assertEquals(outlook.counts, { total: 1, finished: 0, left: 1 });
      ids.push(outlook.runs[0].id);
    }
    assertEquals(new Set(ids).size, 4);
    assertNotEquals(ids[1], id);
  });
});

Deno.test("bench refuses data that is missing, not the task's or too little, in one sentence, before it trains", async () => {
  await withDataFolder(
    { "few/optdigits.tra": optdigitsFile(12), "texts/train.tsv": "a\tb\n" },
    async (folder) => {
      for (
        const [path, wanted] of [
          ["none", `Cannot read ${folder}/none: there is no such file or folder`],
          ["texts", `Cannot find data in ${folder}/texts: none of its 1 file is of `],
          ["few", 'Cannot take 20 training examples of "digits": there are 10, '],
        ] as const
      ) {
        const { code, stderr } = await run(bench(`${folder}/${path}`, `${folder}/out`));
        assertEquals(code, 2, stderr);
        assertStringIncludes(stderr, wanted);
        assert(!/\n\s+at /.test(stderr), stderr);
      }
      for (
        const [examples, wanted] of [["20,4", "three numbers"], ["20,0,5", "whole numbers from 1"]] as const
      ) {
        const { code, stderr } = await run(bench(`${folder}/few`, `${folder}/out`, "--examples", examples));
        assertEquals(code, 2, stderr);
        assertStringIncludes(stderr, wanted);
      }
    },
  );
});
