import {
  assert,
  assertAlmostEquals,
  assertArrayIncludes,
  assertEquals,
  assertExists,
  assertGreater,
  assertGreaterOrEqual,
  AssertionError,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  equal,
  fail,
} from "./mod.ts";

/** The message of the AssertionError that a function throws: without assertThrows, which is under test itself. */
function failure(fn: () => unknown): string {
  try {
    fn();
  } catch (error) {
    if (error instanceof AssertionError) return error.message;
    throw error;
  }
  throw new Error("Nothing was thrown");
}

function check(condition: boolean, what: string): void {
  if (!condition) throw new Error(`Does not hold: ${what}`);
}

Deno.test("assert() throws an AssertionError with the message where the condition is falsy", () => {
  assert(1);
  check(failure(() => assert(0, "no zero")) === "no zero", "message");
  check(failure(() => assert("")) === "", "empty message");
});

Deno.test("equal() holds for equal values of every kind and fails for each near miss", () => {
  const cyclic = (name: string) => {
    const value: { name: string; self?: unknown } = { name };
    value.self = value;
    return value;
  };
  const same: [unknown, unknown][] = [
    [NaN, NaN],
    [0, -0],
    [[], []],
    [{ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] }],
    [{ a: 1, b: 2 }, { b: 2, a: 1 }],
    [Object.create(null), {}],
    [new Float32Array([1, NaN]), new Float32Array([1, NaN])],
    [new Map([["a", 1], ["b", 2]]), new Map([["b", 2], ["a", 1]])],
    [
      new Map([[{ k: 1 }, 1], [{ k: 2 }, 2]]),
      new Map([[{ k: 2 }, 2], [{ k: 1 }, 1]]),
    ],
    [new Map([[undefined, 1]]), new Map([[undefined, 1]])],
    [new Set([1, undefined, NaN]), new Set([NaN, undefined, 1])],
    [new Set([{ a: 1 }, { a: 2 }]), new Set([{ a: 2 }, { a: 1 }])],
    [new Date(NaN), new Date(NaN)],
    [/a/g, /a/g],
    [new Error("a"), new Error("a")],
    [new Uint8Array([1, 2]).buffer, new Uint8Array([1, 2]).buffer],
    [cyclic("a"), cyclic("a")],
  ];
  for (const [a, b] of same) {
    check(equal(a, b) && equal(b, a), Deno.inspect([a, b]));
  }
  const different: [unknown, unknown][] = [
    [1, "1"],
    [null, undefined],
    [null, {}],
    [{ a: undefined }, {}],
    [{ a: undefined }, { b: undefined }],
    [[undefined], []],
    [[1, 2], [1, 2, 3]],
    [[1], { 0: 1 }],
    [[1], new Uint8Array([1])],
    [new Float32Array([1]), new Float64Array([1])],
    [new Float32Array([1, 2]), new Float32Array([1, 3])],
    [new Float32Array([1, 2]), new Float32Array([1])],
    [new Map([["a", 1]]), new Map([["a", 2]])],
    [new Map([["a", 1]]), new Map([["b", 1]])],
    [new Map([["a", undefined]]), new Map([["b", undefined]])],
    [new Map([[{ k: 1 }, 1]]), new Map([[{ k: 1 }, 2]])],
    [new Map(), new Set()],
    [new Set([1]), new Set([2])],
    [new Set([{ a: 1 }]), new Set([{ a: 2 }])],
    [new Set([undefined]), new Set([1])],
    [new Date(0), new Date(1)],
    [/a/g, /a/i],
    [new Error("a"), new Error("b")],
    [new Error("a"), new TypeError("a")],
    [new Uint8Array([1, 2]).buffer, new Uint8Array([1, 3]).buffer],
    [cyclic("a"), cyclic("b")],
    [Symbol("a"), Symbol("a")],
    [() => 1, () => 1],
  ];
  for (const [a, b] of different) {
    check(!equal(a, b) && !equal(b, a), Deno.inspect([a, b]));
  }
});

Deno.test("assertEquals() names the first difference, both values there and the caller's message", () => {
  const actual = { layers: [{ name: "q", rank: 8 }, { name: "k", rank: 8 }] };
  const expected = {
    layers: [{ name: "q", rank: 8 }, { name: "k", rank: 16 }],
  };
  const message = failure(() => assertEquals(actual, expected, "ranks"));
  for (
    const part of [
      "Values are not equal: ranks",
      ".layers[1].rank",
      "actual:   8",
      "expected: 16",
    ]
  ) {
    check(message.includes(part), `${part} in ${message}`);
  }
});

Deno.test("assertEquals() shows typed arrays' index, Maps' key, Sets' item, missing keys and long strings' place", () => {
  const cases: [unknown, unknown, string][] = [
    [new Float32Array([0, 1.5]), new Float32Array([0, 2.5]), "[1]"],
    [[1, 2], [1], ".length"],
    [new Map([["a", [1]]]), new Map([["a", [2]]]), '.get("a")[0]'],
    [new Set(["x"]), new Set(["y"]), '(a set)\n    actual:   has "x"'],
    [{ "two words": undefined }, {}, '["two words"]'],
    ["x".repeat(100) + "a", "x".repeat(100) + "b", "from character 100"],
    [1, 2, "the value itself"],
  ];
  for (const [actual, expected, part] of cases) {
    const message = failure(() => assertEquals(actual, expected));
    check(message.includes(part), `${part} in ${message}`);
  }
});

