import { assertEquals } from "@std/assert";
import { argumentsOf, asTypedElsewhere, quoteArgument, withArticle } from "./quote.ts";

Deno.test("withArticle() is a decoder, and an encoder", () => {
  assertEquals(["decoder", "encoder-decoder"].map(withArticle), ["a decoder", "an encoder-decoder"]);
});

Deno.test("argumentsOf() gives back what quoteArgument() made a line of", () => {
  const all = ["./run", "bench", "it's", "a b", "", "*", "--out=/a/b c", "'", "\\"].filter((one) =>
    one !== ""
  );
  assertEquals(argumentsOf(all.map(quoteArgument).join(" ")), all);
});

Deno.test("asTypedElsewhere() names folders of this machine as a reader has them, and nothing else otherwise", () => {
  const cases = {
    "./run bench paper --out /work/campaign/paper": "./run bench paper --out results/paper",
    "./run settle a b --rates=/tmp/tune/ --out '/my home/x y'":
      "./run settle a b --rates=results/tune --out 'results/x y'",
    "./run bench results/a.json --model org/name --within 0.02":
      "./run bench results/a.json --model org/name --within 0.02",
  };
  for (const [typed, shown] of Object.entries(cases)) assertEquals(asTypedElsewhere(typed), shown);
});
