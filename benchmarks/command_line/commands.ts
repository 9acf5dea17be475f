/** @file The commands, their options, and which of these are paths. */
import { parseArgs } from "@std/cli/parse-args";
import { UserError } from "../../errors/user_error.ts";

/** How an option is given. */
export type OptionKind =
  /** Alone, without a value. */
  | "flag"
  /** Once, with a text. */
  | "text"
  /** With texts and commas between them; given again, the list goes on. */
  | "list"
  /** Once, with a path. */
  | "path"
  /** With a path, as often as one likes. */
  | "paths";

/** What an argument that is no option stands for. */
export type PositionalKind =
  /** A sweep's name, or the path of its file or of a stored run's. */
  | "sweep"
  /** A path. */
  | "path"
  /** A name of something else. */
  | "name";

/** What a command takes. */
export interface Command {
  /** By name, without the dashes. */
  readonly options: Readonly<Record<string, OptionKind>>;
  /** Null where a command takes none. */
  readonly positional: PositionalKind | null;
}

const gpu = { "gpu-tflops": "text", "gpu-gbs": "text", "gpu-efficiency": "text" } as const;

const bench = {
  options: {
    tasks: "list",
    optimizers: "list",
    ranks: "list",
    peaks: "list",
    seeds: "list",
    steps: "text",
    data: "path",
    examples: "text",
    model: "path",
    rates: "path",
    ...gpu,
    out: "path",
    "may-read": "paths",
    "train-on-test": "flag",
    "dry-run": "flag",
    list: "flag",
    json: "flag",
  },
  positional: "sweep",
} as const;

/** What the command line knows. */
export const commands = {
  bench,
  // What it may do more, the process was given at its start.
  "bench-python": bench,
  report: {
    options: { ...gpu, export: "list", against: "path", out: "path", "with-peft": "paths", json: "flag" },
    positional: null,
  },
  watch: { options: { port: "text" }, positional: "path" },
  pretrain: {
    options: { out: "path", steps: "text", data: "path", "train-on-test": "flag", examples: "text" },
    positional: "name",
  },
  tune: { options: { json: "flag" }, positional: null },
} as const satisfies Readonly<Record<string, Command>>;

/** The name of a command. */
export type CommandName = keyof typeof commands;

/** True for the name of a command. */
export function isCommand(name: string): name is CommandName {
  return Object.hasOwn(commands, name);
}

/** The arguments of a command, read. */
export interface Arguments {
  /** Values by option; those of a list joined by commas. */
  readonly texts: ReadonlyMap<string, string>;
  /** Values of options that may be given again. */
  readonly paths: ReadonlyMap<string, readonly string[]>;
  readonly flags: ReadonlySet<string>;
  readonly positional: readonly string[];
}

/**
 * Reads the arguments of one command.
 *
 * @throws {UserError} for what it doesn't know, for options without their value, flags with one, and options that are
 * given twice and can't be
 */
export function readArguments(name: CommandName, args: readonly string[]): Arguments {
  const { options, positional: wanted }: Command = commands[name];
  const isFlag = (option: string) => options[option] === "flag";
  const [flagNames, valued] = [
    Object.keys(options).filter(isFlag),
    Object.keys(options).filter((one) => !isFlag(one)),
  ];
  const parsed = parseArgs(joinNegatives(args, valued), {
    boolean: flagNames,
    string: [...valued, "_"],
    collect: valued,
    unknown(argument, key) {
      if (key === undefined) return true;
      const known = Object.keys(options).map((option) => `--${option}`).join(", ");
      throw new UserError(`Cannot find option "${argument.split("=")[0]}" of ${name}: known are ${known}`);
    },
  });
  // parseArgs takes any text behind a flag for yes, but "false".
  for (const argument of args) {
    const [, flag] = /^--([^=]+)=/.exec(argument) ?? [];
    if (flag !== undefined && flagNames.includes(flag)) {
      throw new UserError(`Cannot read ${argument}: it takes no value`);
    }
  }
  const positional = parsed._.map(String);
  if (positional.length > (wanted ? 1 : 0)) {
    throw new UserError(
      `Cannot read "${positional[wanted ? 1 : 0]}": ${name} takes ${wanted ? 1 : "no"} name`,
    );
  }
  const texts = new Map<string, string>(), paths = new Map<string, readonly string[]>();
  for (const option of valued) {
    const kind = options[option], values = [parsed[option]].flat().map(String);
    if (values.length === 0) continue;
    if (values.includes("")) throw new UserError(`Cannot read --${option}: a value is needed after it`);
    if (kind === "paths") paths.set(option, values);
    else if (kind === "list" || values.length === 1) texts.set(option, values.join(","));
    else throw new UserError(`Cannot read --${option} ${values.join(" and ")}: it is needed once`);
  }
  return { texts, paths, flags: new Set(flagNames.filter((flag) => parsed[flag] === true)), positional };
}

/** parseArgs takes what begins with a dash for an option: a negative number goes with the option before it. */
function joinNegatives(args: readonly string[], valued: readonly string[]): string[] {
  return args.reduce<string[]>((joined, argument) => {
    const last = joined.at(-1) ?? "";
    return last.startsWith("--") && valued.includes(last.slice(2)) && /^-\.?\d/.test(argument)
      ? [...joined.slice(0, -1), `${last}=${argument}`]
      : [...joined, argument];
  }, []);
}

/**
 * The same arguments with every path in them changed: options that are paths in both of their forms, and positional
 * ones. What can't be read stays as it is.
 */
export function changePaths(
  name: CommandName,
  args: readonly string[],
  change: (path: string) => string,
): string[] {
  const { options, positional }: Command = commands[name];
  const kindOf = (option: string) => Object.hasOwn(options, option) ? options[option]! : "flag";
  const changeIf = (kind: OptionKind, value: string) =>
    /^paths?$/.test(kind) && value !== "" ? change(value) : value;
  /** Of the option that waits for its value. */
  let open: OptionKind | null = null;
  return args.map((argument) => {
    const [, option, value] = /^--([^=]+)(?:=(.*))?$/s.exec(argument) ?? [];
    if (option !== undefined) {
      open = value === undefined && kindOf(option) !== "flag" ? kindOf(option) : null;
      return value === undefined ? argument : `--${option}=${changeIf(kindOf(option), value)}`;
    }
    const kind = open;
    open = null;
    if (argument.startsWith("-")) return argument;
    if (kind !== null) return changeIf(kind, argument);
    return isPath(positional, argument) ? change(argument) : argument;
  });
}

/** Whether a positional argument is a path: a sweep is one where it has a slash or ends in ".json". */
export function isPath(kind: PositionalKind | null, value: string): boolean {
  return kind === "path" || (kind === "sweep" && (value.includes("/") || value.endsWith(".json")));
}

/** An argument as a shell takes it. */
export function quoteArgument(argument: string): string {
  return /^[\w.,/=:-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}
