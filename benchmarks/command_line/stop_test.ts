import { assertEquals } from "@std/assert";
import { PROGRAMS, testNeeding } from "../../tests/support/test_needing.ts";

const test = testNeeding(PROGRAMS);

/** What a process says that sends itself a signal, and its exit code; 0 where it waits in vain. */
async function endOf(script: string): Promise<readonly [code: number, said: string]> {
  const { code, stdout } = await new Deno.Command("deno", {
    args: [
      "eval",
      "--quiet",
      `import { endWhilePlanning, listenForStop } from ${
        JSON.stringify(new URL("stop.ts", import.meta.url).href)
      };
       const hurry = setTimeout(() => {}, 20_000);
       ${script}`,
    ],
    stderr: "null",
  }).output();
  return [code, new TextDecoder().decode(stdout)];
}

test("a signal while a sweep is planned ends the process with a sentence, and one while it runs stops it as before", async () => {
  const planning = "using _planning = endWhilePlanning(console.log);";
  const kill = (signal: string) => `Deno.kill(Deno.pid, "${signal}");`;
  const wait = "await new Promise((resolve) => setTimeout(resolve, 20_000));";
  const sentence = "Stopped while planning: no run was begun, and the same command plans again\n";
  assertEquals(await endOf(`${planning} ${kill("SIGINT")} ${wait}`), [130, sentence]);
  assertEquals(await endOf(`${planning} ${kill("SIGTERM")} ${wait}`), [143, sentence]);
  const running = "const stop = listenForStop(console.log);";
  const aborted =
    `stop.signal.addEventListener("abort", () => { console.log(stop.exitCode()); stop[Symbol.dispose](); clearTimeout(hurry); });`;
  assertEquals(
    await endOf(`{ ${planning} ${running} ${aborted} ${kill("SIGINT")}
      await new Promise((resolve) => stop.signal.addEventListener("abort", resolve)); }`),
    [0, "Stopping once the run at work is kept; the same again ends it at once\n130\n"],
  );
  // Once what ran is done, it is planning again.
  assertEquals(await endOf(`${planning} ${running} stop[Symbol.dispose](); ${kill("SIGINT")} ${wait}`), [
    130,
    sentence,
  ]);
});
