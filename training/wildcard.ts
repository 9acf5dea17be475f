/** @file Patterns in which `*` stands for any characters, matched in one pass: no pattern, however made, takes long. */

/** True where the whole of `name` fits `pattern`. */
export function matchesWildcard(pattern: string, name: string): boolean {
  const [first, ...others] = pattern.split("*"), last = others.pop();
  if (last === undefined) return name === pattern;
  const end = name.length - last.length;
  let at = first!.length;
  if (end < at || !name.startsWith(first!) || !name.endsWith(last)) return false;
  // Each part at its first place leaves most room for those behind it.
  for (const part of others) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= end;
}