Deno.test("assertEquals() keeps the message of a huge value short", () => {
  check(
    failure(() => assertEquals(new Float32Array(1e6), new Float32Array(1e6).fill(1))).length < 2000,
    "short",
  );
});

Deno.test("assertNotEquals() fails where values are deeply equal", () => {
  assertNotEquals([1], [2]);
  check(
    failure(() => assertNotEquals([1], [1], "lists")).includes("lists"),
    "message",
  );
});

Deno.test("assertStrictEquals() tells an equal value from the same one", () => {
  const list = [1];
  assertStrictEquals(list, list);
  assertStrictEquals(NaN, NaN);
  check(
    failure(() => assertStrictEquals([1], [1])).includes(
      "equal, but not the same",
    ),
    "reference",
  );
  check(
    failure(() => assertStrictEquals(0, -0)).includes("not the same"),
    "negative zero",
  );
  check(
    failure(() => assertStrictEquals(1, 2)).includes("not strictly equal"),
    "value",
  );
});

Deno.test("assertAlmostEquals() takes an absolute tolerance, or 1e-7 of what is expected", () => {
  assertAlmostEquals(0.1 + 0.2, 0.3);
  assertAlmostEquals(1, 1.05, 0.1);
  assertAlmostEquals(Infinity, Infinity);
  for (
    const [a, b] of [[1, 1.001], [NaN, 1], [1, NaN], [Infinity, -Infinity], [
      1,
      Infinity,
    ]] as const
  ) {
    check(
      failure(() => assertAlmostEquals(a, b)).includes("within"),
      `${a} and ${b}`,
    );
  }
});

Deno.test("assertThrows() returns the error and checks its class and message", () => {
  const error = assertThrows(
    () => decodeURIComponent("%"),
    URIError,
    "malformed",
  );
  check(error instanceof URIError, "returned");
  const raise = (value: unknown) => () => {
    throw value;
  };
  check(assertThrows(raise(3)) === 3, "any value");
  check(
    failure(() => assertThrows(() => 1, "must")).includes(
      "Expected function to throw: must",
    ),
    "no throw",
  );
  check(
    failure(() => assertThrows(raise(new Error("a")), RangeError)).includes(
      'but was "Error"',
    ),
    "class",
  );
  check(
    failure(() => assertThrows(raise(new Error("a")), Error, "b")).includes(
      'but got "a"',
    ),
    "message",
  );
  check(
    failure(() => assertThrows(raise("text"), Error)).includes(
      "Expected an Error",
    ),
    "no error",
  );
});

Deno.test("assertRejects() returns the error, and refuses a synchronous throw and a value that is no promise", async () => {
  const reject = (value: unknown) => () => Promise.reject(value);
  const error = await assertRejects(
    reject(new RangeError("too far")),
    RangeError,
    "far",
  );
  check(error.message === "too far", "returned");
  check(await assertRejects(reject(3)) === 3, "any value");
  const failing = async (promise: Promise<unknown>, part: string) => {
    const message = await promise.then(
      () => "nothing",
      (e) => e instanceof AssertionError ? e.message : "other",
    );
    check(message.includes(part), `${part} in ${message}`);
  };
  await failing(
    assertRejects(() => Promise.resolve(1)),
    "Expected function to reject",
  );
  await failing(
    assertRejects(reject(new Error("a")), TypeError),
    "instance of",
  );
  await failing(
    assertRejects(reject(new Error("a")), Error, "b"),
    "to include",
  );
  await failing(
    assertRejects(() => {
      throw new Error("at once");
    }),
    "throws when expected to reject",
  );
  // deno-lint-ignore no-explicit-any
  await failing(assertRejects((() => 1) as any), "return a promise");
});

Deno.test("assertStringIncludes(), assertMatch(), assertExists() and assertArrayIncludes() tell what is missing", () => {
  assertStringIncludes("hello", "ell");
  assertMatch("v12", /^v\d+$/);
  assertExists(0);
  assertArrayIncludes([{ a: 1 }, { a: 2 }], [{ a: 2 }]);
  check(
    failure(() => assertStringIncludes("hello", "x")).includes('"x"'),
    "includes",
  );
  check(failure(() => assertMatch("v", /\d/)).includes("/\\d/"), "match");
  check(failure(() => assertExists(null)).includes("null"), "exists");
  check(
    failure(() => assertArrayIncludes([1], [1, 2])).includes("missing: [ 2 ]"),
    "array",
  );
});

Deno.test("assertGreater() and its siblings hold at the edges as their names say, and never for NaN", () => {
  assertGreater(2, 1);
  assertGreaterOrEqual(1, 1);
  assertLess(1, 2);
  assertLessOrEqual(1, 1);
  for (
    const relation of [
      assertGreater,
      assertGreaterOrEqual,
      assertLess,
      assertLessOrEqual,
    ]
  ) {
    check(failure(() => relation(NaN, 1)).includes("NaN"), relation.name);
  }
  check(failure(() => assertGreater(1, 1)).includes("1 > 1"), "greater");
  check(failure(() => assertLess(1, 1)).includes("1 < 1"), "less");
});

Deno.test("fail() always throws an AssertionError", () => {
  check(failure(() => fail("here")) === "Failed assertion: here", "message");
});
