/** @file The scripts `run` and `.ci/run`, on machines made of stubs: nothing is installed and no real Deno runs. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { PROGRAMS, testNeeding } from "./support/test_needing.ts";

const test = testNeeding(PROGRAMS);

const repository = new URL("../", import.meta.url).pathname;

/** What a pretended machine has. Every script gets `$STATE`, the folder of its traces. */
interface Machine {
  /** Version of the deno on the PATH, or null for none. */
  readonly deno: string | null;
  /** Scripts by command name: `npm`, `apt-get`, `sudo`, … */
  readonly commands: Readonly<Record<string, string>>;
  /** Whether the GPU answers from the start. */
  readonly adapter: boolean;
}

const complete: Machine = { deno: "2.9.6", commands: {}, adapter: true };

/**
 * A deno that tells how it was called. It has an adapter once `$STATE/adapter` exists. In launch.ts's place it lets every
 * task pass as it is, but for "benhc".
 */
function fakeDeno(version: string): string {
  return `
case $1 in
  -V) echo "deno ${version}" ;;
  eval)
    [ "\${MESA_VK_DEVICE_SELECT-}" != list ] || { [ ! -e "$STATE/devices" ] || /usr/bin/cat "$STATE/devices" >&2; exit; }
    echo probe >>"$STATE/log"; [ ! -e "$STATE/got" ] || /usr/bin/cat "$STATE/got"; [ -e "$STATE/adapter" ] ;;
  run)
    [ "$5" = launch.ts ] || exit 9
    printf %s "$6" >"$STATE/start"; shift 6
    [ "$1" != benhc ] || { echo "there is no benhc" >&2; exit 2; }
    jobs=; case "$*" in *--jobs*) jobs=jobs=auto ;; esac
    before=; [ "$1" != check ] || before="before='task \\"first of  all\\"'"
    [ "$*" != check ] || before="$before
mayFail=1"
    printf task
    for a; do printf ' %s' "$(printf '%s\\n' "$a" | /usr/bin/sed "s/'/'\\\\\\\\''/g; s/.*/'&'/")"; done; printf '\n%s\n%s\n' "$before" "$jobs" ;;
  task) echo "\${DRI_PRIME-none} $*" >>"$STATE/chosen"; [ "$2" != "first of  all" ] || { printf %s "$2" >"$STATE/first"; exit; }; echo "cwd $PWD"; echo "no colour \${NO_COLOR-unset}"; echo "backend \${DENO_WEBGPU_BACKEND-unset}"; for a; do echo "argument $a"; done; command -v deno ;;
esac`;
}

const npmThatWorks = `
echo "npm $*" >>"$STATE/log"
bin="$3/node_modules/@deno/linux-x64-glibc"
mkdir -p "$bin"; cp "$STATE/deno-for-npm" "$bin/deno"`;

const aptThatWorks = `echo "apt-get $*" >>"$STATE/log"; [ "$1" = update ] || : >"$STATE/adapter"`;

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What the stubs wrote, a line each. */
  readonly log: readonly string[];
}

