/** @file `./run completions`: what makes a shell complete `./run`, from the table of commands and the names that are known. */
import { UserError } from "../../errors/user_error.ts";
import { unknownName } from "../../errors/unknown_name.ts";
import { exportKinds } from "../report/exports/write_exports.ts";
import { listSweeps } from "../sweep/sweep_files.ts";
import type { CommandDeps } from "./command_deps.ts";
import {
  type Command,
  commands,
  type Names,
  type Option,
  type Positional,
  readArguments,
} from "./commands.ts";

export async function completionsCommand(args: string[], deps: CommandDeps): Promise<number> {
  const { positional: [shell] } = readArguments("completions", args);
  const { tasks, optimizers, models } = await deps.registries();
  const ids = (entries: Readonly<Record<string, { readonly id: string }>>) =>
    Object.values(entries).map(({ id }) => id);
  const known = {
    task: ids(tasks),
    optimizer: ids(optimizers),
    model: ids(models),
    sweep: (await listSweeps()).map(({ id }) => id),
    export: exportKinds,
  };
  const program = decodeURIComponent(new URL("../../run", import.meta.url).pathname);
  deps.print(completionsFor(shell, known, program).trimEnd());
  return 0;
}

/** Known names by what they are of. */
export type KnownNames = Readonly<Record<Extract<Names, string>, readonly string[]>>;

/** A shell that there is a script for. */
export const shells = ["bash", "zsh", "fish"] as const;

/**
 * The script for a shell.
 *
 * @param program the absolute path of `run`: another program of that name is left alone
 * @throws {UserError} for a shell that there is none for
 */
export function completionsFor(shell: string | undefined, known: KnownNames, program: string): string {
  switch (shell) {
    case "bash":
      return forBash(known, program);
    case "zsh":
      return forZsh(known, program);
    case "fish":
      return forFish(known, program);
    case undefined:
      throw new UserError(`Cannot print completions: the name of a shell is needed, ${shells.join(", ")}`);
    default:
      throw unknownName(`shell "${shell}"`, shell, shells);
  }
}

/** What a value can be: words, paths, or nothing that anybody knows. */
interface Values {
  readonly words: readonly string[];
  readonly arePaths: boolean;
  /** True where several may be given with commas between them. */
  readonly isList: boolean;
}

function valuesOf({ kind, names }: Option | Positional, known: KnownNames): Values {
  const words = names === undefined ? [] : typeof names === "string" ? known[names] : names;
  return { words, arePaths: kind === "sweep" || kind.startsWith("path"), isList: kind === "list" };
}

const all = Object.entries<Command>(commands);
const valuedOf = ({ options }: Command) => Object.entries(options).filter(([, { kind }]) => kind !== "flag");

/** A text in single quotes, as a POSIX shell takes it. */
const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

function forBash(known: KnownNames, program: string): string {
  const offer = ({ words, arePaths, isList }: Values) =>
    [
      ...words.length > 0 ? [`${isList ? "_harness_list" : "_harness_words"} ${quote(words.join(" "))}`] : [],
      ...arePaths ? ["_harness_paths"] : [],
      ...words.length === 0 && !arePaths ? [":"] : [],
    ].join("; ");
  const cases = all.map(([name, command]) => {
    const { options, positional } = command;
    const spelled = Object.keys(options).map((option) => `--${option}`).join(" ");
    return [
      `    ${name})`,
      "      case $option in",
      ...valuedOf(command).map(([option, of]) => `        --${option}) ${offer(valuesOf(of, known))} ;;`),
      `        *) case $word in -*) _harness_words ${quote(`${spelled} --help`)} ;; *) ${
        positional ? offer(valuesOf(positional, known)) : ":"
      } ;; esac ;;`,
      "      esac ;;",
    ].join("\n");
  });
  return `# Completes ./run in bash. Made by "./run completions bash".
_harness_words() { COMPREPLY+=($(compgen -W "$1" -- "$word")); }
_harness_paths() { compopt -o filenames 2>/dev/null; COMPREPLY+=($(IFS=$'\\n'; compgen -f -- "$word")); }
# Completes the last of several names with commas between them.
_harness_list() {
  local before= last=$word name
  case $word in *,*) before=\${word%,*}, last=\${word##*,} ;; esac
  for name in $(compgen -W "$1" -- "$last"); do COMPREPLY+=("$before$name"); done
  compopt -o nospace 2>/dev/null
}
_harness() {
  local word=\${COMP_WORDS[COMP_CWORD]} option=\${COMP_WORDS[COMP_CWORD-1]} IFS=$' \\t\\n'
  COMPREPLY=()
  [ "$1" -ef ${quote(program)} ] || return 0
  # Bash takes "--option=value" for three words.
  if [ "$word" = = ]; then word=; elif [ "$option" = = ]; then option=\${COMP_WORDS[COMP_CWORD-2]}; fi
  [ "$COMP_CWORD" -gt 1 ] || { _harness_words ${quote(all.map(([name]) => name).join(" "))}; return 0; }
  case \${COMP_WORDS[1]} in
${cases.join("\n")}
  esac
}
complete -o default -F _harness run
`;
}

