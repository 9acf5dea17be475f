/** @file What files have, as errors show it, on one line and of few characters, whatever it is; and words for a shell. */

/** A name in quotation marks. */
export function quote(name: string): string {
  return cut(JSON.stringify(name), 160);
}

/** A value from JSON. */
export function show(value: unknown): string {
  return cut(JSON.stringify(value) ?? "undefined", 80);
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
