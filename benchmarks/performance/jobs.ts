/**
 * @file How long a sweep takes one process and two, and two with other numbers of Mesa's threads: `./run jobs [ROUNDS]
 * [SWEEP] [OPTIONS]`. Rounds of all cases are interleaved, so that a machine that slows down slows all of them.
 *
 * The machine should be idle. Each case runs in a folder of its own that is removed.
 */
import { median } from "../statistics/statistics.ts";

const repository = decodeURIComponent(new URL("../../", import.meta.url).pathname);

/** What is compared: how many processes, and threads of Mesa's in each; null for what `./run` chooses. */
const cases = [
  { jobs: 1, threads: null },
  { jobs: 2, threads: null },
  { jobs: 1, threads: "0" },
  { jobs: 2, threads: "0" },
  { jobs: 2, threads: "2" },
] as const;

const [rounds = "3", ...sweep] = Deno.args;
if (!/^[1-9]\d*$/.test(rounds)) {
  console.error(
    "Usage: ./run jobs [ROUNDS] [SWEEP] [OPTIONS]: ROUNDS is a whole number, 3 where none is given",
  );
  Deno.exit(2);
}
const asked = sweep.length > 0 ? sweep : ["smoke", "--steps", "40"];

/** Seconds of a sweep from its start to its report. */
async function measure({ jobs, threads }: typeof cases[number]): Promise<number> {
  const out = await Deno.makeTempDir({ prefix: "jobs" });
  try {
    const begunAt = performance.now();
    const { code, stderr } = await new Deno.Command("sh", {
      args: [
        "-c",
        'exec "$0" "$@"',
        `${repository}run`,
        "bench",
        ...asked,
        "--out",
        out,
        "--jobs",
        String(jobs),
      ],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
      ...(threads !== null && { env: { LP_NUM_THREADS: threads } }),
    }).output();
    if (code !== 0) {
      throw new Error(`Cannot go on: the sweep ended with ${code}: ${new TextDecoder().decode(stderr)}`);
    }
    return (performance.now() - begunAt) / 1000;
  } finally {
    await Deno.remove(out, { recursive: true });
  }
}

const seconds = cases.map((): number[] => []);
for (let round = 0; round < Number(rounds); round++) {
  for (const [i, one] of cases.entries()) seconds[i]!.push(await measure(one));
}
const first = median(seconds[0]!);
console.log(
  `./run bench ${asked.join(" ")}, ${rounds} interleaved rounds: median seconds, and over one process`,
);
for (const [i, { jobs, threads }] of cases.entries()) {
  const all = seconds[i]!, middle = median(all);
  const range = `${Math.min(...all).toFixed(1)} to ${Math.max(...all).toFixed(1)}`;
  console.log(
    `--jobs ${jobs}, LP_NUM_THREADS ${threads ?? "as ./run sets it"}: ${middle.toFixed(1)} (${range}), ` +
      `${(middle / first).toFixed(2)}`,
  );
}
