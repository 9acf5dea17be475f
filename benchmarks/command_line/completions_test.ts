import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { UserError } from "../../errors/user_error.ts";
import { type DefineTest, lackOf, PROGRAMS, testNeeding } from "../../tests/support/test_needing.ts";
import { commands } from "./commands.ts";
import { completionsFor, shells } from "./completions.ts";

const known = {
  task: ["digits", "dialogue-state", "code"],
  optimizer: ["lora", "lora-pro", "full"],
  model: ["vit-tiny"],
  sweep: ["quick", "tune"],
  export: ["peft", "png"],
};

/** Runs a text by a shell, in a folder with a program "run" of ours and the folder "other" with another one. */
async function inShell(shell: string, made: (program: string) => string): Promise<string[]> {
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "it's a shell " }));
  try {
    await Deno.mkdir(`${folder}/other`);
    for (const path of ["run", "other/run", "my-sweep.json"]) {
      await Deno.writeTextFile(`${folder}/${path}`, "", { mode: 0o755 });
    }
    await Deno.writeTextFile(`${folder}/script`, made(`${folder}/run`));
    const { code, stdout, stderr } = await new Deno.Command("sh", {
      args: ["-c", 'exec "$0" script', shell],
      cwd: folder,
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    assertEquals([code, text(stderr)], [0, ""]);
    return text(stdout).trimEnd().split("\n");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Defines a test that runs a shell, where there is one. */
function testIn(shell: string): DefineTest {
  const isThere = lackOf(PROGRAMS) === null &&
    new Deno.Command("sh", { args: ["-c", 'command -v "$0"', shell], stdout: "null" }).outputSync().success;
  return testNeeding(PROGRAMS, isThere ? null : shell);
}

/** What is typed behind `./run`, and what it may become. */
const typed: readonly (readonly [string, readonly string[]])[] = [
  ["be", ["bench", "bench-python"]],
  ["bench qu", ["quick"]],
  ["bench my", ["my-sweep.json"]],
  ["bench --opt", ["--optimizers"]],
  ["bench --tasks di", ["dialogue-state", "digits"]],
  ["bench --tasks digits,di", ["digits,dialogue-state", "digits,digits"]],
  ["bench --out my", ["my-sweep.json"]],
  ["bench --seeds ", []],
  ["report --export p", ["peft", "png"]],
  ["pretrain v", ["vit-tiny"]],
  ["completions f", ["fish"]],
];

testIn("bash")(
  "completionsFor() bash completes commands, options, names and paths of our ./run alone",
  async () => {
    const lines = [...typed, ["bench --tasks = co", ["code"]] as const];
    const found = await inShell("bash", (program) =>
      [
        completionsFor("bash", known, program),
        ...["./run", "other/run"].flatMap((name) =>
          lines.map(([line]) =>
            `COMP_WORDS=(${name} ${
              line.replace(/ $/, " ''")
            }); COMP_CWORD=$((\${#COMP_WORDS[@]}-1)); _harness ${name}; ` +
            `printf '%s\\n' "$(printf '%s\\n' "\${COMPREPLY[@]}" | sort | tr '\\n' ' ')"`
          )
        ),
      ].join("\n"));
    const words = found.map((line) => line.trim());
    assertEquals(words.slice(0, lines.length), lines.map(([, wanted]) => wanted.join(" ")));
    assertEquals(words.slice(lines.length).join(""), "");
  },
);

testIn("fish")(
  "completionsFor() fish completes commands, options, names and paths of our ./run alone",
  async () => {
    const found = await inShell("fish", (program) =>
      [
        completionsFor("fish", known, program),
        ...typed.map(([line]) => `echo (complete -C './run ${line}' | cut -f 1)`),
        "complete -C 'other/run be'",
        "echo end",
      ].join("\n"));
    assertEquals(found, [...typed.map(([, wanted]) => wanted.join(" ")), "end"]);
  },
);

testIn("zsh")("completionsFor() zsh is zsh", async () => {
  const check = (program: string) => `setopt no_exec\n${completionsFor("zsh", known, program)}`;
  assertEquals(await inShell("zsh", check), [""]);
  await inShell("zsh", (program) => `${check(program)}\n{`).then(
    () => assert(false, "what is not zsh passed too"),
    () => {},
  );
});

Deno.test("completionsFor() has every command and option in each shell, and names the shells that there are", () => {
  for (const shell of shells) {
    const script = completionsFor(shell, known, "/p/run");
    for (const [name, { options }] of Object.entries(commands)) {
      assertStringIncludes(script, name);
      for (const option of Object.keys(options)) {
        assertStringIncludes(script, shell === "fish" ? `-l ${option} ` : `--${option}`);
      }
    }
  }
  assertThrows(() => completionsFor(undefined, known, ""), UserError, "is needed, bash, zsh, fish");
  assertThrows(() => completionsFor("bahs", known, ""), UserError, "did you mean bash? Known are bash, zsh");
});
