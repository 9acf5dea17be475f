/** @file The commands, their options and arguments, what help says of them, and which are paths. */
import { parseArgs } from "@std/cli/parse-args";
import { unknownName } from "../../errors/unknown_name.ts";
import { UserError } from "../../errors/user_error.ts";
import type { HubKind } from "../../files/hub_place.ts";
import { SCORES } from "../../tasks/own/layout.ts";

/** How an option is given. */
export type OptionKind =
  /** Alone, without a value. */
  | "flag"
  /** Once, with a text. */
  | "text"
  /** With texts and commas between them; given again, the list goes on. */
  | "list"
  /** Once, with a path. */
  | "path"
  /** With a path, as often as one likes. */
  | "paths"
  /** With a text, as often as one likes. */
  | "texts";

/** What an argument that is no option stands for. */
export type PositionalKind =
  /** A sweep's name, or the path of its file or of a stored run's. */
  | "sweep"
  /** A path. */
  | "path"
  /** A name of something else. */
  | "name";

/** What a value names: entries of a registry or of a list that is not here, or one of a few words. */
export type Names = "task" | "optimizer" | "model" | "sweep" | "export" | readonly string[];

/** An option of a command. */
export interface Option {
  readonly kind: OptionKind;
  /** What stands for its value in help, e.g. "DIR"; empty for a flag. */
  readonly value: string;
  /** What it does. */
  readonly help: string;
  /** What its value names, for shells that complete it; absent for numbers and paths. */
  readonly names?: Names;
  /** The heading in help that it stands under; absent for those that come first. */
  readonly group?: string;
  /** What it may name at the Hub, for a path; absent where it is on this machine in any case. */
  readonly hub?: HubKind;
}

/** An argument that is no option. */
export interface Positional {
  readonly kind: PositionalKind;
  /** What stands for it in help. */
  readonly value: string;
  readonly help: string;
  readonly isNeeded: boolean;
  /** True where there may be several of them. */
  readonly isMany?: true;
  readonly names?: Names;
  /** As of an option. */
  readonly hub?: HubKind;
}

/** What a command takes. */
export interface Command {
  /** What it does, in one line. */
  readonly summary: string;
  /** What else to know before it is called; absent where that is all. */
  readonly details?: string;
  /** By name, without the dashes. */
  readonly options: Readonly<Record<string, Option>>;
  /** Null where a command takes none. */
  readonly positional: Positional | null;
  /** Command lines behind "./run", each with what it is for. */
  readonly examples: readonly (readonly [line: string, meaning: string])[];
}

const flag = (help: string): Option => ({ kind: "flag", value: "", help });
const given = (kind: OptionKind) => (value: string, help: string, names?: Names): Option => ({
  kind,
  value,
  help,
  ...(names && { names }),
});
const text = given("text"), list = given("list"), path = given("path"), paths = given("paths");
const texts = given("texts");
/** A path, or a name at the Hub that was fetched. */
const fetched = (hub: HubKind, value: string, help: string): Option => ({ ...path(value, help), hub });

/** Options that stand under one heading in help. */
function under<K extends string>(group: string, options: Record<K, Option>): Record<K, Option> {
  return Object.fromEntries(
    Object.entries<Option>(options).map(([name, option]) => [name, { ...option, group }]),
  ) as Record<K, Option>;
}

const gpu = under("Predicted costs", {
  "gpu-tflops": text("N", "peak TFLOP/s of the GPU that a sweep of sizes predicts costs for"),
  "gpu-gbs": text("N", "its peak GB/s of memory; needed with --gpu-tflops"),
  "gpu-efficiency": text("N", "share of these rates that is reached, from 0 to 1; 0.4 where none is given"),
});

/** The margin of the verdict "same". */
const within = text(
  "X",
  "the largest difference between scores that counts as none; 0.02 where none is given",
);

