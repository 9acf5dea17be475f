import { assert, assertEquals } from "@std/assert";
import { manyMethods } from "../../tests/support/fakes/registries.ts";
import { fakeSweep } from "../../tests/support/fakes/sweep.ts";
import { makeMethods } from "../study/make_study.ts";
import { joinEntries } from "../../training/registry.ts";
import { describe, Described, withDescribed } from "./described.ts";
import { expand, override } from "./sweep.ts";

/** A task and two methods of a reader's own beside the made-up ones. */
const { digits } = manyMethods.tasks,
  lora = Object.values(manyMethods.optimizers).find(({ id }) => id === "lora")!;
const own = {
  tasks: {
    t: {
      ...digits!,
      id: "mine",
      title: "My images",
      measures: [
        { name: "sharpness", better: "lower" as const, within: [0, 1] as const },
        // Without an end, which JSON can't write.
        { name: "loss", better: "lower" as const, within: [0, Infinity] as const },
        { name: "agreement", better: "higher" as const, ofPairs: () => 0 },
      ],
    },
  },
  optimizers: {
    a: { ...lora, id: "a-method", title: "A" },
    b: { ...lora, id: "b-method", title: "B", describe: () => "as it is" },
  },
};

Deno.test("what a sweep took from files is described as it was, and serves where the files are not at hand", () => {
  const known = joinEntries(manyMethods, own as never);
  const spec = override(fakeSweep, { tasks: ["mine"], optimizers: ["lora", "a-method", "b-method"] }, known);
  const configs = expand(spec, known).configs;
  const described = describe(configs, known)!;
  assertEquals(Described.parse(JSON.parse(JSON.stringify(described))), described);
  assertEquals(described.methods.map(({ id, title }) => [id, title]), [["a-method", "A"], ["b-method", "B"]]);
  // What the file's own code forms of pairs is not told without it.
  assertEquals(described.tasks.map(({ title, measures }) => [title, measures.map(({ name }) => name)]), [
    ["My images", ["sharpness", "loss"]],
  ]);
  const there = makeMethods(configs, known),
    gone = makeMethods(configs, withDescribed(manyMethods, [described]));
  assertEquals(gone, there);
  assertEquals(gone.map(({ label }) => label).slice(1), ["A", "B"]);
  assert(gone[2]!.settings.startsWith("as it is; "), gone[2]!.settings);
  assertEquals(describe(configs.filter(({ optimizer }) => optimizer.id === "lora"), manyMethods), null);
});

Deno.test("methods of a reader's own have colours and shapes of their own, unlike ours and unlike each other", () => {
  const known = joinEntries(manyMethods, own as never);
  const { configs } = expand(override(fakeSweep, { tasks: ["digits"] }, known), known);
  const all = expand({ ...fakeSweep, tasks: fakeSweep.tasks.slice(0, 1), optimizers: [{ id: "*" }] }, known);
  for (const some of [configs, all.configs]) {
    const looks = makeMethods(some, known);
    for (const look of ["color", "shape"] as const) {
      assertEquals(new Set(looks.map((method) => method[look])).size, looks.length, look);
    }
  }
});
