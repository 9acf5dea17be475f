import { assertEquals } from "@std/assert";
import { type Outcome, PROGRAM_LIMITS, runPrograms } from "./javascript_sandbox.ts";
import { PROGRAMS, testNeeding } from "../../tests/support/test_needing.ts";

const test = testNeeding(PROGRAMS);

const calls = [[2, 3], [5, 1]];

/** What comes of each program, a failure by its reason. */
async function resultsOf(sources: readonly string[], limits = PROGRAM_LIMITS): Promise<unknown[]> {
  const outcomes = await runPrograms(sources.map((source) => ({ source, calls })), limits);
  return outcomes.map((outcome: Outcome) => outcome.kind === "returned" ? outcome.values : outcome.reason);
}

/** Each program fails for its reason, and one that is right, after all of them, is still right. */
async function assertContained(reasons: Readonly<Record<string, string>>, limits = PROGRAM_LIMITS) {
  const results = await resultsOf([...Object.keys(reasons), "(x,y)=>x*y"], limits);
  assertEquals(results, [...Object.values(reasons), [6, 5]]);
}

test("runPrograms() gives what programs give, each type as it is", async () => {
  assertEquals(
    await resultsOf(["(x,y)=>2*(x-y)", "(x,y)=>x<y", "x=>'a'+x", "function f(x){return 1/0*-x}; f"]),
    [
      [-2, 8],
      [true, false],
      ["a2", "a5"],
      [-Infinity, -Infinity],
    ],
  );
  assertEquals(await runPrograms([]), []);
});

test("runPrograms() ends loops, recursion and allocation without end", async () => {
  await assertContained({
    "()=>{for(;;);}": "endless",
    "()=>{try{for(;;);}catch(e){}return 6}": "endless",
    "()=>{try{for(;;);}finally{for(;;);}}": "endless",
    "for(;;);": "endless",
    "()=>/^(a+)+$/.test('a'.repeat(40)+'b')": "endless",
    "(function f(){return f()+1})": "threw",
    "()=>{let x={toString(){return ''+this}};return ''+x}": "threw",
    "()=>{let a=null;for(;;)a={a}}": "threw",
    "()=>'a'.repeat(2**29)": "threw",
    "()=>{let s='a';for(;;)s+=s}": "threw",
    "()=>new Uint8Array(2**31-1)": "threw",
    "()=>JSON.parse('['.repeat(1e5))": "threw",
  });
});

test("runPrograms() ends what never asks whether to go on, and what breaks the interpreter", async () => {
  await assertContained(
    { "()=>[].indexOf.call({length:2**53-1},1)": "late", "()=>eval('('.repeat(1e5))": "crashed" },
    { ...PROGRAM_LIMITS, milliseconds: 2000 },
  );
});

test("runPrograms() shows programs no file, network, module or host", async () => {
  const names = [
    "Deno",
    "process",
    "require",
    "fetch",
    "WebSocket",
    "XMLHttpRequest",
    "Worker",
    "WebAssembly",
    "setTimeout",
    "std",
    "os",
  ];
  const ways = [
    "globalThis",
    "(function(){}).constructor('return this')()",
    "this.constructor.constructor('return this')()",
  ];
  for (const way of ways) {
    const found = await resultsOf([`()=>['${names.join("','")}'].filter(n=>n in ${way}).join()`]);
    assertEquals(found, [["", ""]], way);
  }
  await assertContained({
    "()=>Deno.readTextFileSync('/etc/passwd')": "threw",
    "()=>fetch('http://127.0.0.1')": "threw",
    "()=>require('fs')": "threw",
    "()=>process.exit()": "threw",
    "(function(){}).constructor('return process')().exit()": "threw",
    "import fs from 'fs'; ()=>6": "threw",
    "()=>import('fs')": "no value",
    "()=>import('file:///etc/passwd')": "no value",
    "()=>postMessage({kind:'returned',values:[6,5]})": "threw",
    "()=>{new Function('for(;;);')()}": "endless",
  });
});

test("runPrograms() lets no program change the next", async () => {
  const spoil = "Number.prototype.valueOf=()=>9;Object.prototype.then=1;Array.prototype.map=null;" +
    "globalThis.leak=1;Object.freeze(Object.prototype);Function.prototype.call=null;x=>x";
  assertEquals(await resultsOf([spoil, "()=>typeof leak+typeof ({}).then+typeof [].map"]), [
    [2, 5],
    ["undefinedundefinedfunction", "undefinedundefinedfunction"],
  ]);
});

test("runPrograms() believes no value that only looks like one", async () => {
  await assertContained({
    "()=>({valueOf:()=>6,toString:()=>'6'})": "no value",
    "()=>new Number(6)": "no value",
    "()=>new Proxy({},{get:()=>6})": "no value",
    "()=>({get value(){return 6},kind:'number'})": "no value",
    "()=>[6]": "no value",
    "()=>6n": "no value",
    "()=>null": "no value",
    "()=>undefined": "no value",
    "()=>Symbol()": "no value",
    "()=>x=>x": "no value",
    "()=>new Promise(()=>{})": "no value",
    "async()=>6": "no value",
    "function*f(){yield 6}; f": "no value",
    "6": "threw",
    "({})": "threw",
    "": "threw",
    "x=>": "threw",
    "()=>{throw 6}": "threw",
    "()=>{throw null}": "threw",
    "()=>{throw {get message(){for(;;);},toString(){for(;;);}}}": "threw",
    "()=>{throw new Proxy({},{get(){for(;;);}})}": "threw",
  });
});

test("runPrograms() counts the steps of all calls of a program together", async () => {
  const source = "n=>{for(let i=0;i<n;i++);return n}";
  const limits = { ...PROGRAM_LIMITS, checks: 20 };
  const run = (counts: number[]) => runPrograms([{ source, calls: counts.map((n) => [n]) }], limits);
  assertEquals(await run([80000]), [{ kind: "returned", values: [80000] }]);
  assertEquals(await run([80000, 80000]), [{ kind: "failed", reason: "endless" }]);
});

test("runPrograms() needs no permission but to read its own files", async () => {
  const script = `
    import { runPrograms } from ${JSON.stringify(new URL("./javascript_sandbox.ts", import.meta.url).href)};
    const [outcome] = await runPrograms([{ source: "x=>x+1", calls: [[1]] }]);
    console.log(JSON.stringify(outcome));
  `;
  const root = decodeURIComponent(new URL("../..", import.meta.url).pathname);
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, script);
    const { stdout, stderr } = await new Deno.Command("deno", {
      args: ["run", "--no-prompt", "--allow-read", "--allow-write", "--config", `${root}deno.json`, file],
      cwd: root,
    }).output();
    assertEquals(
      [new TextDecoder().decode(stdout).trim(), new TextDecoder().decode(stderr)],
      [`{"kind":"returned","values":[2]}`, ""],
    );
  } finally {
    await Deno.remove(file);
  }
});