/** How data of the user's are read. */
const ownData = {
  columns: list(
    "ROLE=COLUMN",
    "what its columns hold, as in prompt=question,answer=reply or text=body,label=kind",
  ),
  template: text("TEXT", "how a prompt is made of columns, each in braces, as in {question}"),
  score: text("WHAT", "what counts as right: exact, numbers, choice or loss", SCORES),
  "max-tokens": text("N", "cut longer prompts, so that an example has so many tokens at most"),
};

/** How several processes share a sweep. */
const sharing = under("Several processes (docs/scale.md)", {
  jobs: text("N", "share the sweep among N processes of this machine, or as many as suit it: auto"),
  plan: flag("write the plan into the folder, for workers; run nothing"),
  worker: flag(
    "make runs of the plan in the folder beside others, on any machine that has it; write no report",
  ),
  report: flag("write the report of what is stored, once nobody is at work in the folder; run nothing"),
});

const json = { json: flag("print one JSON object; progress goes to stderr") };

const bench = {
  summary: "run a sweep and write its report",
  details:
    "The same command goes on where it was stopped, and never repeats a finished run. `./run watch` shows the progress " +
    "on a page.",
  options: {
    out: path("DIR", "where results and report go; results/<sweep> where none is named"),
    "dry-run": flag("list the runs, their memory and an estimate of the time; run nothing"),
    "checkpoint-every": text(
      "TIME",
      "keep the run at work so often, to go on from there after a crash: 90s, 10m, 1h or never; 10m where none is given",
    ),
    within,
    keep: text("WHAT", "keep more than results: trained, what each run trained, in DIR/trained", ["trained"]),
    list: flag("list the known tasks, optimizers, models and sweeps"),
    ...json,
    ...sharing,
    ...under("Which runs of the sweep", {
      tasks: list("A,B", "these tasks alone, also ones that the sweep does not name", "task"),
      optimizers: list("A,B", "these methods alone, also ones that the sweep does not name", "optimizer"),
      ranks: list("N,N", "at these ranks"),
      "learning-rates": list("X,X", "at each of these peak learning rates, instead of the chosen ones"),
      seeds: list("N,N", "with these seeds"),
      steps: text("N", "for so many steps; warm-up, validation and telemetry scale along"),
      vary: texts(
        "FIELD=V,V",
        "also with each of these values: batchSize=8,32 or targets=q_proj+v_proj,mlp or alpha=16,64, or another field " +
          "(docs/sweeps.md); may be given again",
      ),
      equal: list(
        "WHAT",
        "what stays as it is while a field varies: examples, so that larger batches have fewer steps, or parameters, by " +
          "the rank",
        ["examples", "parameters"],
      ),
      targets: list(
        "A,B",
        "adapt these linear maps alone: q_proj,v_proj, patterns with *, or all-linear, query-value, attention, mlp",
      ),
      "also-train": list(
        "A,B",
        "train these themselves beside them: embeddings, head, norms, gains (of norms), biases, or names as in PEFT's modules_to_save",
      ),
      "frozen-weights": text(
        "TYPE",
        "keep weights that are not trained in less memory: f32, f16, int8 or nf4",
        [
          "f32",
          "f16",
          "int8",
          "nf4",
        ],
      ),
      "frozen-embeddings": text(
        "TYPE",
        "the same for the embedding and the output map of a vocabulary: f32, f16, int8 or nf4",
        ["f32", "f16", "int8", "nf4"],
      ),
      loftq: text(
        "STEPS",
        "start B A at what int8 or nf4 loses, by LoftQ with so many steps, such as 1 or 5",
      ),
      checkpointing: text(
        "WHAT",
        "blocks: compute activations again for the backward pass; blocks-f16: the same from inputs in 16 bits; none: keep them",
        ["none", "blocks", "blocks-f16"],
      ),
      activations: text(
        "TYPE",
        "keep what the backward pass reads of blocks in less memory: f32 or f16, which rounds gradients alone",
        ["f32", "f16"],
      ),
      rates: path("DIR", "at the rates that a tuning sweep, such as tune, chose into DIR"),
    }),
    ...under("Your own methods, data and models", {
      with: paths(
        "FILE",
        "take the methods, tasks and models that a TypeScript file exports; may be given again",
      ),
      data: fetched(
        "data set",
        "PATH",
        "a file of your own, data that a task knows (docs/data.md), or org/name from the Hub",
      ),
      ...ownData,
      examples: text("N,N,N", "so many to train on, to validate with and to test on"),
      "train-on-test": flag("train on what the data publishes to test on, where there is nothing else"),
      model: fetched(
        "model",
        "DIR",
        "begin with the model in a folder of Hugging Face's layout, or org/name; docs/models.md",
      ),
      adapter: fetched(
        "model",
        "DIR",
        "with an adapter of PEFT's format in the model's weights; docs/export.md",
      ),
      retain: path("FILE", "a text by which reports tell what a decoder in a folder forgets; docs/report.md"),
      sharpness: text(
        "N",
        "take the largest eigenvalue of the loss's Hessian before each run, in N steps of Lanczos' method; docs/report.md",
      ),
      "may-read": paths(
        "PATH",
        "a path that the sweep's file names and ./run would not let it read; may be given again",
      ),
    }),
    ...gpu,
  },
  positional: {
    kind: "sweep" as const,
    value: "SWEEP",
    help:
      'a name from --list, or the path of a JSON file; "quick" where none is named. DIR/runs/<id>.json is that run alone, ' +
      "once more, in a folder of its own",
    isNeeded: false,
    names: "sweep",
  },
  examples: [
    ["bench quick --dry-run", "what would run, and for how long"],
    ["bench quick --tasks digits --optimizers lora,lora-pro --seeds 0,1,2,3", "a part of a sweep"],
    ["bench my-sweep.json --out results/mine", "a grid of your own"],
  ],
} satisfies Command;