/** Runs `run`, copied to `<folder>/project`, on a pretended machine. Calls with the same folder share their state. */
async function run(
  folder: string,
  machine: Machine,
  args: readonly string[],
  options: { readonly from?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Outcome> {
  const [bin, state, project] = [`${folder}/bin`, `${folder}/state`, `${folder}/project`];
  await Deno.remove(bin, { recursive: true }).catch(() => {});
  for (const path of [bin, state, `${project}/inner`]) await Deno.mkdir(path, { recursive: true });
  await Deno.copyFile(`${repository}run`, `${project}/run`);
  const script = (path: string, text: string) =>
    Deno.writeTextFile(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  // The real ones, and nothing else of the real PATH.
  for (const name of ["dirname", "mkdir", "rm", "cp"]) {
    await script(`${bin}/${name}`, `PATH=/usr/bin:/bin; exec ${name} "$@"`);
  }
  await script(`${bin}/env`, 'exec /usr/bin/env "$@"');
  const standard = { uname: "echo Linux", id: "echo 0", dpkg: "exit 1" };
  for (const [name, text] of Object.entries({ ...standard, ...machine.commands })) {
    await script(`${bin}/${name}`, text);
  }
  if (machine.deno !== null) await script(`${bin}/deno`, fakeDeno(machine.deno));
  await script(`${state}/deno-for-npm`, fakeDeno("2.9.6"));
  if (machine.adapter) await Deno.writeTextFile(`${state}/adapter`, "");

  const variables = Object.entries({ PATH: bin, STATE: state, ...options.env });
  const output = await new Deno.Command("sh", {
    // Cleared in the shell: Deno would look for sh itself on the pretended PATH.
    args: [
      "-c",
      'exec env -i "$@"',
      "sh",
      ...variables.map((pair) => pair.join("=")),
      `${project}/run`,
      ...args,
    ],
    cwd: options.from ?? project,
    stdin: "null",
  }).output();
  const log = await Deno.readTextFile(`${state}/log`).catch(() => "");
  await Deno.remove(`${state}/log`).catch(() => {});
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return {
    code: output.code,
    stdout: text(output.stdout),
    stderr: text(output.stderr),
    log: log.split("\n").filter((line) => line !== ""),
  };
}

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "run test " }));
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function argumentsOf({ stdout }: Outcome): string[] {
  return [...stdout.matchAll(/^argument (.*)$/gm)].map(([, argument = ""]) => argument);
}

test("run passes a task and its arguments on, silently, where nothing is missing", () =>
  inFolder(async (folder) => {
    const outcome = await run(folder, complete, ["bench", "--note", "two  words", "", "*", "'"]);
    assertEquals([outcome.code, outcome.stderr], [0, ""]);
    assertEquals(argumentsOf(outcome), ["task", "bench", "--note", "two  words", "", "*", "'"]);
    assertStringIncludes(outcome.stdout, `cwd ${folder}/project\n`);
    assertStringIncludes(outcome.stdout, `backend vulkan\n`);
  }));

test("run does first what goes before a task, silently, and ends where that fails", () =>
  inFolder(async (folder) => {
    const outcome = await run(folder, complete, ["check", "a.ts"]);
    assertEquals([outcome.code, argumentsOf(outcome)], [0, ["task", "check", "a.ts"]]);
    assertEquals(await Deno.readTextFile(`${folder}/state/first`), "first of  all");
    await Deno.remove(`${folder}/state/first`);
    await Deno.mkdir(`${folder}/state/first`);
    const failed = await run(folder, complete, ["check", "a.ts"]);
    assertEquals([failed.code === 0, argumentsOf(failed)], [false, []]);
    // The check of an adapter tells what failed itself.
    const told = await run(folder, complete, ["check"]);
    assertEquals([told.code, argumentsOf(told)], [0, ["task", "check"]]);
  }));

test("run looks for no adapter where it gets no argument, is asked for help, or prints completions", () =>
  inFolder(async (folder) => {
    for (const args of [[], ["--help"], ["help", "bench"], ["completions", "bash"]]) {
      const outcome = await run(folder, { ...complete, adapter: false }, args);
      assertEquals([outcome.code, outcome.stderr, outcome.log], [0, "", []]);
      assertEquals(argumentsOf(outcome), ["task", ...args]);
    }
  }));

test("run asks for no colours where the terminal has none", () =>
  inFolder(async (folder) => {
    const at = async (env: Readonly<Record<string, string>>) =>
      /no colour (.*)/.exec((await run(folder, complete, ["bench", "--help"], { env })).stdout)?.[1];
    assertEquals([await at({}), await at({ TERM: "dumb" }), await at({ TERM: "xterm" })], [
      "1",
      "1",
      "unset",
    ]);
    assertEquals(await at({ TERM: "xterm", NO_COLOR: "yes" }), "yes");
  }));

test("run sets the Vulkan backend on Linux only, and leaves a choice that was made", () =>
  inFolder(async (folder) => {
    const mac = await run(folder, { ...complete, commands: { uname: "echo Darwin" } }, ["test"]);
    assertStringIncludes(mac.stdout, "backend unset");
    const chosen = await run(folder, complete, ["test"], { env: { DENO_WEBGPU_BACKEND: "gl" } });
    assertStringIncludes(chosen.stdout, "backend gl");
  }));

