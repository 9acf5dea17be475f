import { assertEquals, assertRejects } from "@std/assert";
import { UserError } from "../../../errors/user_error.ts";
import { complete } from "../../../tests/support/tiny_runs.ts";
import { shipped } from "../../../training/shipped.ts";
import { specOf } from "../../settle/question.ts";
import { pack, siteLink, unpackQuestion, unpackRuns } from "./site_link.ts";

const runs = {
  name: "two",
  question: "Is LoRA’s “B” enough?",
  configs: [1, 2].map((seed) => complete({ seed })),
};

Deno.test("siteLink() carries runs that a site has what it takes for, in the fragment alone", async () => {
  const link = await siteLink("https://example.org/site/", runs), [address, packed] = link!.split("#runs=");
  assertEquals(address, "https://example.org/site/");
  assertEquals(/^[\w-]+$/.test(packed!), true);
  assertEquals(await unpackRuns(packed!), runs);
  const own = runs.configs.map((config) => ({ ...config, model: { ...config.model, path: "/my/model" } }));
  assertEquals(await siteLink("./", { ...runs, configs: own }), null);
  assertEquals(await siteLink("./", { ...runs, configs: [] }), null);
  const question = Array.from({ length: 300 }, () => crypto.randomUUID()).join();
  assertEquals(await siteLink("./", { ...runs, question }), null, "too long for an address");
});

Deno.test("unpackRuns() says in a sentence what is no link of ours", async () => {
  const whole = await pack(runs);
  for (const packed of ["", "%%", whole.slice(0, -40), await pack({ name: "x" } as never)]) {
    await assertRejects(() => unpackRuns(packed), UserError, "the link");
  }
  const broken = { ...runs, configs: [{ ...runs.configs[0], steps: -1 }] } as never;
  await assertRejects(async () => unpackRuns(await pack(broken)), UserError, "steps");
});

Deno.test("siteLink() carries the question of runs that settled one, and unpackQuestion() takes no other", async () => {
  const asked = {
    ...{ methods: ["lora-pro", "lora"], tasks: ["digits"], ranks: [8], within: 0.05, budget: "30m" },
    atLeast: 23,
  };
  const spec = specOf(asked, shipped), link = await siteLink("./site/", runs, spec);
  assertEquals(await unpackQuestion(link!.split("./site/#question=")[1]!), spec);
  const own = runs.configs.map((config) => ({ ...config, model: { ...config.model, path: "/my/model" } }));
  assertEquals(await siteLink("./", { ...runs, configs: own }, spec), null);
  const { settle: _, ...none } = spec;
  for (const packed of ["%%", await pack(runs), await pack(none)]) {
    await assertRejects(() => unpackQuestion(packed), UserError, "the link");
  }
});