const model: Names = "model";

/** Options of `bench` that one of many processes is given by another, or that end with what they print. */
const {
  jobs: _jobs,
  plan: _plan,
  worker: _worker,
  report: _report,
  "dry-run": _dry,
  list: _list,
  json: _json,
  ...shared
} = bench.options;

/** What the command line knows, in the order of its help. */
export const commands = {
  bench,
  settle: {
    summary: "tell which of two methods is better, or that they are the same",
    details:
      "Chooses each method's rate, then runs pairs until it is decided or time is over. The same command with a larger " +
      "--budget goes on, and what was decided stays. docs/settle.md says how.",
    options: {
      task: list("A,B", "the tasks to compare on; needless with a file of your own in --data", "task"),
      rank: list("N,N", "at these ranks"),
      within,
      budget: text("TIME", "for all runs together, those of earlier commands too; 30m where none is given"),
      "at-least": text(
        "N",
        "decide nothing before so many pairs; 23 are needed where one method may fail in a few seeds",
      ),
      against: text(
        "METHOD",
        "the one that all others are compared with; else the first is, with each of the others",
        "optimizer",
      ),
      out: bench.options.out,
      "dry-run": flag("tell what deciding would take; run nothing"),
      "checkpoint-every": bench.options["checkpoint-every"],
      keep: bench.options.keep,
      ...json,
      ...sharing,
      ...under("Rates and settings", {
        rates: path("DIR", "at the rates that were chosen into DIR, without a search of its own"),
        steps: bench.options.steps,
        targets: bench.options.targets,
        "also-train": bench.options["also-train"],
        "frozen-weights": bench.options["frozen-weights"],
        "frozen-embeddings": bench.options["frozen-embeddings"],
        loftq: bench.options.loftq,
        checkpointing: bench.options.checkpointing,
        activations: bench.options.activations,
      }),
      ...under("Your own methods, data and models", {
        with: bench.options.with,
        data: bench.options.data,
        ...ownData,
        examples: bench.options.examples,
        "train-on-test": bench.options["train-on-test"],
        model: bench.options.model,
        adapter: bench.options.adapter,
        retain: bench.options.retain,
      }),
    },
    positional: {
      kind: "name" as const,
      value: "METHODS",
      help: "two methods or more, by their names in bench --list",
      isNeeded: true,
      isMany: true,
      names: "optimizer",
    },
    examples: [
      ["settle lora-pro lora --task digits --rank 8 --within 0.05", "which of two is better"],
      ["settle dora pissa --against lora --task digits --rank 8 --budget 2h", "several against one"],
    ],
  },
  claims: {
    summary: "test what papers claim, each claim by one question",
    details:
      "All claims that ship, or those that are named. The same command goes on where it was stopped. docs/claims.md says what " +
      "confirms and what refutes each.",
    options: {
      out: path("DIR", "each claim has a folder of its name in it; results/claims where none is named"),
      "dry-run": flag("tell what each claim takes at most; run nothing"),
      table: flag("write the table of what the claims in DIR came to into docs/results.md; run nothing"),
      "checkpoint-every": bench.options["checkpoint-every"],
      ...json,
      ...sharing,
    },
    positional: {
      kind: "sweep" as const,
      value: "CLAIMS",
      help: "names from docs/claims.md, or paths of JSON files; all that ship where none is named",
      isNeeded: false,
      isMany: true,
    },
    examples: [
      ["claims --jobs 2", "all of them, one after the other"],
      ["claims pro-mode --dry-run", "what one takes"],
    ],
  },
  data: {
    summary: "show what is understood of data of your own",
    details: "Columns, counts, lengths, classes, and examples as a model sees them. Runs nothing.",
    options: {
      ...ownData,
      model: fetched(
        "model",
        "DIR",
        "as the model in a folder takes it; else as one of the project's own does",
      ),
      ...json,
    },
    positional: {
      kind: "path",
      value: "PATH",
      help:
        "a file that ends in .jsonl, .json, .csv, .tsv or .parquet, a folder of such files, or org/name from the Hub",
      isNeeded: true,
      hub: "data set",
    },
    examples: [
      ["data reviews.csv --columns text=body,label=stars", "before it is compared on"],
    ],
  },
  memory: {
    summary: "tell what training a model takes, and which card holds it",
    details:
      "By formula, before any weight is there. Beside each method: frozen weights in 32, 16, 8.5 and 4.13 bits, with all " +
      "activations kept, with the same in 16 bits, with blocks computed again, and with their inputs in 16 bits. Runs nothing.",
    options: {
      optimizers: list("A,B", "these methods; lora,lora-pro where none is named", "optimizer"),
      ranks: list("N,N", "at these ranks; 8,64, or 8 on smaller models, where none is given"),
      tokens: text(
        "N",
        "for texts of so many tokens; 512, or the most that the models take, where none is given",
      ),
      batch: text("N", "for batches of so many examples; 1 where none is given"),
      model: fetched("model", "DIR", "of the model in a folder of Hugging Face's layout, or org/name"),
      ...json,
    },
    positional: {
      kind: "name",
      value: "MODELS",
      help: "models' names from bench --list",
      isNeeded: false,
      isMany: true,
      names: model,
    },
    examples: [
      ["memory llama-3-2-1b llama-3-1-8b", "which card is needed"],
      ["memory --model ~/my-llama --tokens 2048 --optimizers lora,full", "of a model of yours"],
    ],
  },
  fetch: {
    summary: "bring a model or a data set from Hugging Face's Hub",
    details:
      "Into the cache that Python's libraries share ($HF_HOME, else ~/.cache/huggingface), where --model org/name and --data " +
      "org/name find it without a network. HF_TOKEN opens gated repositories, HF_ENDPOINT names a mirror. An interrupted " +
      "fetch goes on where it was. Only safetensors are taken.",
    options: {
      data: text("NAME", "a data set, org/name or org/name@revision"),
      only: list("PATTERN", "the files that a pattern means alone, as in 'sst2/*'; commas between several"),
      ...json,
    },
    positional: {
      kind: "name",
      value: "NAME",
      help: "a model or an adapter, org/name or org/name@revision",
      isNeeded: false,
    },
    examples: [
      ["fetch org/model", "then: bench quick --model org/model"],
      ["fetch --data org/set@v1.0 --only sst2/*", "one folder of a data set"],
    ],
  },
  report: {
    summary: "write a sweep's report again, from its stored runs alone",
    options: {
      out: path("DIR", "the folder that bench wrote to; the report goes to DIR/report"),
      export: list(
        "A,B",
        "files for other programs beside the report: latex, pdf, peft, png, wandb",
        "export",
      ),
      against: path("DIR", "tell what changed against the sweep in another folder"),
      site: text(
        "ADDRESS",
        "link to a site that makes the same runs in a browser (./run site): its address, or a path from the report to it",
      ),
      "with-peft": paths(
        "PATH",
        "show results of Hugging Face PEFT's method comparison beside, from a file or a folder; may be given again",
      ),
      within,
      with: paths("FILE", "methods and tasks of yours, for costs and measures that their own code tells"),
      ...json,
      ...gpu,
    },
    positional: null,
    examples: [
      ["report --out results/quick", "after a change of the report, or on another machine"],
      ["report --out results/mine --against results/before", "what changed between two sweeps"],
    ],
  },
  verify: {
    summary: "make some of a folder's runs again, and compare what they find",
    details:
      "On an equal adapter every loss, score and measurement has to be equal, bit for bit; on another one losses within " +
      "rounding at first, and scores as far as the examples tell. Ends with exit code 1 where they do not.",
    options: {
      sample: text("N", "so many runs, drawn by chance, or all; 5 where none is given"),
      seed: text("N", "draws other runs; 0 where none is given"),
      out: path("DIR", "where the runs go; results/verify-<sweep> where none is named"),
      with: paths("FILE", "the methods and tasks of yours that the runs are of; may be given again"),
      ...json,
    },
    positional: {
      kind: "path",
      value: "DIR",
      help: "a folder of results, or a report's page, in its folder or alone",
      isNeeded: true,
    },
    examples: [["verify results/quick", "five of its runs"], [
      "verify colleague/results --sample all",
      "all of them",
    ], ["verify index.html", "five of the runs that a page alone carries"]],
  },
  export: {
    summary: "write what a run trained as an adapter for other programs",
    details:
      "Runs keep what they trained with --keep trained. An adapter is in the format of Hugging Face's PEFT: native, as PEFT " +
      "has the method, and portable, as plain LoRA.",
    options: {
      to: path("DIR", "the folder that gets it, each form in a folder of its own"),
      as: list(
        "A,B",
        "native, portable, merged; else both adapters, or where there is none the merged model",
        [
          "native",
          "portable",
          "merged",
        ],
      ),
      base: text("NAME", "what the adapter calls its base model; else the path that the run had it from"),
      with: paths("FILE", "the method or task of yours that the run is of; may be given again"),
      ...json,
    },
    positional: {
      kind: "path",
      value: "RUN",
      help: "a stored run, DIR/runs/<id>.json",
      isNeeded: true,
    },
    examples: [
      ["export results/quick/runs/0123456789abcdef.json --to adapter", "after bench --keep trained"],
    ],
  },
  look: {
    summary: "show what an adapter of anybody's does to its base model",
    details:
      "Ranks used, norms by layer, effective ranks, intruder dimensions, and how far it is from a run's own weights. Reads " +
      "PEFT's format: LoRA, rsLoRA, DoRA, AdaLoRA.",
    options: {
      model: fetched(
        "model",
        "DIR",
        "the folder of its base model, or org/name; needless for an adapter of one of the project's",
      ),
      run: path("RUN", "compare with what a stored run trained, DIR/runs/<id>.json"),
      out: path("DIR", "write a page with tables and charts there"),
      ...json,
    },
    positional: {
      kind: "path",
      value: "ADAPTER",
      help: "a folder with adapter_config.json and adapter_model.safetensors, or org/name from the Hub",
      isNeeded: true,
      hub: "model",
    },
    examples: [["look ~/their-adapter --model ~/llama --out look", "before it is trusted"]],
  },
  watch: {
    summary: "serve a page on this machine with the progress of sweeps",
    details: "It only reads, and sweeps go on without it.",
    options: { port: text("N", "the page's port; 8377 where none is given") },
    positional: {
      kind: "path",
      value: "DIR",
      help: '"results" where none is named: all sweeps below it',
      isNeeded: false,
    },
    examples: [["watch results/quick", "one sweep, running, stopped or done"]],
  },
  pretrain: {
    summary: "make a base checkpoint",
    options: {
      out: path("PATH", "where it goes; where the project ships it, if none is named"),
      with: paths("FILE", "take the models that a TypeScript file of yours exports; may be given again"),
      steps: text("N", "for so many steps, instead of the recipe's"),
      data: fetched("data set", "DIR", 'of real images, as a folder at --out that "bench --model" takes'),
      examples: text("N,N,N", "so many images to train on, to validate with and to leave for tests"),
      "train-on-test": flag("train on images that are published to test on, where there are no others"),
    },
    positional: {
      kind: "name",
      value: "MODEL",
      help: "a model's name from bench --list",
      isNeeded: true,
      names: model,
    },
    examples: [["pretrain vit-tiny --data ~/images --out base", "one of images of yours"]],
  },
  check: {
    summary: "check this machine's adapter, or methods and tasks of yours",
    details:
      "Without a file: limits and memory of the adapter, every kernel against float64, short runs against recorded " +
      "losses, and whether the same run gives the same bits. Ends in a verdict, and a file for an issue in checked/. " +
      "With one: says of each promise whether it holds, and why not where it doesn't; its types are checked first.",
    options: {
      path: text(
        "KIND",
        "check the kernels that launchers choose for a gpu, or for software, whatever the adapter is",
        ["gpu", "software"],
      ),
      rank: text("N", "the rank at which methods are held; 2 where none is given"),
      "learning-rate": text(
        "X",
        "the learning rate at which a method fits a toy network; 0.05 where none is given",
      ),
      ...json,
    },
    positional: {
      kind: "path",
      value: "FILE",
      help:
        "a TypeScript file that exports methods, tasks or models; this machine's adapter where none is named",
      isNeeded: false,
    },
    examples: [
      ["check", "once for an adapter and a version of Deno"],
      ["check ./my_method.ts", "a method, before it is compared"],
    ],
  },
  site: {
    summary: "build a site that makes comparisons on its reader's GPU",
    details:
      "A folder of static files: methods are trained in the reader's browser, and nothing is sent anywhere. docs/site.md " +
      "says how to serve it.",
    options: {
      out: path("DIR", "where the site goes: a new folder, or one that has an earlier build"),
      ...json,
    },
    positional: null,
    examples: [["site --out site-build", "for any static server"]],
  },
  autotune: {
    summary: "measure this machine's matrix products, for bench to be faster",
    details:
      "And sums over lanes with and without subgroups, where the adapter has them. The machine should be idle. The choices are stored in tuning/. The sweep of that name, `./run bench tune`, chooses " +
      "learning rates instead.",
    options: json,
    positional: null,
    examples: [["autotune", "once for a machine"]],
  },
  slurm: {
    summary: "share a sweep among jobs of Slurm",
    details:
      "Writes the plan and two batch files into DIR/slurm: an array of workers and the report that waits for them. The same " +
      "command goes on where jobs ended before the sweep did. docs/scale.md says more.",
    options: {
      out: path("DIR", "a folder that all machines see, for results, report and logs"),
      workers: text("W", "so many elements of the array, each a process that makes runs"),
      gpus: text("N", "0 or 1: whether each gets a GPU; it does where nothing is given"),
      cores: text("N", "processor cores of each; 2 where none is given"),
      time: text(
        "TIME",
        "the time limit of each, such as 2h, after which it is queued again; else the partition's",
      ),
      partition: text("NAME", "the partition of Slurm's; its default where none is given"),
      submit: flag("submit them; else the two lines are printed that do"),
      status: path("DIR", "tell how the jobs of a folder are, instead"),
      ...json,
      ...under(
        "The sweep, as bench takes it",
        Object.fromEntries(Object.entries(shared).filter(([name]) => name !== "out")) as Omit<
          typeof shared,
          "out"
        >,
      ),
    },
    positional: bench.positional,
    examples: [
      ["slurm paper --out /shared/paper --workers 8 --time 2h --submit", "eight workers, each with a GPU"],
      ["slurm --status /shared/paper", "what they are at"],
    ],
  },
  // What it may do more, the process was given at its start.
  "bench-python": {
    ...bench,
    summary: "bench that may test Python programs, in the sandbox bubblewrap",
    details:
      "As bench, and by ./run allowed to run /usr/bin/bwrap, the sandbox in which Python that a model wrote is tested on " +
      "real data.",
    examples: [["bench-python my-sweep.json --tasks code --data ~/humaneval", "programs, tested"]],
  },
  completions: {
    summary: "print what makes a shell complete commands, options and names",
    details: "Put the line into your shell's start file, ~/.bashrc, ~/.zshrc or ~/.config/fish/config.fish.",
    options: {},
    positional: {
      kind: "name",
      value: "SHELL",
      help: "bash, zsh or fish",
      isNeeded: true,
      names: ["bash", "zsh", "fish"],
    },
    examples: [
      ["completions bash", 'bash: eval "$(./run completions bash)"'],
    ],
  },
} as const satisfies Readonly<Record<string, Command>>;

