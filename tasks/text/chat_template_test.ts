import { assert, assertEquals, assertLess, assertRejects, assertThrows } from "@std/assert";
import { withDataFolder } from "../../tests/support/data_folder.ts";
import { fixture } from "../../tests/support/public_files.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import type { Turn } from "../data/contents.ts";
import { DataError } from "../data/data_error.ts";
import { describeSkip } from "../skip.ts";
import { createChatTemplate, readChatTemplate, RefusedByTemplate } from "./chat_template.ts";
import { writeChat, type WrittenChat } from "./chat_tokens.ts";
import type { Tokenizer } from "./tokenizer.ts";

const test = testNeeding(FILES);

interface Case {
  readonly name: string;
  readonly template: string;
  readonly special: Readonly<Record<string, string>>;
  readonly rendered: readonly {
    readonly messages: readonly { readonly role: Turn["role"]; readonly content: string }[];
    readonly asks: boolean;
    readonly text?: string;
    readonly refused?: string;
  }[];
}

const cases = async (): Promise<readonly Case[]> =>
  JSON.parse(await Deno.readTextFile(fixture("chat/cases.json")));
const turnsOf = (messages: Case["rendered"][number]["messages"]): Turn[] =>
  messages.map(({ role, content }) => ({ role, text: content }));
const user = (text: string): Turn => ({ role: "user", text });
const assistant = (text: string): Turn => ({ role: "assistant", text });

test("createChatTemplate() writes what Python's Jinja2 writes, of Mistral, Llama, Gemma and Qwen, and refuses what they refuse", async () => {
  for (const { name, template, special, rendered } of await cases()) {
    const { render } = await createChatTemplate(template, special, name);
    for (const { messages, asks, text, refused } of rendered) {
      if (refused === undefined) assertEquals(render(turnsOf(messages), asks), text, name);
      else assertThrows(() => render(turnsOf(messages), asks), RefusedByTemplate, refused);
    }
  }
  // The string of transformers' own page.
  const mistral = (await cases())[0]!.rendered[0]!.text;
  assertEquals(
    mistral,
    "<s>[INST] Hello, how are you? [/INST]I'm doing great. How can I help you today?</s> " +
      "[INST] I'd like to show off how chat templating works! [/INST]",
  );
});

