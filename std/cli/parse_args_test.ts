import { assert, assertEquals } from "@std/assert";
import { parseArgs } from "./parse_args.ts";

Deno.test("parseArgs() reads values after a space and after '=', and numbers as numbers", () => {
  assertEquals(parseArgs(["--host", "local", "--port=555", "--hex", "0xff", "-x", "1e3", "-n5", "7", "a"]), {
    host: "local",
    port: 555,
    hex: 255,
    x: 1000,
    n: 5,
    _: [7, "a"],
  });
  assertEquals(parseArgs(["--a=b=c", "--e=", "--n", "-x", "-1.5"]), {
    a: "b=c",
    e: "",
    n: true,
    x: true,
    1: 0.5,
    _: [],
  });
});

Deno.test("parseArgs() keeps declared strings as texts, empty where no value follows", () => {
  const { id, name, note } = parseArgs(["--id", "007", "--name", "", "--note"], {
    string: ["id", "name", "note"],
  });
  assertEquals([id, name, note], ["007", "", ""]);
  assertEquals(parseArgs(["1", "2"], { string: ["_"] })._, ["1", "2"]);
  assertEquals(parseArgs([], { string: ["id"] }), { _: [] });
});

Deno.test("parseArgs() takes no value for declared booleans, but true and false", () => {
  const options = { boolean: ["quick", "v"] as const };
  assertEquals(parseArgs(["--quick", "smoke"], options), { quick: true, v: false, _: ["smoke"] });
  assertEquals(parseArgs(["--quick", "false", "-v", "true"], options), { quick: false, v: true, _: [] });
  assertEquals(parseArgs(["--quick=false", "-v", "x"], options), { quick: false, v: true, _: ["x"] });
  assertEquals(parseArgs(["--a", "b", "-p", "5", "--c=d"], { boolean: true }), {
    a: true,
    p: 5,
    c: "d",
    _: ["b"],
  });
});

Deno.test("parseArgs() sets every alias of an option, whichever was given", () => {
  const options = {
    alias: { help: ["h", "usage"], out: "o" },
    boolean: "help" as const,
    string: "out" as const,
  };
  for (const flag of ["--help", "-h", "--usage"]) {
    assertEquals(parseArgs([flag], options), { help: true, h: true, usage: true, _: [] });
  }
  assertEquals(parseArgs(["-o", "12"], options), {
    out: "12",
    o: "12",
    help: false,
    h: false,
    usage: false,
    _: [],
  });
});

Deno.test("parseArgs() fills defaults, aliases included, and lets given values win", () => {
  const options = { default: { steps: 10, name: null }, alias: { steps: "s" } };
  assertEquals(parseArgs([], options), { steps: 10, s: 10, name: null, _: [] });
  assertEquals(parseArgs(["-s", "3", "--name", "x"], options), { steps: 3, s: 3, name: "x", _: [] });
  assertEquals(parseArgs([], { boolean: ["on"], default: { on: true } }).on, true);
});

Deno.test("parseArgs() collects repeated options where told to, else the last one counts", () => {
  const options = { string: ["task", "one"], collect: ["task", "free"], alias: { task: "t" } } as const;
  assertEquals(parseArgs(["--task", "a", "-t", "b", "--one", "x", "--one", "y", "--free", "1"], options), {
    task: ["a", "b"],
    t: ["a", "b"],
    one: "y",
    free: [1],
    _: [],
  });
  assertEquals(parseArgs([], options), { task: [], t: [], free: [], _: [] });
});

Deno.test("parseArgs() negates only what may be negated", () => {
  const options = { boolean: ["color"], negatable: ["color"], default: { color: true } } as const;
  assertEquals(parseArgs(["--no-color"], options), { color: false, _: [] });
  assertEquals(parseArgs(["--no-color", "--color"], options), { color: true, _: [] });
  assertEquals(parseArgs(["--no-cache"], options), { color: true, "no-cache": true, _: [] });
  assertEquals(
    parseArgs(["--task", "a", "--no-task"], { string: ["task"], collect: ["task"], negatable: ["task"] }),
    { task: false, _: [] },
  );
});

Deno.test("parseArgs() tells the callback of undeclared options and plain arguments, and drops what it refuses", () => {
  const heard: unknown[] = [];
  const result = parseArgs(["--known", "1", "--other=2", "plain", "-z", "--on"], {
    string: ["known"],
    boolean: ["on"],
    unknown: (arg, key, value) => {
      heard.push([arg, key, value]);
      return arg === "plain";
    },
  });
  assertEquals(heard, [["--other=2", "other", "2"], ["plain", undefined, undefined], ["-z", "z", true]]);
  assertEquals(result, { known: "1", on: true, _: ["plain"] });
});

Deno.test("parseArgs() stops at the first plain argument where told to", () => {
  assertEquals(parseArgs(["--a", "1", "run", "--b", "2"], { stopEarly: true }), {
    a: 1,
    _: ["run", "--b", "2"],
  });
});

Deno.test("parseArgs() leaves what follows '--' alone", () => {
  assertEquals(parseArgs(["-a", "--", "--b", "3"]), { a: true, _: ["--b", "3"] });
  assertEquals(parseArgs(["x", "--", "--b"], { "--": true }), { _: ["x"], "--": ["--b"] });
  assertEquals(parseArgs(["x"], { "--": true }), { _: ["x"], "--": [] });
});

Deno.test("parseArgs() reads letters in a row, values glued to them and a single hyphen", () => {
  assertEquals(parseArgs(["-abc", "x"]), { a: true, b: true, c: "x", _: [] });
  assertEquals(parseArgs(["-I/usr/lib", "-e==", "-f-", "-"]), { I: "/usr/lib", e: "=", f: "-", _: ["-"] });
  assertEquals(parseArgs(["-s", "-", "-t", "\n"], { string: ["s", "t"] }), { s: "-", t: "\n", _: [] });
});

Deno.test("parseArgs() nests dotted names and treats names of Object's own members as plain ones", () => {
  assertEquals(parseArgs(["--a.b", "3", "--a.c.d", "--toString"]), {
    a: { b: 3, c: { d: true } },
    toString: true,
    _: [],
  });
  parseArgs(["--__proto__.polluted", "1", "--constructor.prototype.polluted", "1"]);
  assert(!("polluted" in {}));
});

Deno.test("parseArgs() types booleans, strings, lists and defaults", () => {
  const args = parseArgs([], {
    boolean: ["on"],
    string: ["name", "task", "out"],
    collect: ["task"],
    default: { out: "reports", steps: 1 },
    "--": true,
  });
  const on: boolean = args.on;
  const name: string | undefined = args.name;
  const task: string[] = args.task;
  const out: string = args.out;
  const after: string[] = args["--"];
  assertEquals({ on, name, task, out, after }, {
    on: false,
    name: undefined,
    task: [],
    out: "reports",
    after: [],
  });
});