/** What Mesa's layer lists, and the card that Deno gets. */
async function pretendGpus(folder: string, got: string, ...devices: string[]): Promise<void> {
  await Deno.mkdir(`${folder}/state`, { recursive: true });
  const lines = devices.map((device, i) => `  GPU ${i}: ${device}\n`);
  await Deno.writeTextFile(`${folder}/state/devices`, `selectable devices:\n${lines.join("")}`);
  await Deno.writeTextFile(`${folder}/state/got`, `${got}\n`);
}

const H100 = '10de:2330 "NVIDIA H100 80GB HBM3" discrete GPU';
const SOFTWARE = '10005:0 "llvmpipe (LLVM 19.1.7, 256 bits)" CPU';

test("run says so where several GPUs are visible and none was chosen, and nothing where one is, or software", () =>
  inFolder(async (folder) => {
    await pretendGpus(folder, "10de:2330", `${H100} 0000:41:00.0`, SOFTWARE);
    assertEquals((await run(folder, complete, ["bench"])).stderr, "");
    await pretendGpus(folder, "10de:2330", `${H100} 0000:41:00.0`, `${H100} 0000:c1:00.0`, SOFTWARE);
    const outcome = await run(folder, complete, ["bench"]);
    assertEquals([outcome.code, argumentsOf(outcome)], [0, ["task", "bench"]]);
    assertEquals(
      outcome.stderr,
      "run: 2 GPUs are visible and none is chosen, so the first is used; docs/adapters.md says how to choose among " +
        "10de:2330@0000:41:00.0 10de:2330@0000:c1:00.0\n",
    );
  }));

test("run takes a choice of GPU that is got, and ends where another is", () =>
  inFolder(async (folder) => {
    const amd = '1002:73bf "AMD Radeon RX 6800" discrete GPU';
    await pretendGpus(folder, "10de:2330", `${H100} 0000:41:00.0`, `${amd} 0000:c1:00.0`, SOFTWARE);
    const chosen = (env: Readonly<Record<string, string>>) => run(folder, complete, ["bench"], { env });
    for (const DRI_PRIME of ["pci-0000_41_00_0!", "pci-0000_41_00_0", "10de:2330!", "1"]) {
      assertEquals((await chosen({ DRI_PRIME })).stderr, "");
    }
    assertEquals((await chosen({ MESA_VK_DEVICE_SELECT: "10de:2330!", DRI_PRIME: "1002:73bf" })).stderr, "");
    for (const choice of ["pci-0000_c1_00_0", "pci-0000_42_00_0", "1002:73bf"]) {
      const refused = await chosen({ DRI_PRIME: `${choice}!` });
      assertEquals([refused.code, argumentsOf(refused)], [2, []]);
      assertEquals(
        refused.stderr,
        `run: GPU ${choice} is chosen by environment, and 10de:2330 is what is got; visible are ` +
          "10de:2330@0000:41:00.0 1002:73bf@0000:c1:00.0\n",
      );
    }
  }));

test("run gives each of several processes a GPU of its own, as many as there are, unless one was chosen", () =>
  inFolder(async (folder) => {
    const machine = { ...complete, commands: { getconf: "echo 8" } };
    await pretendGpus(folder, "10de:2330", ...["01", "41", "c1"].map((bus) => `${H100} 0000:${bus}:00.0`));
    const started = async (env: Readonly<Record<string, string>> = {}) => {
      await Deno.remove(`${folder}/state/chosen`).catch(() => {});
      const { code, stderr } = await run(folder, machine, ["bench", "--jobs"], { env });
      assertEquals([code, stderr], [0, ""]);
      const lines = (await Deno.readTextFile(`${folder}/state/chosen`)).trim().split("\n");
      return lines.filter((line) => !line.includes("--plan")).map((line) => line.split(" ")[0]).sort();
    };
    assertEquals(await started(), ["pci-0000_01_00_0!", "pci-0000_41_00_0!", "pci-0000_c1_00_0!"]);
    const own = "10de:2330!";
    assertEquals(await started({ DRI_PRIME: own }), [own, own, own]);
  }));

