/**
 * @file Reads command-line arguments, with the behaviour of jsr:@std/cli's `parseArgs` (itself after minimist).
 *
 * The types are simpler than the original's: aliases and dotted names are `unknown`, and whatever is not declared
 * `boolean`, `string` or `collect` is `unknown` too where the original sometimes says `any`.
 */

/** What `parseArgs` is told about the options. */
export interface ParseOptions<
  B extends string = string,
  S extends string = string,
  C extends string = string,
  N extends string = string,
  D extends Readonly<Record<string, unknown>> = Readonly<Record<string, unknown>>,
  DD extends boolean = boolean,
> {
  /** Puts what follows `--` under `"--"` in the result, instead of at the end of `_`. */
  "--"?: DD;
  /** Other names of an option. */
  alias?: Readonly<Record<string, string | readonly string[]>>;
  /** Options that take no value and are false by default; true means every `--name` that has no `=`. */
  boolean?: boolean | B | readonly B[];
  /** Values of options that were not given. */
  default?: D;
  /** Puts everything from the first argument that is no option into `_`. */
  stopEarly?: boolean;
  /** Options whose value stays a text, also where it looks like a number; `_` for the arguments that are no options. */
  string?: S | readonly S[];
  /** Options that may be repeated: their values are a list. Of others the last value counts. */
  collect?: C | readonly C[];
  /** Options that `--no-name` sets to false. */
  negatable?: N | readonly N[];
  /** Hears of each argument that is declared nowhere; where it returns false the argument is left out. */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

type Item<K extends string, B extends string, S extends string> = K extends S ? string
  : K extends B ? boolean
  : unknown;

type Value<K extends string, B extends string, S extends string, C extends string, N extends string> =
  | (K extends C ? Item<K, B, S>[] : Item<K, B, S>)
  | (K extends N ? false : never);

/** Names that were declared one by one: `boolean: true` declares none. */
type Declared<K extends string> = string extends K ? never : Exclude<K, "_">;

/** The parsed arguments. */
export type Args<
  B extends string = never,
  S extends string = never,
  C extends string = never,
  N extends string = never,
  D extends Readonly<Record<string, unknown>> = Record<never, never>,
  DD extends boolean = false,
> =
  & Record<string, unknown>
  // Always there: booleans, lists, and what has a default.
  & { [K in Exclude<B | C, keyof D>]: Value<K, B, S, C, N> }
  & { [K in keyof D]: K extends B | S | C ? Value<K, B, S, C, N> | D[K] : unknown }
  & { [K in Exclude<S, keyof D | C | B>]?: Value<K, B, S, C, N> }
  & {
    /** The arguments that belong to no option; numbers where they look like one. */
    _: (string | number)[];
  }
  & (DD extends true ? { "--": string[] } : Record<never, never>);

/**
 * Reads arguments such as `Deno.args`.
 *
 * `--name value`, `--name=value`, `--flag`, `-n value`, `-n5`, `-abc` (three flags) and `--no-name` are understood;
 * dots in names make nested objects (`--a.b 3` is `{ a: { b: 3 } }`). Values that look like numbers become numbers
 * where the option is not declared `string`.
 */
export function parseArgs<
  B extends string = never,
  S extends string = never,
  C extends string = never,
  N extends string = never,
  D extends Readonly<Record<string, unknown>> = Record<never, never>,
  DD extends boolean = false,
>(
  args: string[],
  options: ParseOptions<B, S, C, N, D, DD> = {},
): Args<Declared<B>, Declared<S>, Declared<C>, N, D, DD> {
  const aliases = aliasesOf(options.alias ?? {});
  const withAliases = (names: boolean | string | readonly string[] | undefined) =>
    new Set(listOf(names).flatMap((name) => [name, ...(aliases.get(name) ?? [])]));
  const booleans = withAliases(options.boolean);
  const strings = withAliases(options.string);
  const collected = withAliases(options.collect);
  const negatable = withAliases(options.negatable);
  const allBooleans = options.boolean === true;

  const result: Record<string, unknown> = { _: [] };
  const rest: (string | number)[] = [];

  const isKnown = (key: string, arg: string) =>
    booleans.has(key) || strings.has(key) || aliases.has(key) || (allBooleans && /^--[^=]+$/.test(arg));

  const set = (key: string, value: string | boolean, arg: string, append = true) => {
    if (!isKnown(key, arg) && options.unknown?.(arg, key, value) === false) return;
    const read = typeof value === "string" && !strings.has(key) ? numberOr(value) : value;
    for (const name of [key, ...(aliases.get(key) ?? [])]) {
      setNested(result, name.split("."), read, append && collected.has(key));
    }
  };

  const absent = (key: string) => strings.has(key) ? "" : true;

  /** Sets an option from the argument after it, where that one is its value. Returns how many arguments it took. */
  const setFromNext = (
    key: string,
    arg: string,
    next: string | undefined,
    isValue: (next: string) => boolean,
  ): number => {
    if (next !== undefined && isValue(next)) {
      set(key, next, arg);
      return 1;
    }
    if (next === "true" || next === "false") {
      set(key, next === "true", arg);
      return 1;
    }
    set(key, absent(key), arg);
    return 0;
  };

  const setLong = (arg: string, next: string | undefined): number => {
    const equals = arg.indexOf("=");
    const key = arg.slice(2, equals < 0 ? undefined : equals);
    if (equals >= 0) {
      const value = arg.slice(equals + 1);
      set(key, booleans.has(key) ? value !== "false" : value, arg);
      return 0;
    }
    const positive = key.slice("no-".length);
    if (key.startsWith("no-") && negatable.has(positive)) {
      set(positive, false, arg, false);
      return 0;
    }
    return setFromNext(
      key,
      arg,
      next,
      (next) => !booleans.has(key) && !allBooleans && !next.startsWith("-"),
    );
  };

  const setShort = (arg: string, next: string | undefined): number => {
    for (let j = 1; j < arg.length; j++) {
      const letter = arg.charAt(j);
      const tail = arg.slice(j + 1);
      if (tail === "") {
        return setFromNext(
          letter,
          arg,
          next,
          (next) => !booleans.has(letter) && !/^--?[^-]/.test(next),
        );
      }
      const isLetter = /[A-Za-z]/.test(letter);
      if (isLetter && tail.startsWith("=")) {
        set(letter, tail.slice(1), arg);
        return 0;
      }
      // "-n5", "-I/usr" and "-f-": the rest is the value.
      if ((isLetter && /^-?\d+(\.\d*)?(e-?\d+)?$/.test(tail)) || /^\W/.test(tail)) {
        set(letter, tail, arg);
        return 0;
      }
      set(letter, absent(letter), arg);
    }
    return 0;
  };

  const end = args.indexOf("--");
  const parsed = end < 0 ? args : args.slice(0, end);
  const unparsed = end < 0 ? [] : args.slice(end + 1);
  for (let i = 0; i < parsed.length; i++) {
    const arg = parsed[i]!;
    if (/^--./s.test(arg)) {
      i += setLong(arg, parsed[i + 1]);
    } else if (/^-./s.test(arg)) {
      i += setShort(arg, parsed[i + 1]);
    } else {
      if (options.unknown?.(arg) !== false) rest.push(strings.has("_") ? arg : numberOr(arg));
      if (options.stopEarly) {
        rest.push(...parsed.slice(i + 1));
        break;
      }
    }
  }

  for (const [name, value] of Object.entries(options.default ?? {})) {
    if (hasNested(result, name.split("."))) continue;
    for (const key of [name, ...(aliases.get(name) ?? [])]) setNested(result, key.split("."), value);
  }
  for (const name of booleans) {
    if (!hasNested(result, name.split("."))) {
      setNested(result, name.split("."), collected.has(name) ? [] : false);
    }
  }
  for (const name of collected) {
    if (!hasNested(result, name.split("."))) setNested(result, name.split("."), []);
  }
  put(result, "_", options["--"] ? rest : [...rest, ...unparsed]);
  if (options["--"]) put(result, "--", unparsed);
  // The one place where what was declared in types and what was parsed at run time meet.
  return result as Args<Declared<B>, Declared<S>, Declared<C>, N, D, DD>;
}

function listOf(names: boolean | string | readonly string[] | undefined): readonly string[] {
  if (names === undefined || typeof names === "boolean") return [];
  return typeof names === "string" ? [names] : names;
}

/** For each name, the other names of the same option. */
function aliasesOf(
  alias: Readonly<Record<string, string | readonly string[]>>,
): Map<string, readonly string[]> {
  const aliases = new Map<string, readonly string[]>();
  for (const [key, others] of Object.entries(alias)) {
    const names = [key, ...listOf(others)];
    for (const name of names) aliases.set(name, names.filter((other) => other !== name));
  }
  return aliases;
}

function numberOr(text: string): string | number {
  const isNumber = /^0x[0-9a-f]+$/i.test(text) || /^[-+]?(?:\d+(?:\.\d*)?|\.\d+)(e[-+]?\d+)?$/.test(text);
  return isNumber ? Number(text) : text;
}

function setNested(object: object, path: readonly string[], value: unknown, append = false): void {
  const [key = "", ...further] = path;
  const old: unknown = Object.hasOwn(object, key) ? Reflect.get(object, key) : undefined;
  if (further.length > 0) {
    const inner = typeof old === "object" && old !== null ? old : {};
    if (inner !== old) put(object, key, inner);
    setNested(inner, further, value, append);
  } else if (append) {
    put(object, key, Array.isArray(old) ? [...old, value] : [value]);
  } else {
    put(object, key, value);
  }
}

function hasNested(object: object, path: readonly string[]): boolean {
  const [key = "", ...further] = path;
  if (!Object.hasOwn(object, key)) return false;
  if (further.length === 0) return true;
  const inner: unknown = Reflect.get(object, key);
  return typeof inner === "object" && inner !== null && hasNested(inner, further);
}

/** Assigns; "__proto__" becomes a plain key, not the prototype. */
function put(object: object, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
}
