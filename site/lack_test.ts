import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { lackOf, type Offers } from "./lack.ts";

const whole: Offers = {
  browser: "Firefox 153.0",
  isSecure: true,
  hasWebGpu: true,
  hasAdapter: true,
  hasFiles: true,
};

Deno.test("lackOf() names in one sentence what is lacking first, and what to do in that browser", () => {
  assertEquals(lackOf(whole), null);
  const cases: [Partial<Offers>, string][] = [
    // Over plain HTTP nothing else is there either.
    [{ isSecure: false, hasWebGpu: false, hasAdapter: false, hasFiles: false }, "https://"],
    [{ hasWebGpu: false, hasAdapter: false, hasFiles: false }, "dom.webgpu.enabled"],
    [{ hasAdapter: false }, "gfx.webgpu.ignore-blocklist"],
    [{ hasFiles: false }, "not private"],
    [
      { browser: "Safari 18.0", hasWebGpu: false, hasAdapter: false },
      "recent Chrome, Edge, Firefox or Safari",
    ],
    [{ browser: "Chrome 156.0.0.0", hasAdapter: false }, "graphics driver"],
  ];
  for (const [lacking, advice] of cases) {
    const sentence = lackOf({ ...whole, ...lacking })!;
    assertStringIncludes(sentence, advice);
    assertMatch(sentence, /^[A-Z][^.]*(?:\.\w[^.]*)*\.$/);
    assert(lacking.browser === undefined || !sentence.includes("about:config"), "advice for another browser");
  }
});