test("run says where it was called from, wherever that is, and works in the project", () =>
  inFolder(async (folder) => {
    for (const from of [`${folder}/project`, `${folder}/project/inner`, "/"]) {
      const outcome = await run(folder, complete, ["bench", "../a"], { from });
      assertStringIncludes(outcome.stdout, `cwd ${folder}/project\n`);
      assertEquals(argumentsOf(outcome), ["task", "bench", "../a"]);
      assertEquals(await Deno.readTextFile(`${folder}/state/start`), from);
    }
  }));

test("run ends with what launch.ts says of a task that there isn't, before it looks for an adapter", () =>
  inFolder(async (folder) => {
    const outcome = await run(folder, { ...complete, adapter: false }, ["benhc"]);
    assertEquals([outcome.code, outcome.stdout, outcome.stderr], [2, "", "there is no benhc\n"]);
    assertEquals(outcome.log, []);
  }));

test("run installs the wanted Deno once, from npm, where there is none or another, and puts it on the PATH", () =>
  inFolder(async (folder) => {
    for (const deno of [null, "2.9.5", "2.9.60"]) {
      await Deno.remove(`${folder}/project`, { recursive: true }).catch(() => {});
      const machine = { ...complete, deno, commands: { npm: npmThatWorks } };
      const first = await run(folder, machine, ["test"]);
      assertMatch(first.stderr, /^run: installing Deno 2\.9\.6 from npm into \.deno\/, since .*\n$/);
      assertEquals(first.log, [
        "npm install --prefix .deno/2.9.6 --ignore-scripts --include=optional deno@2.9.6",
        "probe",
      ]);
      assertStringIncludes(
        first.stdout,
        `${folder}/project/.deno/2.9.6/node_modules/@deno/linux-x64-glibc/deno\n`,
      );
      const second = await run(folder, machine, ["test"]);
      assertEquals([second.code, second.stderr, second.log], [0, "", ["probe"]]);
    }
  }));

test("run installs anew what an interrupted installation left", () =>
  inFolder(async (folder) => {
    const left = `${folder}/project/.deno/2.9.6/node_modules/@deno/linux-x64-glibc`;
    await Deno.mkdir(left, { recursive: true });
    await Deno.writeTextFile(`${left}/deno`, "#!/bin/sh\nexit 1\n", { mode: 0o755 });
    const npm = `[ ! -e "$3/node_modules" ] || { echo up to date; exit; }\n${npmThatWorks}`;
    const outcome = await run(folder, { ...complete, deno: null, commands: { npm } }, ["test"]);
    assertEquals([outcome.code, argumentsOf(outcome)], [0, ["task", "test"]]);
  }));

test("run says what to install where there is neither the wanted Deno nor npm", () =>
  inFolder(async (folder) => {
    const outcome = await run(folder, { ...complete, deno: "1.46.3" }, ["test"]);
    assertEquals([outcome.code, outcome.stdout], [1, ""]);
    assertMatch(outcome.stderr, /^run: Deno 2\.9\.6 is needed: install it \(.*\), or npm.*\n$/);
  }));

test("run shows what npm said where it fails, or installs nothing that runs", () =>
  inFolder(async (folder) => {
    const failing = { ...complete, deno: null, commands: { npm: "echo E404 not there >&2; exit 1" } };
    const failed = await run(folder, failing, ["test"]);
    assertEquals([failed.code, failed.stdout], [1, ""]);
    assertStringIncludes(
      failed.stderr,
      "npm could not install a Deno 2.9.6 that runs on this machine; it said: E404",
    );
    const useless = await run(folder, { ...failing, commands: { npm: "echo added 1 package" } }, ["test"]);
    assertEquals([useless.code, useless.stdout], [1, ""]);
    assertStringIncludes(useless.stderr, "it said: added 1 package");
  }));

