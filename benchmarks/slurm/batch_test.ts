import { assertEquals, assertStringIncludes } from "@std/assert";
import {
  type Asked,
  batchFilesOf,
  reportFile,
  type SharedSweep,
  submittingLines,
  workersFile,
} from "./batch.ts";

const asked: Asked = { workers: 4, gpus: 1, cores: 2, minutes: 120, partition: "gpu" };
const sweep: SharedSweep = {
  name: "paper",
  project: "/p",
  out: "/shared/o",
  words: ["bench", "paper", "--out", "/shared/o", "--seeds", "0,1"],
};

function optionsOf(text: string): string[] {
  return [...text.matchAll(/^#SBATCH (.*)$/gm)].map(([, option]) => option!);
}

Deno.test("workersFile() asks for an array of elements that are told before their time is up, and can be queued again", () => {
  const text = workersFile(sweep, asked);
  assertEquals(optionsOf(text), [
    "--job-name=paper",
    "--array=1-4",
    "--requeue",
    "--open-mode=append",
    "--signal=B:USR1@120",
    "--gres=gpu:1",
    "--cpus-per-task=2",
    "--time=120",
    "--partition=gpu",
    "--chdir=/p",
    "--output=/shared/o/slurm/logs/%A_%a.log",
  ]);
  assertEquals(
    text.split("\n").at(-2),
    "exec sh benchmarks/slurm/element.sh /shared/o bench paper --out /shared/o --seeds 0,1 --worker",
  );
  const plain = optionsOf(workersFile(sweep, { ...asked, gpus: 0, minutes: null, partition: null }));
  assertEquals(plain.filter((option) => /gres|time|partition/.test(option)), []);
});

Deno.test("reportFile() asks for a core and no GPU, and writes the report alone", () => {
  const text = reportFile(sweep, asked);
  assertEquals(optionsOf(text).filter((option) => /array|gres|signal|time/.test(option)), []);
  assertStringIncludes(text, "#SBATCH --partition=gpu\n");
  assertEquals(text.split("\n").at(-2), "exec ./run bench paper --out /shared/o --seeds 0,1 --report");
});

Deno.test("Batch files hold paths of any letters as sbatch and the shell read them", () => {
  const odd = { ...sweep, out: '/my "100%" o', words: ["bench", "it's.json", "--out", '/my "100%" o'] };
  const text = workersFile(odd, asked);
  assertStringIncludes(text, '#SBATCH "--output=/my \\"100%%\\" o/slurm/logs/%A_%a.log"\n');
  assertStringIncludes(
    text,
    `element.sh '/my "100%" o' bench 'it'\\''s.json' --out '/my "100%" o' --worker\n`,
  );
  assertEquals(submittingLines(batchFilesOf(odd.out)), [
    `array=$(sbatch --parsable '/my "100%" o/slurm/workers.sh')`,
    `sbatch --dependency=afterany:\${array%%;*} '/my "100%" o/slurm/report.sh'`,
  ]);
});
