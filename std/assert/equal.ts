/** @file Deep equality, told as the first place where two values differ. */

/** Where two values differ first, and what is there. */
export interface Difference {
  /** Steps from the compared values down, e.g. `.layers[3].name`; empty for the values themselves. */
  readonly path: string;
  readonly actual: string;
  readonly expected: string;
}

/**
 * Whether two values are deeply equal: same constructors, same own enumerable keys (one that holds undefined
 * counts), same elements. NaN equals NaN and 0 equals -0. Sets and the keys of Maps are compared without order.
 */
export function equal(actual: unknown, expected: unknown): boolean {
  return firstDifference(actual, expected) === undefined;
}

/** The first difference between two values, or undefined where they are deeply equal, see `equal`. */
export function firstDifference(
  actual: unknown,
  expected: unknown,
): Difference | undefined {
  return compare(actual, expected, "", new Map());
}

/** A value as one text of at most about 400 characters. */
export function format(value: unknown): string {
  const text = Deno.inspect(value, {
    depth: 8,
    iterableLimit: 40,
    strAbbreviateSize: 400,
    colors: false,
  });
  return text.length <= 400 ? text : `${text.slice(0, 400)}…`;
}

function compare(
  actual: unknown,
  expected: unknown,
  path: string,
  seen: Map<object, object>,
): Difference | undefined {
  if (Object.is(actual, expected) || actual === expected) return undefined;
  if (typeof actual === "string" && typeof expected === "string") {
    return compareStrings(actual, expected, path);
  }
  if (!isObject(actual) || !isObject(expected)) {
    return differ(path, format(actual), format(expected));
  }

  // Values that contain themselves: a pair under comparison further up is taken as equal here.
  if (seen.get(actual) === expected) return undefined;
  seen.set(actual, expected);

  const kinds = [constructorOf(actual), constructorOf(expected)];
  if (kinds[0] !== kinds[1]) {
    return differ(path, format(actual), format(expected));
  }
  if (isText(actual)) {
    return String(actual) === String(expected) ? undefined : differ(path, format(actual), format(expected));
  }
  if (actual instanceof Date) {
    const times = [actual.getTime(), (expected as Date).getTime()];
    return Object.is(times[0], times[1]) ? undefined : differ(path, format(actual), format(expected));
  }
  if (actual instanceof WeakMap || actual instanceof WeakSet) {
    throw new TypeError(
      "Cannot compare WeakMaps or WeakSets: their content cannot be read",
    );
  }
  if (actual instanceof ArrayBuffer) {
    return compareBytes(actual, expected as ArrayBuffer, path);
  }
  if (ArrayBuffer.isView(actual) && !(actual instanceof DataView)) {
    return compareElements(
      actual as unknown as ArrayLike<unknown>,
      expected as ArrayLike<unknown>,
      path,
      seen,
    );
  }
  if (actual instanceof DataView) {
    return compareBytes(bytesOf(actual), bytesOf(expected as DataView), path);
  }
  if (actual instanceof Set) {
    return compareSets(actual, expected as Set<unknown>, path, seen);
  }
  if (actual instanceof Map) {
    return compareMaps(actual, expected as Map<unknown, unknown>, path, seen);
  }
  if (Array.isArray(actual)) {
    const difference = compareElements(
      actual,
      expected as unknown[],
      path,
      seen,
    );
    if (difference !== undefined) return difference;
  }
  return compareProperties(actual, expected, path, seen);
}

function compareStrings(
  actual: string,
  expected: string,
  path: string,
): Difference {
  let at = 0;
  while (at < actual.length && actual[at] === expected[at]) at++;
  if (actual.length <= 80 && expected.length <= 80) {
    return differ(path, format(actual), format(expected));
  }
  const around = (text: string) => `…${JSON.stringify(text.slice(Math.max(0, at - 20), at + 60))}…`;
  return differ(
    `${path} from character ${at}`,
    around(actual),
    around(expected),
  );
}

function compareElements(
  actual: ArrayLike<unknown>,
  expected: ArrayLike<unknown>,
  path: string,
  seen: Map<object, object>,
): Difference | undefined {
  const shared = Math.min(actual.length, expected.length);
  for (let i = 0; i < shared; i++) {
    if (Object.is(actual[i], expected[i])) continue;
    const difference = compare(actual[i], expected[i], `${path}[${i}]`, seen);
    if (difference !== undefined) return difference;
  }
  if (actual.length === expected.length) return undefined;
  return differ(
    `${path}.length`,
    String(actual.length),
    String(expected.length),
  );
}

