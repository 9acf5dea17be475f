/** @file Help texts, from the table of commands. */
import { type Command, type CommandName, commands, type Option } from "./commands.ts";
import { fold, plain, type Style } from "./terminal.ts";

/** Columns that help takes at most. */
const WIDTH = 80;

const exitCodes =
  "Exit codes: 0 done, 1 a fault of ours, 2 something to mend in what was asked, 130 stopped.";

/** What `./run` says when it is called alone: every command in one line. */
export function describeCommands({ bold, green }: Style = plain): string {
  const names = Object.keys(commands), width = Math.max(...names.map(({ length }) => length)) + 2;
  const rows = Object.entries<Command>(commands).map(([name, { summary }]) =>
    `  ${green(name.padEnd(width))}${summary}`
  );
  return [
    "Compares fine-tuning methods, and says what the difference is worth.",
    "",
    `${bold("Usage:")} ./run COMMAND [options]`,
    "",
    bold("Commands:"),
    ...rows,
    "",
    ...fold(
      "./run COMMAND --help says what a command takes. docs/tutorial.md is a start of ten minutes; for work on the " +
        "harness itself there is ./run test, see CONTRIBUTING.md.",
      WIDTH,
    ),
  ].join("\n");
}

/** What a command takes, with an example. */
export function describeCommand(name: CommandName, { bold, green, dim }: Style = plain): string {
  const { summary, details, options, positional, examples }: Command = commands[name];
  const argument = positional === null
    ? ""
    : positional.isNeeded
    ? ` ${positional.value}${positional.isMany ? " …" : ""}`
    : ` [${positional.value}]`;
  const rest = Object.keys(options).length > 0 ? " [options]" : "";
  const groups = Map.groupBy(Object.entries(options), ([, { group = "Options" }]) => group);
  const rows = (entries: readonly (readonly [string, string])[]) => {
    const width = Math.max(...entries.map(([left]) => left.length)) + 4;
    return entries.flatMap(([left, help]) =>
      fold(help, WIDTH - width).map((line, i) =>
        i === 0 ? `  ${green(left.padEnd(width - 2))}${line}` : `${" ".repeat(width)}${line}`
      )
    );
  };
  // "  ./run " before a line, "  # " before its meaning.
  const areShort = examples.every(([line, meaning]) => line.length + meaning.length + 12 <= WIDTH);
  return [
    ...fold(`${summary[0]!.toUpperCase()}${summary.slice(1)}.`, WIDTH),
    "",
    `${bold("Usage:")} ./run ${name}${argument}${rest}`,
    ...positional === null ? [] : ["", ...rows([[positional.value, positional.help]])],
    ...Array.from(groups, ([group, entries]) => [
      "",
      bold(`${group}:`),
      ...rows(entries.map(([option, of]) => [spell(option, of), of.help])),
    ]).flat(),
    "",
    bold(examples.length === 1 ? "Example:" : "Examples:"),
    ...examples.flatMap(([line, meaning]) =>
      areShort ? [`  ./run ${line}  ${dim(`# ${meaning}`)}`] : [`  ${dim(`# ${meaning}`)}`, `  ./run ${line}`]
    ),
    ...details === undefined ? [] : ["", ...fold(details, WIDTH)],
    "",
    ...fold(exitCodes, WIDTH),
  ].join("\n");
}

/** An option with what stands for its value. */
function spell(name: string, { value }: Option): string {
  return value === "" ? `--${name}` : `--${name} ${value}`;
}