test("run installs a Vulkan driver where no adapter answers: as root, or through sudo without a password", () =>
  inFolder(async (folder) => {
    const [update, install] = ["apt-get update", "apt-get install -y mesa-vulkan-drivers"] as const;
    const machine = { ...complete, adapter: false, commands: { "apt-get": aptThatWorks } };
    const asRoot = await run(folder, machine, ["test"]);
    assertEquals(asRoot.code, 0);
    assertEquals(asRoot.log, ["probe", update, install, "probe"]);
    assertEquals(
      asRoot.stderr,
      "run: installing mesa-vulkan-drivers with apt-get, since no WebGPU adapter answers\n",
    );
    assertEquals(argumentsOf(asRoot), ["task", "test"]);

    await Deno.remove(`${folder}/state/adapter`);
    const sudo = `echo "sudo $1 $2" >>"$STATE/log"; shift; "$@"`;
    const commands = { ...machine.commands, id: "echo 1000", sudo };
    const asUser = await run(folder, { ...machine, commands }, ["test"]);
    assertEquals(asUser.code, 0);
    assertEquals(asUser.log, [
      "probe",
      "sudo -n true",
      "sudo -n apt-get",
      update,
      "sudo -n env",
      install,
      "probe",
    ]);
  }));

test("run says what to do, and still starts the task, where it cannot bring an adapter", () =>
  inFolder(async (folder) => {
    const apt = { "apt-get": aptThatWorks };
    const cases: [Readonly<Record<string, string>>, string][] = [
      [{}, "install your card's Vulkan driver, or Mesa's software one"],
      [{ ...apt, id: "echo 1000" }, "as root, run apt-get update && apt-get install mesa-vulkan-drivers"],
      [
        { ...apt, id: "echo 1000", sudo: "echo a password is required >&2; exit 1" },
        "as root, run apt-get update",
      ],
      [
        { "apt-get": "echo no network >&2; exit 100" },
        "could not install mesa-vulkan-drivers; it said: no network",
      ],
      [{ "apt-get": "exit 0" }, "is installed now, but still no WebGPU adapter answers"],
      [{ ...apt, dpkg: "exit 0" }, "is installed: check VK_DRIVER_FILES and VK_ICD_FILENAMES"],
    ];
    for (const [commands, part] of cases) {
      const outcome = await run(folder, { ...complete, adapter: false, commands }, ["report"]);
      assertStringIncludes(outcome.stderr, part);
      assertEquals([outcome.code, argumentsOf(outcome)], [0, ["task", "report"]]);
    }
  }));

/** What a call of tests prints, and its exit code. */
interface Tests {
  readonly printed: string;
  readonly code: number;
}

/** Runs `.ci/run` on a project with such tests; those on a second adapter where there is one. */
async function ci(
  folder: string,
  printed: string,
  code: number,
  second: Tests | null = null,
): Promise<{ code: number; lines: string[] }> {
  await Deno.mkdir(`${folder}/.ci`, { recursive: true });
  await Deno.copyFile(`${repository}.ci/run`, `${folder}/.ci/run`);
  const driver = `${folder}/driver.json`;
  await Deno.remove(driver).catch(() => {});
  if (second) await Deno.writeTextFile(driver, "{}");
  await Deno.writeTextFile(`${folder}/first`, printed);
  await Deno.writeTextFile(`${folder}/second`, second?.printed ?? "");
  await Deno.writeTextFile(
    `${folder}/run`,
    `#!/bin/sh
[ "$NO_COLOR" = 1 ] || exit 0
case "$* on \${VK_DRIVER_FILES-any}" in
  "test --preload=tests/support/only_named_permissions.ts on any") cat first; exit ${code} ;;
  "test-adapter on ${driver}") cat second; exit ${second?.code ?? 0} ;;
esac`,
    { mode: 0o755 },
  );
  const output = await new Deno.Command("sh", {
    args: ["-c", `SWIFTSHADER='${driver}' exec bash "$0/.ci/run" 2>&1`, folder],
    cwd: "/",
    stdin: "null",
  }).output();
  return { code: output.code, lines: new TextDecoder().decode(output.stdout).trimEnd().split("\n") };
}