function compareBytes(
  actual: ArrayBufferLike,
  expected: ArrayBufferLike,
  path: string,
): Difference | undefined {
  return compareElements(
    new Uint8Array(actual),
    new Uint8Array(expected),
    path,
    new Map(),
  );
}

function compareSets(
  actual: ReadonlySet<unknown>,
  expected: ReadonlySet<unknown>,
  path: string,
  seen: Map<object, object>,
): Difference | undefined {
  const unmatched = new Set(expected);
  for (const item of actual) {
    const partners = unmatched.has(item)
      ? [item]
      : [...unmatched].filter((other) => matches(item, other, seen));
    if (partners.length === 0) {
      return differ(`${path} (a set)`, `has ${format(item)}`, "has not");
    }
    unmatched.delete(partners[0]);
  }
  for (const item of unmatched) {
    return differ(`${path} (a set)`, "has not", `has ${format(item)}`);
  }
  return undefined;
}

function compareMaps(
  actual: ReadonlyMap<unknown, unknown>,
  expected: ReadonlyMap<unknown, unknown>,
  path: string,
  seen: Map<object, object>,
): Difference | undefined {
  const unmatched = new Map(expected);
  for (const [key, value] of actual) {
    const step = `${path}.get(${format(key)})`;
    const keys = unmatched.has(key)
      ? [key]
      : [...unmatched.keys()].filter((other) => matches(key, other, seen));
    if (keys.length === 0) return differ(step, format(value), "no such key");
    // Keys that are objects may equal several of the other side's, with different values.
    const fitting = keys.findIndex((other) => matches(value, unmatched.get(other), seen));
    if (fitting < 0) return compare(value, unmatched.get(keys[0]), step, seen);
    unmatched.delete(keys[fitting]);
  }
  for (const [key, value] of unmatched) {
    return differ(`${path}.get(${format(key)})`, "no such key", format(value));
  }
  return undefined;
}

function compareProperties(
  actual: object,
  expected: object,
  path: string,
  seen: Map<object, object>,
): Difference | undefined {
  // An Error's message is no enumerable key, yet it is what tells two of them apart.
  if (actual instanceof Error) {
    const difference = compare(
      actual.message,
      (expected as Error).message,
      `${path}.message`,
      seen,
    );
    if (difference !== undefined) return difference;
  }
  const keys = new Set([...ownKeys(actual), ...ownKeys(expected)]);
  for (const key of keys) {
    if (Array.isArray(actual) && typeof key === "string" && /^\d+$/.test(key)) {
      continue;
    }
    const step = typeof key === "string" &&
        /^[\p{ID_Start}_$][\p{ID_Continue}$]*$/u.test(key)
      ? `${path}.${key}`
      : `${path}[${format(key)}]`;
    const [left, right] = [property(actual, key), property(expected, key)];
    if (left === undefined) {
      return differ(step, "no such key", format(right?.value));
    }
    if (right === undefined) {
      return differ(step, format(left.value), "no such key");
    }
    const difference = compare(left.value, right.value, step, seen);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

/** A comparison that may fail and be tried with another partner, so it leaves no trace in `seen`. */
function matches(
  actual: unknown,
  expected: unknown,
  seen: Map<object, object>,
): boolean {
  if (!isObject(actual) || !isObject(expected)) {
    return Object.is(actual, expected) || actual === expected;
  }
  return compare(actual, expected, "", new Map(seen)) === undefined;
}

function differ(path: string, actual: string, expected: string): Difference {
  return { path, actual, expected };
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function isText(value: object): boolean {
  return value instanceof RegExp || value instanceof URL;
}

/** The constructor; an object made without a prototype counts as a plain one. */
function constructorOf(value: object): unknown {
  return Object.getPrototypeOf(value) === null ? Object : value.constructor;
}

function ownKeys(value: object): (string | symbol)[] {
  return Reflect.ownKeys(value).filter((key) => Object.prototype.propertyIsEnumerable.call(value, key));
}

function property(
  value: object,
  key: string | symbol,
): { readonly value: unknown } | undefined {
  return Object.hasOwn(value, key) ? { value: Reflect.get(value, key) } : undefined;
}

function bytesOf(view: DataView): ArrayBufferLike {
  return view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
}
