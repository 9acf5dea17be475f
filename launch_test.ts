import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { commands, type Option } from "./benchmarks/command_line/commands.ts";
import { KERNEL_TESTS } from "./contract/adapter/kernel_tests.ts";
import config from "./deno.json" with { type: "json" };
import { jobsOf, launch, launchBefore, type Place } from "./launch.ts";
import { UserError } from "./errors/user_error.ts";
import { PROGRAMS, testNeeding } from "./tests/support/test_needing.ts";

const test = testNeeding(PROGRAMS);

const repository = decodeURIComponent(new URL("./", import.meta.url).pathname);
const inside: Place = {
  start: "/p",
  project: "/p",
  dotGit: null,
  packages: "/npm",
  hub: {
    endpoint: () => null,
    cache: () => "/cache",
    token: () => "/home/token",
    read: () => null,
    real: (path) => path,
    // Nothing was fetched, and what has a name like one is here.
    isThere: () => true,
    commitIn: () => null,
  },
};
const elsewhere: Place = { ...inside, start: "/my files" };

/** What a task may read and write, and the arguments behind its name. */
function started(task: string, args: readonly string[], place = elsewhere) {
  const words = launch(task, args, place);
  const leave = (flag: string) => words.find((word) => word.startsWith(`--allow-${flag}=`))?.split("=")[1];
  return {
    read: leave("read")?.split(","),
    write: leave("write")?.split(","),
    args: words.slice(words.indexOf(task) + 1),
  };
}

Deno.test("launch() makes every option that is a path absolute, in both forms, where it was typed elsewhere", () => {
  for (const [name, { options }] of Object.entries(commands)) {
    for (const [option, { kind }] of Object.entries<Option>(options)) {
      const isPath = kind === "path" || kind === "paths";
      const value = kind === "flag" ? [] : ["a b/c"];
      const changed = isPath ? "/my files/a b/c" : "a b/c";
      // What the shell does itself.
      if (option === "jobs") continue;
      assertEquals(started(name, [`--${option}`, ...value]).args, [
        `--${option}`,
        ...kind === "flag" ? [] : [changed],
      ]);
      if (kind === "flag") continue;
      assertEquals(started(name, [`--${option}=a b/c`]).args, [`--${option}=${changed}`]);
      assertEquals(started(name, [`--${option}=a b/c`], inside).args, [`--${option}=a b/c`]);
      assertEquals(started(name, [`--${option}`, "/x"]).args, [`--${option}`, "/x"]);
    }
  }
  // A claim's file, and what the table of claims is written into.
  assertEquals(started("claims", ["a.json", "pro-mode"]).args, ["/my files/a.json", "pro-mode"]);
  assertEquals([started("claims", []).write, started("claims", ["--table"]).write], [["results"], ["docs"]]);
  const paths = Object.entries(commands).flatMap(([name, { options }]) =>
    Object.entries<Option>(options).flatMap(([option, { kind }]) =>
      /^paths?$/.test(kind) ? [`${name} --${option}`] : []
    )
  );
  assertEquals(paths.filter((path) => !path.startsWith("bench-python")), [
    "bench --out",
    "bench --rates",
    "bench --with",
    "bench --data",
    "bench --model",
    "bench --adapter",
    "bench --retain",
    "bench --may-read",
    "settle --out",
    "settle --rates",
    "settle --with",
    "settle --data",
    "settle --model",
    "settle --adapter",
    "settle --retain",
    "claims --out",
    "data --model",
    "memory --model",
    "report --out",
    "report --against",
    "report --with-peft",
    "report --with",
    "verify --out",
    "verify --with",
    "export --to",
    "export --with",
    "look --model",
    "look --run",
    "look --out",
    "pretrain --out",
    "pretrain --with",
    "pretrain --data",
    "site --out",
    "slurm --out",
    "slurm --status",
    "slurm --rates",
    "slurm --with",
    "slurm --data",
    "slurm --model",
    "slurm --adapter",
    "slurm --retain",
    "slurm --may-read",
  ]);
});

Deno.test("launch() makes the paths of sweeps, of stored runs and of what is watched absolute, and no names", () => {
  const last = (task: string, arg: string) => started(task, [arg]).args.at(-1);
  assertEquals(last("bench", "a.json"), "/my files/a.json");
  assertEquals(last("bench", "out/runs/0123456789abcdef.json"), "/my files/out/runs/0123456789abcdef.json");
  assertEquals(last("bench", "./a"), "/my files/a");
  assertEquals(last("bench", "quick"), "quick");
  assertEquals(last("watch", "results"), "/my files/results");
  assertEquals(last("pretrain", "vit-tiny"), "vit-tiny");
  assertEquals(launch("test", ["../x_test.ts", "y"], elsewhere), [
    "task",
    "test",
    "/my files/../x_test.ts",
    "y",
  ]);
});