function forZsh(known: KnownNames, program: string): string {
  // In _arguments a colon ends a part and a bracket the help.
  const plain = (text: string) => text.replaceAll(/[[\]:\\]/g, "\\$&");
  const action = ({ words, arePaths, isList }: Values) => {
    const list = words.join(" ");
    if (words.length === 0) return arePaths ? "_files" : " ";
    if (isList) return `_sequence compadd - ${list}`;
    return arePaths ? "_harness_sweeps" : `(${list})`;
  };
  const cases = all.map(([name, { options, positional }]) => {
    const specs = Object.entries(options).map(([option, of]) => {
      const values = of.kind === "flag" ? "" : `:${of.value}:${action(valuesOf(of, known))}`;
      const often = ["paths", "texts", "list"].includes(of.kind) ? "*" : "";
      return quote(`${often}--${option}${of.kind === "flag" ? "" : "="}[${plain(of.help)}]${values}`);
    });
    const argument = positional
      ? [quote(`1:${positional.value}:${action(valuesOf(positional, known))}`)]
      : [];
    return `    ${name}) _arguments -s ${
      [...specs, quote("--help[say what it takes]"), ...argument].join(" \\\n      ")
    } ;;`;
  });
  return `#compdef run
# Completes ./run in zsh. Made by "./run completions zsh".
_harness_sweeps() { compadd -- ${known.sweep.join(" ")}; _files }
_harness() {
  [[ $words[1] -ef ${quote(program)} ]] || { _default; return }
  if (( CURRENT == 2 )); then
    local -a names=(
${all.map(([name, { summary }]) => `      ${quote(`${name}:${summary}`)}`).join("\n")}
    )
    _describe command names
    return
  fi
  local name=$words[2]
  shift words
  (( CURRENT-- ))
  case $name in
${cases.join("\n")}
  esac
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
compdef _harness run
`;
}

function forFish(known: KnownNames, program: string): string {
  // Fish's single quotes take a backslash before a quote and before a backslash.
  const quoted = (text: string) => `'${text.replaceAll(/['\\]/g, "\\$&")}'`;
  const after = (name: string) => `-n ${quoted(`__harness_is; and __fish_seen_subcommand_from ${name}`)}`;
  const offer = ({ words, arePaths, isList }: Values) => {
    if (words.length === 0) return arePaths ? "-F" : "-f";
    const list = quoted(isList ? `(__harness_list ${words.join(" ")})` : words.join(" "));
    return `${arePaths ? "-F" : "-f"} -a ${list}`;
  };
  const lines = all.flatMap(([name, { summary, options, positional }]) => [
    `complete -c run -n '__harness_is; and __harness_begins' -f -a ${name} -d ${quoted(summary)}`,
    ...Object.entries(options).map(([option, of]) =>
      `complete -c run ${after(name)} -l ${option} ${
        of.kind === "flag" ? "" : `-r ${offer(valuesOf(of, known))} `
      }-d ${quoted(of.help)}`
    ),
    `complete -c run ${after(name)} ${positional ? offer(valuesOf(positional, known)) : "-f"}`,
  ]);
  return `# Completes ./run in fish. Made by "./run completions fish".
function __harness_is
  test (path resolve -- (commandline -opc)[1]) = ${quoted(program)}
end
function __harness_begins
  test (count (commandline -opc)) -eq 1
end
# Completes the last of several names with commas between them.
function __harness_list
  set -l before (string match -r '^(?:--[^=]*=)?(.*,)' -- (commandline -ct))[2]
  printf '%s\\n' "$before"$argv
end
${lines.join("\n")}
`;
}
