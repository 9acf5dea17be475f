import { assertEquals, assertStringIncludes } from "@std/assert";
import { PROGRAMS, testNeeding } from "../../../tests/support/test_needing.ts";

const test = testNeeding(PROGRAMS);
const script = decodeURIComponent(new URL("ranks.ts", import.meta.url).pathname);

test("ranks times methods whatever they start from and train, and says which ones a model refuses", async () => {
  const { stdout, stderr } = await new Deno.Command("deno", {
    // A start from gradients, one from what weights were pre-trained on, and parameters of the model itself.
    args: [
      ...["run", "--no-check", "--allow-read", script, "--methods", "lora,lora-sb,lora-null,norms,biases"],
      ...["--ranks", "2", "--width", "32", "--rounds", "1"],
    ],
  }).output();
  const lines = new TextDecoder().decode(stdout).split("\n"), text = lines.join("\n");
  assertEquals(new TextDecoder().decode(stderr), "");
  for (const [id, times] of Object.entries({ lora: 2, "lora-sb": 2, "lora-null": 2, norms: 2, biases: 1 })) {
    assertEquals(
      lines.filter((line) => line.startsWith(`${id} `) && / ms .* count \d+\.\d\d {2}trains [1-9]/.test(line))
        .length,
      times,
      text,
    );
  }
  assertStringIncludes(text, "is left out: it trains biases, and the model has none");
});

test("ranks takes no argument that it does not know, and says what it takes", async () => {
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await new Deno.Command("deno", {
      args: ["run", "--no-check", "--allow-read", script, ...args],
    }).output();
    return { code, out: new TextDecoder().decode(stdout), err: new TextDecoder().decode(stderr) };
  };
  const help = await run("--help");
  assertEquals([help.code, help.err], [0, ""]);
  assertStringIncludes(help.out, "--ranks N,N      8,32,64 where none are given");
  for (
    const [args, sentence] of [
      [["--rank", "8"], "Unknown option '--rank'"],
      [["--ranks", "8,x"], "Cannot take --ranks x: a whole number above 0 is needed"],
      [["--tasks", "code"], 'Cannot time steps of task "code": known are digits, arithmetic'],
      [["--methods", "lorra"], 'Cannot find optimizer "lorra": did you mean lora?'],
    ] as const
  ) {
    const { code, out, err } = await run(...args);
    assertEquals([code, out, err.trim().split("\n").length], [2, "", 1]);
    assertStringIncludes(err, sentence);
  }
});