Deno.test("launch() lets a sweep read the project and what was named, and write its output folder alone", () => {
  const project = [".", "/npm"];
  assertEquals(started("bench", []), { read: project, write: ["results"], args: [] });
  const { read, write } = started("bench", [
    ...[
      "s/own.json",
      "--out",
      "o",
      "--data=/d",
      "--model",
      "m",
      "--rates=r",
      "--may-read",
      "/x",
      "--may-read=/y",
    ],
  ]);
  assertEquals(read, [
    ...project,
    "/my files/o",
    "/my files/s",
    "/d",
    "/my files/m",
    "/my files/r",
    "/x",
    "/y",
  ]);
  assertEquals(write, ["/my files/o"]);
  assertEquals(started("bench", ["own.json"], inside).read, [...project]);
  assertEquals(started("bench", ["--help"]), { read: undefined, write: undefined, args: ["--help"] });
});

Deno.test("launch() lets what takes a file of data read the folder that it lies in: dataset.json and images lie there", () => {
  assertEquals(started("bench", ["--data", "d/reviews.csv"]).read, [
    ".",
    "/npm",
    "/my files/d/reviews.csv",
    "/my files/d",
  ]);
  assertEquals(started("settle", ["--data", "/x/a.jsonl.gz"]).read, [".", "/npm", "/x/a.jsonl.gz", "/x"]);
  const { read, write } = started("data", ["d", "--model", "m"]);
  assertEquals([read, write], [[".", "/npm", "/my files/d", "/my files/m"], undefined]);
});

Deno.test("launch() leaves the name of the encoder from npm as it is, and takes a path that ends so for a folder", () => {
  const place = { start: "/my files", project: "/project", dotGit: null, packages: "/npm", hub: null };
  const words = (model: string) => launch("bench", ["quick", "--model", model], place).slice(-1);
  assertEquals(words("use-lite"), ["use-lite"]);
  assertEquals(words("./use-lite"), ["/my files/use-lite"]);
});

Deno.test("launch() takes a name for what was fetched, and lets a command read all that the cache has of it", () => {
  const commit = "0123456789abcdef0123456789abcdef01234567";
  const fetched: Place = {
    ...elsewhere,
    hub: {
      ...inside.hub!,
      isThere: (path) => path === "/my files/o/here" || /^\/cache.*\/sst2$/.test(path),
      commitIn: (folder, revision) =>
        /^\/cache\/(models--o--m|datasets--o--d)$/.test(folder) && ["main", "v1", commit].includes(revision)
          ? commit
          : null,
    },
  };
  const [model, data] = ["/cache/models--o--m", "/cache/datasets--o--d"].map((folder) => [
    folder,
    `${folder}/snapshots/${commit}`,
  ]) as [[string, string], [string, string]];
  const asked = ["--model", "o/m@v1", "--adapter=o/m", "--data", "o/d/sst2"];
  for (const task of ["bench", "settle"]) {
    const { read, args } = started(task, asked, fetched);
    assertEquals(args, ["--model", model[1], `--adapter=${model[1]}`, "--data", `${data[1]}/sst2`]);
    assertEquals(new Set(read), new Set([".", "/npm", data[0], model[0]]));
  }
  assertEquals(started("data", ["o/d", "--model", "o/m"], fetched).args, [data[1], "--model", model[1]]);
  assertEquals(started("look", ["o/m"], fetched).read, [".", "/npm", model[0]]);
  // A run's adapter lies anywhere.
  assert(launch("look", ["o/m", "--run", "r.json"], fetched).includes("--allow-read"));
  // What lies here comes first, and what is no name at the Hub is a path.
  assertEquals(started("bench", ["--model", "o/here"], fetched).args, ["--model", "/my files/o/here"]);
  for (const path of ["./o/m", "m", "/o/m", "o/reviews.csv", "a--b/c", "../o"]) {
    const local = path.startsWith("/") ? path : `/my files/${path.replace(/^\.\//, "")}`;
    assertEquals(started("bench", ["--data", path], fetched).args, ["--data", local]);
  }
  assertEquals(started("bench", ["--model", "o/none", "--help"], fetched).args.at(-1), "--help");
  const refused: [string[], string][] = [
    [
      ["--model", "o/none"],
      "Cannot find o/none: neither is it here, nor was it fetched from the Hub (./run fetch o/none would)",
    ],
    [
      ["--model", "o/m@v2"],
      "Cannot find o/m@v2: neither is it here, nor was it fetched from the Hub (./run fetch o/m@v2 would)",
    ],
    [
      ["--data", "o/d/mnli"],
      'Cannot find o/d/mnli: what was fetched of o/d has no "mnli" (./run fetch --data o/d brings all that is read)',
    ],
  ];
  for (const [args, message] of refused) {
    assertEquals(assertThrows(() => launch("bench", args, fetched), UserError).message, message);
  }
});

