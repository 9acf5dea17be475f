import { assertEquals } from "@std/assert";
import { browserName } from "./browser.ts";

Deno.test("browserName() tells browsers apart that name each other", () => {
  const webkit = "AppleWebKit/537.36 (KHTML, like Gecko)",
    mac = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)";
  const names = {
    "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0": "Firefox 153.0",
    [`${mac} ${webkit} Chrome/156.0.0.0 Safari/537.36`]: "Chrome 156.0.0.0",
    [`${mac} ${webkit} Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0`]: "Edge 156.0.0.0",
    [`${mac} ${webkit} Chrome/156.0.0.0 Safari/537.36 OPR/120.0.0.0`]: "Opera 120.0.0.0",
    [`${mac} AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/605.1.15`]: "Safari 26.1",
    [`${mac} AppleWebKit/605.1.15 (KHTML, like Gecko)`]: "a browser",
  };
  for (const [agent, name] of Object.entries(names)) assertEquals(browserName(agent), name);
});