Deno.test("createChatTemplate() refuses in one sentence what is no template, and what has no end", async () => {
  const render = async (template: string) =>
    (await createChatTemplate(template, {}, "FILE")).render([user("hi")], true);
  const loop = (body: string, times = 10_000) => `{% for i in range(${times}) %}${body}{% endfor %}`;
  const before = Deno.memoryUsage().heapUsed;
  for (
    const [template, reason] of [
      ["{% for %}", "it is no template"],
      ["{{ messages | unheard }}", "it can't be rendered, Unknown"],
      [loop(loop("x")), "goes on without end"],
      [`{% set ns = namespace(s='ab') %}${loop("{% set ns.s = ns.s + ns.s %}")}`, "goes on without end"],
      [`{% set ns = namespace(s=[1]) %}${loop("{% set ns.s = ns.s + ns.s %}")}`, "goes on without end"],
      ["{{ range(10 ** 9) | length }}", "FILE: "],
      [loop("", 1_000_000_000), "range() of 1000000000 numbers, 10000 at most"],
      ["{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "it can't be rendered, "],
      ["{{ strftime_now('%Q') }}", 'strftime_now() of "%Q" is not known'],
    ] as const
  ) {
    const error = await assertRejects(() => render(template), DataError, reason);
    assert(error.message.startsWith("Cannot use FILE: ") && !error.message.includes("\n"), error.message);
  }
  assertLess(Deno.memoryUsage().heapUsed - before, 512 * 2 ** 20);
  assertEquals(
    [await render("{{ '.,a b,.'.strip('.,') }}"), await render("{{ '\\n a '.lstrip('\\n') }}|")],
    ["a b", " a |"],
  );
  assertEquals(await render("{{ strftime_now('%d %b %Y') }}"), "26 Jul 2024");
});

test("readChatTemplate() takes chat_template.jinja before the config, of several the default, and none where there is none", async () => {
  const read = async (files: Readonly<Record<string, string>>) => {
    let text: string | undefined;
    await withDataFolder({ "tokenizer.json": "{}", ...files }, async (folder) => {
      text = (await readChatTemplate(folder))?.render([user("hi")], false);
    });
    return text;
  };
  const config = (chat_template: unknown) => ({
    "tokenizer_config.json": JSON.stringify({ chat_template, bos_token: { content: "<s>" } }),
  });
  const template = "{{ bos_token }}{{ messages[0].content }}";
  assertEquals(await read(config(template)), "<s>hi");
  assertEquals(
    await read(config([{ name: "tool_use", template: "no" }, { name: "default", template }])),
    "<s>hi",
  );
  assertEquals(await read({ ...config("no"), "chat_template.jinja": `${template}!` }), "<s>hi!");
  assertEquals(await read(config(undefined)), undefined);
  assertEquals(await read({ "a.txt": "" }), undefined);
  await withDataFolder(
    config(template),
    async (folder) => assertEquals(await readChatTemplate(folder), null),
  );
  await assertRejects(() => read(config("{% if %}")), DataError, "Cannot use chat_template in ");
});

/** A token for each character, and one for each of these. */
const SPECIAL = /(<\|im_end\|>|<\|im_start\|>|<\/s>|<end_of_turn>|<\|eot_id\|>|<eos>)/;
const characters = (stop: string, special: readonly string[] = []): Tokenizer => {
  const list = ["<pad>", "<|im_end|>", "<|im_start|>", "</s>", "<end_of_turn>", "<|eot_id|>", "<eos>"];
  return {
    ...{ vocabularySize: 70_000, pad: 0, stop: list.indexOf(stop) },
    special: new Set(special.map((one) => list.indexOf(one))),
    encode: (text) =>
      Int32Array.from(
        text.split(SPECIAL).flatMap((part) =>
          list.includes(part) ? [list.indexOf(part)] : [...part].map((one) => 10 + one.charCodeAt(0))
        ),
      ),
    decode: (tokens) => [...tokens].map((one) => list[one] ?? String.fromCharCode(one - 10)).join(""),
  };
};

test("writeChat() learns every reply and what ends it, and the last alone where a template writes earlier ones otherwise", async () => {
  const all = await cases();
  const write = async (name: string, stop: string, turns: readonly Turn[], own: readonly string[] = []) => {
    const { template, special } = all.find((one) => one.name === name)!, tokenizer = characters(stop, own);
    const written = writeChat(turns, await createChatTemplate(template, special, name), tokenizer);
    if ("skip" in written) return describeSkip(written.skip);
    const { chat, prompt, answer } = written as WrittenChat;
    const text = tokenizer.decode(chat.tokens);
    assert((prompt + answer).startsWith(text) && text.startsWith(prompt));
    assertEquals(tokenizer.decode(chat.tokens.subarray(0, chat.prompt)), prompt);
    // What is only read is told apart by a sign that no template has.
    const read = 10 + 0xa4, shown = chat.tokens.map((token, i) => chat.learned[i] === 1 ? token : read);
    return [...tokenizer.decode(shown).split(/¤+/).filter((part) => part !== ""), chat.learnsAll];
  };
  const talk = [user("a?"), assistant("b."), user("c?"), assistant("d.")];
  assertEquals(await write("qwen2", "<|im_end|>", talk), ["b.<|im_end|>", "d.<|im_end|>", true]);
  assertEquals(await write("mistral", "</s>", talk), ["b.</s>", "d.</s>", true]);
  assertEquals(await write("llama-3", "<|eot_id|>", talk), ["b.<|eot_id|>", "d.<|eot_id|>", true]);
  // The end of a text does not end a turn of Gemma's, nor of Llama 3's base model: what the template writes there does.
  const ends = ["<eos>", "<end_of_turn>", "<|eot_id|>"];
  assertEquals(await write("gemma", "<eos>", talk, ends), ["b.<end_of_turn>", "d.<end_of_turn>", true]);
  assertEquals(await write("llama-3", "<eos>", talk, ends), ["b.<|eot_id|>", "d.<|eot_id|>", true]);
  // Where nothing says which tokens are no part of texts, all that the template writes behind a reply is learned.
  assertEquals(await write("gemma", "</s>", talk), ["b.<end_of_turn>\n", "d.<end_of_turn>\n", true]);
  assertEquals(await write("qwen3", "<|im_end|>", talk), ["<think>\n\n</think>\n\nd.<|im_end|>", false]);
  assertEquals(
    await write("gemma", "</s>", [{ role: "system", text: "Be brief." }, ...talk]),
    'that the chat template refuses, "System role not supported"',
  );
  // Phi-3 ends the whole behind the last turn's end.
  const twice = await createChatTemplate(
    "{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>\n{% endfor %}{{ '<|im_start|>' if add_generation_prompt else '<eos>' }}",
    {},
    "twice",
  );
  const tokenizer = characters("<eos>", ["<|im_end|>", "<|im_start|>"]);
  const { chat } = writeChat([user("a"), assistant("b")], twice, tokenizer) as WrittenChat;
  assertEquals([tokenizer.decode(chat.tokens.slice(chat.prompt)), chat.end], ["b<|im_end|>", 1]);
  const odd = await createChatTemplate(
    "{{ messages | length }}{% for m in messages %}{{ m.content }}{% endfor %}",
    {},
    "odd",
  );
  const narrow: Tokenizer = {
    ...tokenizer,
    encode() {
      throw new RangeError("Cannot encode it");
    },
  };
  assertEquals(writeChat(talk, twice, narrow), { skip: { kind: "unknown-characters" } });
  assertEquals(writeChat(talk, odd, characters("</s>")), {
    skip: { kind: "prompt-begins-no-chat" },
  });
});
