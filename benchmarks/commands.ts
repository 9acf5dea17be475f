/** @file The commands, their options, and which of these are paths. */
import { parseArgs } from "node:util";
import { UserError } from "../training/user_error.ts";

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
  pretrain: { options: { out: "path", steps: "text", data: "path", examples: "text" }, positional: "name" },
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
  const given = new Map<string, string[]>(), flags = new Set<string>(), positional: string[] = [];
  for (const token of tokensOf(name, args)) {
    if (token.kind === "positional") positional.push(token.value);
    if (token.kind !== "option") continue;
    const { rawName, value, inlineValue } = token;
    const kind = Object.hasOwn(options, token.name) && rawName.startsWith("--") ? options[token.name] : null;
    if (!kind) {
      const known = Object.keys(options).map((option) => `--${option}`).join(", ");
      throw new UserError(`Cannot find option "${rawName}" of ${name}: known are ${known}`);
    }
    if (kind === "flag") {
      if (value !== undefined) throw new UserError(`Cannot read ${rawName}=${value}: it takes no value`);
      flags.add(token.name);
      continue;
    }
    // What begins with a dash is taken for the next option, unless it is a number: --out=-x means the other.
    if (value === undefined || value === "" || (!inlineValue && /^-(?![\d.])/.test(value))) {
      throw new UserError(`Cannot read ${rawName}: a value is needed after it`);
    }
    given.set(token.name, [...given.get(token.name) ?? [], value]);
  }
  if (positional.length > (wanted ? 1 : 0)) {
    throw new UserError(
      `Cannot read "${positional[wanted ? 1 : 0]}": ${name} takes ${wanted ? 1 : "no"} name`,
    );
  }
  const texts = new Map<string, string>(), paths = new Map<string, readonly string[]>();
  for (const [option, values] of given) {
    const kind = options[option];
    if (kind === "paths") paths.set(option, values);
    else if (kind === "list" || values.length === 1) texts.set(option, values.join(","));
    else throw new UserError(`Cannot read --${option} ${values.join(" and ")}: it is needed once`);
  }
  return { texts, paths, flags, positional };
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
  const changed = [...args];
  for (const token of tokensOf(name, args)) {
    if (token.kind === "positional") {
      if (isPath(positional, token.value)) changed[token.index] = change(token.value);
    } else if (token.kind === "option" && token.value && /^paths?$/.test(options[token.name] ?? "")) {
      if (token.inlineValue) changed[token.index] = `${token.rawName}=${change(token.value)}`;
      else changed[token.index + 1] = change(token.value);
    }
  }
  return changed;
}

/** Whether a positional argument is a path: a sweep is one where it has a slash or ends in ".json". */
export function isPath(kind: PositionalKind | null, value: string): boolean {
  return kind === "path" || (kind === "sweep" && (value.includes("/") || value.endsWith(".json")));
}

function tokensOf(name: CommandName, args: readonly string[]) {
  const types = Object.entries<OptionKind>(commands[name].options).map(([option, kind]) =>
    [option, { type: kind === "flag" ? "boolean" : "string" }] as const
  );
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(types),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  return tokens;
}

/** An argument as a shell takes it. */
export function quoteArgument(argument: string): string {
  return /^[\w.,/=:-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}
