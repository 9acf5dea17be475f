/** @file What files have, as errors show it, on one line and of few characters, whatever it is; and words for a shell. */

/** A name in quotation marks. */
export function quote(name: string): string {
  return cut(JSON.stringify(name), 160);
}

/** "a decoder", "an encoder". */
export function withArticle(word: string): string {
  return `${/^[aeiou]/i.test(word) ? "an" : "a"} ${word}`;
}

/** A value from JSON. */
export function show(value: unknown): string {
  return cut(JSON.stringify(value) ?? "undefined", 80);
}

/** Names as a sentence lists them: the first of many, each cut where it is long. */
export function listNames(names: readonly string[]): string {
  const shown = names.slice(0, 20).map((name) => cut(name, 80)).join(", ");
  return names.length > 20 ? `${shown} and ${names.length - 20} more` : shown;
}

/** The sizes of a tensor, in brackets. */
export function showShape(shape: readonly number[]): string {
  return `[${cut(shape.join(","), 80)}]`;
}

function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most)}…`;
}

/** An argument as a shell takes it. */
export function quoteArgument(argument: string): string {
  return /^[\w.,/=:@-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}

/** The arguments of a line that `quoteArgument` made. */
export function argumentsOf(line: string): string[] {
  const words = line.match(/(?:[^\s'\\]|\\.|'[^']*')+/g) ?? [];
  return words.map((word) =>
    word.replaceAll(/\\(.)|'([^']*)'/g, (_, escaped?: string, quoted?: string) => escaped ?? quoted ?? "")
  );
}

/** A command as it is typed on another machine: what lies in folders of this one goes by its own name, in `results/`. */
export function asTypedElsewhere(command: string): string {
  return argumentsOf(command).map((argument) =>
    quoteArgument(argument.replace(/^(--[\w-]+=)?\/(?:.*\/)?([^/]+)\/*$/, "$1results/$2"))
  ).join(" ");
}