test(".ci/run shows the output of the tests and counts them in its last line", () =>
  inFolder(async (folder) => {
    const plain = await ci(folder, "running\n\nok | 123 passed | 0 failed (2s)\n\n", 0);
    assertEquals(plain.code, 0);
    assertEquals([plain.lines[0], plain.lines.at(-1)], ["running", "123 passed, 0 failed"]);
    const more = await ci(
      folder,
      "ok | 3 passed (2 steps) | 0 failed | 2 ignored | 4 filtered out (1m3s)\n",
      0,
    );
    assertEquals([more.code, more.lines.at(-1)], [0, "3 passed, 0 failed"]);
    const two = await ci(folder, "ok | 9 passed | 0 failed (1s)\nok | 2 passed | 0 failed (1s)\n", 0);
    assertEquals([two.code, two.lines.at(-1)], [0, "2 passed, 0 failed"]);
  }));

test(".ci/run fails where a test failed, none ran, the tests' exit code is not 0 or no summary is there", () =>
  inFolder(async (folder) => {
    const failed = await ci(folder, "FAILED | 7 passed (1 step) | 12 failed (3 steps) (2s)\n", 1);
    assertEquals([failed.code, failed.lines.at(-1)], [1, "7 passed, 12 failed"]);
    assertEquals((await ci(folder, "FAILED | 7 passed | 1 failed (2s)\n", 0)).code, 1);
    assertEquals((await ci(folder, "ok | 7 passed | 0 failed (2s)\n", 1)).code, 1);
    assertEquals((await ci(folder, "ok | 0 passed | 0 failed (2s)\n", 0)).code, 1);
    const broken = await ci(folder, "error: Type checking failed.\n", 1);
    assertEquals([broken.code, broken.lines.at(-1)], [1, "No summary of deno test was found (exit code 1)"]);
    assertEquals((await ci(folder, "", 0)).code, 1);
  }));

test(".ci/run adds what passed on a second adapter, whose lines are marked; where there is none it says so", () =>
  inFolder(async (folder) => {
    const first = "ok | 9 passed | 0 failed (1s)\n";
    const both = await ci(folder, first, 0, { printed: "running\nok | 5 passed | 0 failed (1s)\n", code: 0 });
    assertEquals([both.code, ...both.lines], [
      0,
      "ok | 9 passed | 0 failed (1s)",
      "SwiftShader: running",
      "SwiftShader: ok | 5 passed | 0 failed (1s)",
      "14 passed, 0 failed",
    ]);
    const alone = await ci(folder, first, 0);
    assertEquals([alone.code, alone.lines.length, alone.lines.at(-1)], [0, 3, "9 passed, 0 failed"]);
    assertMatch(alone.lines[1]!, /driver\.json is not there .*: no test ran on a second adapter/);
  }));

test(".ci/run fails where the second adapter's tests do, whatever the first one's did", () =>
  inFolder(async (folder) => {
    const first = "ok | 9 passed | 0 failed (1s)\n";
    const cases: [Tests, string][] = [
      [{ printed: "FAILED | 5 passed | 2 failed (1s)\n", code: 1 }, "14 passed, 2 failed"],
      [{ printed: "FAILED | 5 passed | 2 failed (1s)\n", code: 0 }, "14 passed, 2 failed"],
      [{ printed: "ok | 5 passed | 0 failed (1s)\n", code: 1 }, "14 passed, 0 failed"],
      [{ printed: "ok | 0 passed | 0 failed (1s)\n", code: 0 }, "9 passed, 0 failed"],
      [
        { printed: "error: no adapter\n", code: 1 },
        "SwiftShader: No summary of deno test was found (exit code 1)",
      ],
    ];
    for (const [second, last] of cases) {
      const outcome = await ci(folder, first, 0, second);
      assertEquals([outcome.code, outcome.lines.at(-1)], [1, last], second.printed);
    }
    const passing = { printed: "ok | 5 passed | 0 failed (1s)\n", code: 0 };
    const failed = await ci(folder, "FAILED | 7 passed | 1 failed (2s)\n", 1, passing);
    assertEquals([failed.code, failed.lines.at(-1)], [1, "12 passed, 1 failed"]);
  }));
