import { assertEquals } from "@std/assert";
import { lines, Markup, markup } from "./markup.ts";

Deno.test("markup escapes texts, in attributes too, and leaves what templates made alone", () => {
  const nasty = `<script>"&'</script>`, escaped = "&lt;script&gt;&quot;&amp;&#39;&lt;/script&gt;";
  assertEquals(markup`<p title="${nasty}">${nasty}</p>`.text, `<p title="${escaped}">${escaped}</p>`);
  const items = ["a", "<b>", 3].map((item) => markup`<li>${item}</li>`);
  assertEquals(markup`<ul>${items}${null}</ul>`.text, "<ul><li>a</li><li>&lt;b&gt;</li><li>3</li></ul>");
  assertEquals(markup``.text, "");
  // What only looks like markup is a text.
  assertEquals(markup`${JSON.stringify({ text: "<i>" })}`.text, "{&quot;text&quot;:&quot;&lt;i&gt;&quot;}");
});

Deno.test("lines() sets items below each other and escapes texts; only asIs() puts HTML in as it stands", () => {
  assertEquals(markup`${lines(["<a>", markup`<b>`, 3])}`.text, "&lt;a&gt;\n<b>\n3");
  assertEquals(markup`${lines([])}`.text, "");
  assertEquals(markup`${Markup.asIs("<svg>")}`.text, "<svg>");
});