/** The name of a command. */
export type CommandName = keyof typeof commands;

/** True for the name of a command. */
export function isCommand(name: string): name is CommandName {
  return Object.hasOwn(commands, name);
}

/** The arguments of a command, read. */
export interface Arguments {
  /** Values by option; those of a list joined by commas. */
  readonly texts: ReadonlyMap<string, string>;
  /** Values of options that may be given again, paths and texts. */
  readonly paths: ReadonlyMap<string, readonly string[]>;
  readonly flags: ReadonlySet<string>;
  readonly positional: readonly string[];
}

/**
 * Reads the arguments of one command.
 *
 * @throws {UserError} for what it doesn't know, for options without their value, flags with one, and options that are
 * given twice and can't be
 */
export function readArguments(name: CommandName, args: readonly string[]): Arguments {
  const { options, positional: wanted }: Command = commands[name];
  const isFlag = (option: string) => options[option]?.kind === "flag";
  const [flagNames, valued] = [
    Object.keys(options).filter(isFlag),
    Object.keys(options).filter((one) => !isFlag(one)),
  ];
  const parsed = parseArgs(joinNegatives(args, valued), {
    boolean: flagNames,
    string: [...valued, "_"],
    collect: valued,
    unknown(argument, key) {
      if (key === undefined) return true;
      const option = argument.split("=")[0]!;
      throw unknownName(
        `option "${option}" of ${name}`,
        option,
        Object.keys(options).map((option) => `--${option}`),
      );
    },
  });
  // parseArgs takes any text behind a flag for yes, but "false".
  for (const argument of args) {
    const [, flag] = /^--([^=]+)=/.exec(argument) ?? [];
    if (flag !== undefined && flagNames.includes(flag)) {
      throw new UserError(`Cannot read ${argument}: it takes no value`);
    }
  }
  const positional = parsed._.map(String);
  if (!wanted?.isMany && positional.length > (wanted ? 1 : 0)) {
    const folder = !wanted && "out" in options ? ", and a folder goes behind --out" : "";
    throw new UserError(
      `Cannot read "${positional[wanted ? 1 : 0]}": ${name} takes ${wanted ? 1 : "no"} name${folder}`,
    );
  }
  const texts = new Map<string, string>(), paths = new Map<string, readonly string[]>();
  for (const option of valued) {
    const { kind } = options[option]!, values = [parsed[option]].flat().map(String);
    if (values.length === 0) continue;
    if (values.includes("")) throw new UserError(`Cannot read --${option}: a value is needed after it`);
    if (kind === "paths" || kind === "texts") paths.set(option, values);
    else if (kind === "list" || values.length === 1) texts.set(option, values.join(","));
    else throw new UserError(`Cannot read --${option} ${values.join(" and ")}: it is needed once`);
  }
  return { texts, paths, flags: new Set(flagNames.filter((flag) => parsed[flag] === true)), positional };
}