Deno.test("launch() lets what makes the runs of a file read what the file takes of the Hub's cache, and says where that is", () => {
  const commit = "0123456789abcdef0123456789abcdef01234567";
  const run = { config: { task: { id: "t" }, model: { path: "/gone", hub: `o/m@${commit}` } } };
  const files: Readonly<Record<string, string>> = {
    "/my files/own.json": '{"tasks":[{"task":{"data":"o/d"},"model":{"path":"o/m@v1"}}]}',
    "/my files/runs/0123456789abcdef.json": JSON.stringify(run),
  };
  const place: Place = {
    ...elsewhere,
    hub: {
      ...inside.hub!,
      read: (path) => files[path] ?? null,
      isThere: () => false,
      commitIn: (_, revision) => ["main", "v1", commit].includes(revision) ? commit : null,
    },
  };
  const cacheOf = (words: readonly string[]) => words[words.indexOf("cli.ts") + 1];
  for (
    const [task, args] of [["bench", []], ["bench-python", []], ["bench", ["--out=o", "--plan"]]] as const
  ) {
    const asked = ["own.json", ...args];
    assertEquals(started(task, asked, place).read?.slice(-2), [
      "/cache/datasets--o--d",
      "/cache/models--o--m",
    ]);
    assertEquals(cacheOf(launch(task, asked, place)), "--hub-cache=/cache");
  }
  const planned = launchBefore("slurm", ["own.json", "--out=o", "--workers=2"], place);
  assertEquals(cacheOf(planned), "--hub-cache=/cache");
  assertEquals(started("bench", ["runs/0123456789abcdef.json"], place).read?.at(-1), "/cache/models--o--m");
  // What reads every file is told where the cache is; nobody else is.
  for (const task of ["verify", "export"]) {
    assertEquals(cacheOf(launch(task, [], place)), "--hub-cache=/cache");
  }
  for (const args of [["quick"], ["other.json"], []]) {
    assertEquals(cacheOf(launch("bench", args, place)), "bench");
  }
  assertThrows(
    () => launch("bench", ["own.json"], { ...place, hub: { ...place.hub!, commitIn: () => null } }),
    UserError,
    "Cannot find o/d: neither is it here, nor was it fetched from the Hub (./run fetch --data o/d would)",
  );
});

Deno.test("launch() lets fetch write the Hub's cache and ask its hosts, and a mirror where one is named", () => {
  const mirrored = (endpoint: string): Place => ({
    ...elsewhere,
    hub: { ...inside.hub!, endpoint: () => endpoint },
  });
  const net = (place: Place) =>
    launch("fetch", ["o/m"], place).find((word) => word.startsWith("--allow-net="));
  assertEquals(started("fetch", ["o/m"]), {
    read: [".", "/npm", "/cache", "/home/token"],
    write: ["/cache"],
    args: ["o/m"],
  });
  // A link to another disk: both its own path and where it leads.
  const linked = { ...elsewhere, hub: { ...inside.hub!, real: () => "/disk/cache" } };
  assertEquals(started("fetch", ["o/m"], linked).write, ["/cache", "/disk/cache"]);
  assertEquals(net(elsewhere), "--allow-net=huggingface.co,*.huggingface.co,*.hf.co");
  assertEquals(
    net(mirrored("https://mirror.org:8080/x")),
    "--allow-net=huggingface.co,*.huggingface.co,*.hf.co,mirror.org",
  );
  assertThrows(
    () => net(mirrored("mirror.org")),
    UserError,
    'Cannot read HF_ENDPOINT "mirror.org"',
  );
  // The token is for fetch alone, whatever else a command may read.
  for (const name of Object.keys(commands).filter((name) => name !== "fetch")) {
    const words = launch(name, [], elsewhere), { read } = started(name, []);
    assertEquals([read?.includes("/home/token") ?? false, words.includes("--deny-read=/home/token")], [
      false,
      words.includes("--allow-read"),
    ], name);
  }
  for (const task of ["bench", "settle", "data", "report", "export", "look"]) {
    const words = launch(task, [], elsewhere);
    assert(!words.some((word) => /^--allow-(net|env|ffi)/.test(word)), task);
  }
});

