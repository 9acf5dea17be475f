import { assertEquals, assertRejects } from "@std/assert";
import { UserError } from "../errors/user_error.ts";
import { inFolder } from "../tests/support/in_folder.ts";
import { FILES, testNeeding } from "../tests/support/test_needing.ts";
import { findToken } from "./token.ts";

const test = testNeeding(FILES);

test("findToken() looks where huggingface_hub does: HF_TOKEN, HF_TOKEN_PATH, HF_HOME, then the user's home", async () => {
  await inFolder(async (home) => {
    const write = async (path: string, text: string) => {
      await Deno.mkdir(`${home}/${path.slice(0, path.lastIndexOf("/"))}`, { recursive: true });
      await Deno.writeTextFile(`${home}/${path}`, text);
    };
    const all: Readonly<Record<string, string>> = {
      HF_TOKEN: "hf_a\n",
      HF_TOKEN_PATH: "~/named/by/path",
      HF_HOME: `${home}/hf/`,
      XDG_CACHE_HOME: `${home}/xdg`,
      HOME: home,
    };
    await write("named/by/path", " hf_b\r\n");
    await write("hf/token", "hf_c");
    await write("xdg/huggingface/token", "hf_d");
    await write(".cache/huggingface/token", "hf_e");
    const found = [
      ["HF_TOKEN", "hf_a", "HF_TOKEN"],
      ["HF_TOKEN_PATH", "hf_b", `${home}/named/by/path`],
      ["HF_HOME", "hf_c", `${home}/hf/token`],
      ["XDG_CACHE_HOME", "hf_d", `${home}/xdg/huggingface/token`],
      ["HOME", "hf_e", `${home}/.cache/huggingface/token`],
    ] as const;
    // Each counts where those before it are not set, or empty.
    for (const [nth, [, text, place]] of found.entries()) {
      const names = found.map(([name]) => name);
      for (const unset of [undefined, ""]) {
        const token = await findToken((name) =>
          names.indexOf(name as "HOME") < nth && name !== "HOME" ? unset : all[name]
        );
        assertEquals(token, { text, place });
      }
    }
    // A file that is named and holds nothing, or is not there, is no token.
    await write("named/by/path", "\n");
    const only = (path: string) => findToken((name) => name === "HF_TOKEN_PATH" ? path : undefined);
    assertEquals([await only(`${home}/named/by/path`), await only(`${home}/nothing`)], [null, null]);
    assertEquals(await findToken(() => undefined), null);
    await assertRejects(
      () => only("token"),
      UserError,
      'HF_TOKEN_PATH is "token", an absolute path is needed',
    );
    await assertRejects(
      () => only(home),
      UserError,
      `Cannot read the Hub's token in ${home}: it is a folder, a file is needed`,
    );
  });
});

test("findToken() refuses what is no token without repeating it", async () => {
  for (const text of ["secret", "hf_", "hf_a b", "hf_é", "hf_a\nhf_b", `hf_${"a".repeat(1000)}`]) {
    const { message } = await assertRejects(
      () => findToken((name) => name === "HF_TOKEN" ? text : undefined),
      UserError,
    );
    assertEquals(
      message,
      'Cannot use the token in HF_TOKEN: letters and digits behind "hf_" are needed, as the Hub\'s page of tokens shows it',
    );
  }
});