/** parseArgs takes what begins with a dash for an option: a negative number goes with the option before it. */
function joinNegatives(args: readonly string[], valued: readonly string[]): string[] {
  return args.reduce<string[]>((joined, argument) => {
    const last = joined.at(-1) ?? "";
    return last.startsWith("--") && valued.includes(last.slice(2)) && /^-\.?\d/.test(argument)
      ? [...joined.slice(0, -1), `${last}=${argument}`]
      : [...joined, argument];
  }, []);
}

/** The same arguments without some options and their values. */
export function withoutOptions(
  name: CommandName,
  args: readonly string[],
  options: readonly string[],
): string[] {
  const known: Readonly<Record<string, Option>> = commands[name].options;
  const isDropped = (argument: string | undefined) => options.some((option) => argument === `--${option}`);
  return args.filter((argument, i) => {
    const before = args[i - 1];
    const isValue = isDropped(before) && known[before!.slice(2)]?.kind !== "flag";
    return !isValue && !isDropped(argument) && !options.some((option) => argument.startsWith(`--${option}=`));
  });
}

/** The options of `slurm` that it does not hand to the processes that make the runs. */
export const slurmOptions = Object.keys(commands.slurm.options).filter((name) =>
  name !== "out" && !Object.hasOwn(shared, name)
);