Deno.test("launch() lets a question read the project and what was named, and write its output folder alone", () => {
  const project = [".", "/npm"], asked = ["lora", "full", "--task", "digits", "--rank", "8"];
  assertEquals(started("settle", asked), { read: project, write: ["results"], args: asked });
  const { read, write } = started("settle", [
    ...asked,
    ...["--out", "o", "--data=/d", "--model", "m", "--rates=r", "--with", "w/own.ts"],
  ]);
  assertEquals(read, [...project, "/my files/o", "/d", "/my files/m", "/my files/r", "/my files/w"]);
  assertEquals(write, ["/my files/o"]);
});

Deno.test("launch() lets other commands write what they are for, and only reports and watchers read everything", () => {
  const of = (...[task, args]: Parameters<typeof started>) => {
    const { read, write } = started(task, args);
    return [read, write, launch(task, args, elsewhere).includes("--allow-read")];
  };
  const project = [".", "/npm"];
  assertEquals(of("report", ["--out", "o"]), [undefined, ["/my files/o"], true]);
  assertEquals(of("watch", []), [undefined, undefined, true]);
  assertEquals(of("autotune", []), [project, ["tuning"], false]);
  assertEquals(of("site", ["--out", "s"]), [[...project, "/my files/s"], ["/my files/s"], false]);
  assertEquals(of("pretrain", ["vit-tiny"]), [project, ["models/pretrained"], false]);
  assertEquals(of("pretrain", ["vit-tiny", "--out=o", "--data=d"]), [
    [...project, "/my files/o", "/my files/d"],
    ["/my files/o", "/my files/o.unfinished"],
    false,
  ]);
  for (const name of Object.keys(commands)) {
    const rest = launch(name, [], inside).filter((word) =>
      !/^--allow-(read|write)/.test(word) && word !== "--allow-sys=hostname" &&
      !(name === "fetch" && word.startsWith("--allow-env=HF_TOKEN,"))
    );
    assertEquals(
      rest.filter((word) => /^(-A|--allow-all|--allow-env|--allow-sys|--allow-ffi)/.test(word)),
      [],
    );
    assertEquals(rest.slice(0, 2), ["run", "--no-prompt"]);
  }
});

test("launch() gives each of several processes the same arguments, and the shell their number", () => {
  for (const args of [["quick", "--jobs", "4", "--seeds=0"], ["quick", "--jobs=4", "--seeds=0"]]) {
    assertEquals([started("bench", args).args, jobsOf("bench", args)], [["quick", "--seeds=0"], "4"]);
  }
  assertEquals([jobsOf("bench", []), jobsOf("bench", ["--jobs", "auto"]), jobsOf("tune", [])], [
    null,
    "auto",
    null,
  ]);
  for (const jobs of ["0", "-1", "2.5", "many", "$(x)"]) {
    assertThrows(() => jobsOf("bench", ["--jobs", jobs]), UserError, `Cannot read --jobs "${jobs}"`);
  }
  assertEquals([jobsOf("bench", ["--help"]), jobsOf("bench", ["-h"])], [null, null]);
  assertThrows(() => jobsOf("bench", ["--jobs=2", "--worker"]), UserError, "--jobs with --worker");
});

Deno.test("launch() lets commits be read where a linked worktree has them", () => {
  const place = { ...inside, dotGit: "gitdir: /r/.git/worktrees/w\n" };
  assertEquals(started("bench", [], place).read, [".", "/r/.git/worktrees/w", "/r/.git", "/npm"]);
  const module = { ...inside, dotGit: "gitdir: ../.git/modules/m\n" };
  assertEquals(started("bench", [], module).read, [".", "/p/../.git/modules/m", "/npm"]);
});

Deno.test("launch() refuses unknown tasks, arguments that can't be read, and paths with commas", () => {
  const refused = (task: string, args: string[], sentence: string) =>
    assertThrows(() => launch(task, args, inside), UserError, sentence);
  refused(
    "benhc",
    [],
    'Cannot find command "benhc": did you mean bench? Known are bench, settle, claims, data, memory, fetch, ',
  );
  refused("reprot", [], 'Cannot find command "reprot": did you mean report? Known are bench');
  // A task that serves the work on the harness is named where it was meant alone.
  refused("tset", [], 'Cannot find command "tset": did you mean test? Known are bench');
  refused("x", [], 'Cannot find command "x": known are bench, settle, claims, data, memory, fetch');
  refused("__proto__", [], 'Cannot find command "__proto__"');
  refused("bench", ["--stepz", "3"], 'Cannot find option "--stepz" of bench');
  refused("bench", ["--out"], "Cannot read --out: a value is needed after it");
  refused("bench", ["--out", "a,b"], 'Cannot allow the use of "a,b": Deno takes no path with a comma');
});

