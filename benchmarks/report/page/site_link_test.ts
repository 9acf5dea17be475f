import { assertEquals, assertRejects } from "@std/assert";
import { UserError } from "../../../errors/user_error.ts";
import { complete } from "../../../tests/support/tiny_runs.ts";
import { packRuns, siteLink, unpackRuns } from "./site_link.ts";

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
  const whole = await packRuns(runs);
  for (const packed of ["", "%%", whole.slice(0, -40), await packRuns({ name: "x" } as never)]) {
    await assertRejects(() => unpackRuns(packed), UserError, "the link");
  }
  const broken = { ...runs, configs: [{ ...runs.configs[0], steps: -1 }] } as never;
  await assertRejects(async () => unpackRuns(await packRuns(broken)), UserError, "steps");
});
