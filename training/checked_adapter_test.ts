import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { UserError } from "../errors/user_error.ts";
import type { GpuInfo } from "../gpu/gpu.ts";
import { FILES, testNeeding } from "../tests/support/test_needing.ts";
import { type CheckedAdapter, readChecked, writeChecked } from "./checked_adapter.ts";

const test = testNeeding(FILES);

const hardware = { vendor: "0x10de", architecture: "hopper", device: "0x2330" };
const info: GpuInfo = {
  adapter: "Card (made up)",
  hardware,
  backend: "vulkan",
  features: [],
  limits: { maxBufferSize: 1 },
  software: false,
};
const found: CheckedAdapter = {
  ...{ schema: 1, ok: true, adapter: info.adapter, hardware, backend: "vulkan", features: [], limits: {} },
  ...{ deno: Deno.version.deno, commit: "abc", checkedAt: "2026-11-29T12:00:00.000Z", checks: [] },
};

test("What was found of an adapter is read for that adapter with that Deno, and for no other", async () => {
  const path = await Deno.makeTempDir({ prefix: "checked" }), folder = new URL(`file://${path}/`);
  try {
    assertEquals(await readChecked(info, folder), null);
    assertMatch(await writeChecked(found, folder), /card-made-up-deno-[\d.]+\.json$/);
    assertEquals(await readChecked(info, folder), found);
    const twin = { ...info, hardware: { ...hardware, device: "0x2331" } };
    assertEquals(await readChecked(twin, folder), null);
    assertEquals(await readChecked({ ...info, adapter: "card made-up" }, folder), null);
    await writeChecked({ ...found, hardware: null }, folder);
    assertEquals(await readChecked(info, folder), null);
    const { hardware: _, ...nameless } = info;
    assertEquals((await readChecked(nameless, folder))?.ok, true);
    await Deno.writeTextFile(await writeChecked(found, folder), "{");
    await assertRejects(() => readChecked(info, folder), UserError, "(./run check writes it anew)");
  } finally {
    await Deno.remove(path, { recursive: true });
  }
});