test("launch() lets commands read the folders of files that bring entries, and check's types are checked first", () => {
  const place = { ...inside, start: "/my files" };
  assertEquals(started("bench", ["quick", "--with", "a/b.ts", "--with=/x/c.ts"], place).read?.slice(-2), [
    "/my files/a",
    "/x",
  ]);
  assertEquals(started("check", ["a/b.ts"], place), {
    read: [".", "/npm", "/my files/a"],
    write: undefined,
    args: ["/my files/a/b.ts"],
  });
  assertEquals(launchBefore("check", ["--rank", "8", "a/b.ts"], place), [
    "check",
    "--quiet",
    "/my files/a/b.ts",
  ]);
  assertEquals(launchBefore("check", ["--help"], place), []);
  // This machine's adapter: what was found is written, and the tests of kernels go first.
  assertEquals(started("check", [], place), { read: [".", "/npm"], write: ["checked"], args: [] });
  assertEquals(launchBefore("check", ["--path", "gpu"], place).slice(-2), ["--", "--path=gpu"]);
  // What the command refuses waits for no tests.
  for (const refused of [["--path", "gppu"], ["--rank", "4"], ["--learning-rate", "1"]]) {
    assertEquals(launchBefore("check", refused, place), []);
  }
  assertEquals(launchBefore("check", ["--json"], place).slice(0, 5), [
    ...["test", "--no-check", "--no-prompt", "--quiet", "--allow-read=."],
  ]);
  assertEquals(launchBefore("bench", ["--with", "a.ts"], place), []);
});

Deno.test("launch() lets slurm start sbatch and squeue, and read no file of the user's: bench plans before, and starts nothing", () => {
  const args = [
    "s/own.json",
    "--out=o",
    "--workers",
    "4",
    "--submit",
    "--gpus=0",
    "--seeds",
    "0,1",
    "--data=d",
  ];
  const { read, write } = started("slurm", args), words = launch("slurm", args, elsewhere);
  assertEquals([read, write], [[".", "/npm", "/my files/o"], ["/my files/o"]]);
  assertEquals(words.filter((word) => word.startsWith("--allow-run")), ["--allow-run=sbatch,squeue"]);
  const before = launchBefore("slurm", args, elsewhere);
  assertEquals(
    before,
    launch("bench", ["s/own.json", "--out=o", "--seeds", "0,1", "--data=d", "--plan"], elsewhere),
  );
  assert(!before.some((word) => word.startsWith("--allow-run")));
  assertEquals(launchBefore("slurm", ["--status", "o"], elsewhere), []);
  assertEquals(started("slurm", ["--status", "o"]).read, [".", "/npm", "/my files/o"]);
  // What is missing the command itself says.
  assertEquals(launchBefore("slurm", ["quick", "--out", "o"], elsewhere), []);
});

test("launch.ts prints what a shell takes, or one sentence and exit code 2", async () => {
  const run = async (args: string[]) => {
    const { code, stdout, stderr } = await new Deno.Command("deno", {
      args: ["run", "--no-prompt", "--allow-read=.", "launch.ts", "/my files", ...args],
      cwd: repository,
      env: { NO_COLOR: "1" },
    }).output();
    return { code, out: new TextDecoder().decode(stdout), err: new TextDecoder().decode(stderr) };
  };
  const { code, out, err } = await run(["bench", "it's.json", "--out=o"]);
  assertEquals([code, err], [0, ""]);
  assertMatch(
    out,
    /^run --no-prompt '--allow-read=.*' '--allow-write=\/my files\/o' --allow-sys=hostname cli\.ts bench '\/my files\/it'\\''s\.json' '--out=\/my files\/o'\n$/,
  );
  assertEquals(await run(["report", "--otu", "o"]), {
    code: 2,
    out: "",
    err:
      'Cannot find option "--otu" of report: did you mean --out? Known are --out, --export, --against, --site, --with-peft, --within, --with, --json, --gpu-tflops, --gpu-gbs, --gpu-efficiency\n',
  });
});

Deno.test("test-adapter runs the tests that check an adapter", () => {
  assertEquals(config.tasks["test-adapter"], `deno task test ${KERNEL_TESTS.join(" ")}`);
});
