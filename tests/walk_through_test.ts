/** @file The commands of docs/from-csv-to-adapter.md, one after the other, with a small model, few steps and stated rates. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { llamaConfig } from "../models/checkpoints/hugging_face.ts";
import { decoderParameters } from "../models/decoder.ts";
import { fencesOf } from "./support/docs_examples.ts";
import { inFolder } from "./support/in_folder.ts";
import { PROGRAMS, testNeeding } from "./support/test_needing.ts";
import { SMALL, smallWeights, writeSmall } from "./support/small_folders.ts";
import { tokenizerFiles } from "./support/tokenizer_folder.ts";

const test = testNeeding(PROGRAMS);

const project = new URL("../", import.meta.url).pathname;

/** Reviews of which the words tell the class. */
function reviews(count: number): string {
  const words = ["clever", "boring"], kinds = ["good", "bad"];
  const line = (i: number) => `"It was ${words[i % 2]}, no. ${i}",${kinds[i % 2]}`;
  return `text,label\n${Array.from({ length: count }, (_, i) => line(i)).join("\n")}\n`;
}

test("docs: the way from a CSV and a model to an adapter, and on from there", async () => {
  const page = await Deno.readTextFile(`${project}docs/from-csv-to-adapter.md`);
  const commands = fencesOf(page, "sh").map((line) => line.trim().split(" ").slice(1));
  assertEquals(commands.map(([name]) => name), ["data", "bench", "export", "look", "bench"]);
  await inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/model`);
    const config = { ...SMALL.llama.config, vocab_size: 260, max_position_embeddings: 128 };
    await writeSmall(
      `${folder}/model`,
      config,
      smallWeights(decoderParameters(llamaConfig(config, "model"))),
    );
    for (const [file, text] of Object.entries(tokenizerFiles("model"))) {
      await Deno.writeTextFile(`${folder}/${file}`, text as string);
    }
    await Deno.writeTextFile(`${folder}/reviews.csv`, reviews(60));
    await Deno.writeTextFile(`${folder}/more.csv`, reviews(40));
    // Nothing is learned in two steps.
    const small = [
      "--steps",
      "2",
      "--seeds",
      "0",
      "--learning-rates",
      "1e-3",
      "--examples",
      "16,4,4",
      "--ranks",
      "2",
      "--optimizers",
      "lora",
    ];
    const outs: string[] = [];
    for (const words of commands) {
      const kept = words[0] === "export"
        ? (await Array.fromAsync(Deno.readDir(`${folder}/results/reviews/runs`)))[0]!.name
        : "";
      const args = words.map((word) => word.replace("0123456789abcdef.json", kept)).filter((word, i) =>
        words[0] !== "bench" ||
        !/^--(optimizers|ranks)$/.test(words[i - 1] ?? "") && !/^--(optimizers|ranks)$/.test(word)
      );
      // What goes on from the adapter is planned alone: its runs are as the first ones.
      const extra = words[0] !== "bench" ? [] : outs.length > 1 ? [...small, "--dry-run"] : small;
      const command = new Deno.Command("sh", {
        args: [`${project}run`, ...args, ...extra],
        cwd: folder,
        env: { NO_COLOR: "1" },
      });
      const { code, stdout, stderr } = await command.output();
      const out = new TextDecoder().decode(stdout);
      assertEquals(code, 0, `${args.join(" ")}\n${out}${new TextDecoder().decode(stderr)}`);
      outs.push(out);
    }
    const [data, bench, exported, look, more] = outs as [string, string, string, string, string];
    assertStringIncludes(data, '"text" with "label", one of 2 classes');
    assertStringIncludes(bench, "Results: ");
    assertStringIncludes(exported, "(portable)");
    assertStringIncludes(look, "is a LoRA adapter");
    assertStringIncludes(more, "1 run, 1 left to do");
    const exportedConfig = JSON.parse(
      await Deno.readTextFile(`${folder}/adapter/portable/adapter_config.json`),
    );
    assertEquals([exportedConfig.task_type, exportedConfig.base_model_name_or_path], [
      "CAUSAL_LM",
      "me/my-model",
    ]);
    assert((await Deno.stat(`${folder}/look/index.html`)).isFile);
  });
});