/**
 * The same arguments with every path in them changed: options that are paths in both of their forms, and positional
 * ones. What can't be read stays as it is.
 */
export function changePaths(
  name: CommandName,
  args: readonly string[],
  change: (path: string, hub?: HubKind) => string,
): string[] {
  const { options, positional }: Command = commands[name];
  const kindOf = (option: string) => Object.hasOwn(options, option) ? options[option]!.kind : "flag";
  const changeIf = (option: string, value: string) =>
    /^paths?$/.test(kindOf(option)) && value !== "" ? change(value, options[option]!.hub) : value;
  /** The option that waits for its value. */
  let open: string | null = null;
  return args.map((argument) => {
    const [, option, value] = /^--([^=]+)(?:=(.*))?$/s.exec(argument) ?? [];
    if (option !== undefined) {
      open = value === undefined && kindOf(option) !== "flag" ? option : null;
      return value === undefined ? argument : `--${option}=${changeIf(option, value)}`;
    }
    const before = open;
    open = null;
    if (argument.startsWith("-")) return argument;
    if (before !== null) return changeIf(before, argument);
    return isPath(positional?.kind ?? null, argument) ? change(argument, positional?.hub) : argument;
  });
}

/** Whether a positional argument is a path: a sweep is one where it has a slash or ends in ".json". */
export function isPath(kind: PositionalKind | null, value: string): boolean {
  return kind === "path" || (kind === "sweep" && (value.includes("/") || value.endsWith(".json")));
}
