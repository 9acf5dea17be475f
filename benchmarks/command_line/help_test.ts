import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import config from "../../deno.json" with { type: "json" };
import { a100 } from "../cost/growth/predict.ts";
import { exportKinds } from "../report/exports/write_exports.ts";
import { type Command, type CommandName, commands, readArguments } from "./commands.ts";
import { describeCommand, describeCommands } from "./help.ts";
import { coloured } from "./terminal.ts";

const all = Object.entries<Command>(commands) as [CommandName, Command][];

Deno.test("describeCommands() lists every command, and no task that only serves work on the harness", () => {
  const text = describeCommands();
  const listed = Array.from(text.matchAll(/^ {2}([\w-]+) {2,}\S/gm), ([, name]) => name);
  assertEquals(listed, Object.keys(commands));
  for (const name of listed) assert(name! in config.tasks, name);
});

Deno.test("describeCommand() tells every option with its value, and shows examples that the command takes", () => {
  for (const [name, { options, positional, examples }] of all) {
    const text = describeCommand(name);
    assertStringIncludes(text, `Usage: ./run ${name}`);
    for (const [option, { kind, value, help }] of Object.entries(options)) {
      assertEquals(kind === "flag", value === "", `${name} --${option}`);
      assert(/^[a-z"0-9/]/.test(help) && !help.endsWith("."), help);
      assert(
        text.match(new RegExp(`^ {2}--${option}${value && ` ${value}`} {2}`, "m")),
        `${name} --${option}`,
      );
    }
    if (positional) assert(text.match(new RegExp(`^ {2}${positional.value} {2}`, "m")), name);
    assert(examples.length > 0, name);
    for (const [line] of examples) {
      const [command, ...args] = line.split(" ");
      assertEquals(command, name);
      readArguments(name, args);
    }
  }
});

Deno.test("Help fits 80 columns, and colours take none", () => {
  for (const text of [describeCommands(), ...all.map(([name]) => describeCommand(name))]) {
    for (const line of text.split("\n")) assert(line.length <= 80, line);
  }
  const strip = (text: string) => text.replaceAll(new RegExp("\x1b\\[\\d+m", "g"), "");
  assertEquals(strip(describeCommand("bench", coloured)), describeCommand("bench"));
  assert(describeCommand("bench", coloured).includes("\x1b["));
});

Deno.test("Help states defaults and kinds that are kept elsewhere", () => {
  assertStringIncludes(commands.bench.options["gpu-efficiency"]!.help, `; ${a100.efficiency} where none`);
  for (const kind of exportKinds) assertStringIncludes(commands.report.options.export.help, kind);
});
