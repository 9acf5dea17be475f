/** @file A model and a data set are fetched, and taken by name afterwards without a network, as `./run` starts it all. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { llamaConfig } from "../models/checkpoints/hugging_face.ts";
import { decoderParameters } from "../models/decoder.ts";
import { inFolder } from "./support/in_folder.ts";
import { COMMIT, startMockHub, TOKEN } from "./support/fakes/hub.ts";
import { SMALL, smallWeights, writeSmall } from "./support/small_folders.ts";
import { PROGRAMS, testNeeding } from "./support/test_needing.ts";
import { tokenizerFiles } from "./support/tokenizer_folder.ts";

const test = testNeeding({ ...PROGRAMS, net: ["127.0.0.1"] });

const project = new URL("../", import.meta.url).pathname;

test("./run fetch brings a model and a data set, which bench takes by name offline, as a sweep's file does", async () => {
  await inFolder(async (folder) => {
    const config = { ...SMALL.llama.config, vocab_size: 260, max_position_embeddings: 128 };
    await Deno.mkdir(`${folder}/made`);
    await writeSmall(
      `${folder}/made`,
      config,
      smallWeights(decoderParameters(llamaConfig(config, "model"))),
    );
    const rows = Array.from({ length: 60 }, (_, i) => `"It was ${i}, ${i % 2 ? "dull" : "fine"}",${i % 2}`);
    const hub = startMockHub({
      "models/o/My-Model": {
        isGated: true,
        files: {
          "config.json": JSON.stringify(config),
          "model.safetensors": await Deno.readFile(`${folder}/made/model.safetensors`),
          ...Object.fromEntries(
            Object.entries(tokenizerFiles("")).map(([path, text]) => [path.slice(1), text]),
          ),
        },
      },
      "datasets/o/reviews": { files: { "en/train.csv": `text,label\n${rows.join("\n")}\n` } },
    });
    // As `hf auth login` leaves it.
    await Deno.mkdir(`${folder}/hf`);
    await Deno.writeTextFile(`${folder}/hf/token`, TOKEN);
    const run = async (...args: string[]) => {
      const { code, stdout, stderr } = await new Deno.Command("sh", {
        args: [`${project}run`, ...args],
        cwd: folder,
        env: { NO_COLOR: "1", HF_HOME: `${folder}/hf`, HF_ENDPOINT: hub.endpoint },
      }).output();
      const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)) as [string, string];
      assertEquals(code, 0, `${args.join(" ")}\n${out}${err}`);
      return out;
    };
    const fetched = await run("fetch", "o/My-Model", "--data", "o/reviews");
    await hub[Symbol.asyncDispose]();
    assertMatch(fetched, new RegExp(`Fetched o/My-Model@${COMMIT}: 4 files, \\d+\\.\\d kB`));
    assertStringIncludes(fetched, "./run bench quick --data o/reviews");

    // As Python's libraries leave it: links from each commit to the blobs.
    const repository = `${folder}/hf/hub/models--o--My-Model`;
    for await (const { name } of Deno.readDir(`${repository}/blobs`)) {
      const { ino } = await Deno.stat(`${repository}/blobs/${name}`),
        snapshot = `${repository}/snapshots/${COMMIT}`;
      for await (const { name: file } of Deno.readDir(snapshot)) {
        if ((await Deno.stat(`${snapshot}/${file}`)).ino !== ino) continue;
        await Deno.remove(`${snapshot}/${file}`);
        await Deno.symlink(`../../blobs/${name}`, `${snapshot}/${file}`);
      }
    }
    const named = ["--model", "o/My-Model", "--data", "o/reviews/en/train.csv"];
    const fast = ["--optimizers", "lora", "--ranks", "2", "--seeds", "0", "--learning-rates", "1e-3"];
    const plan = JSON.parse(await run("bench", "quick", ...named, ...fast, "--dry-run", "--json"));
    const { runs: [{ config: { model, task } }] } = plan;
    const snapshot = (kind: string) => `${folder}/hf/hub/${kind}/snapshots/${COMMIT}`;
    assertEquals([model.id, model.path, model.hub], [
      "my-model",
      snapshot("models--o--My-Model"),
      `o/My-Model@${COMMIT}`,
    ]);
    assertEquals([task.id, task.data, task.hub], [
      "en",
      `${snapshot("datasets--o--reviews")}/en/train.csv`,
      `o/reviews/en/train.csv@${COMMIT}`,
    ]);
    // The same in a sweep's file.
    const { id, layout, trainExamples, validationExamples, testExamples } = task;
    const counts = { trainExamples, validationExamples, testExamples };
    const spec = JSON.parse(await Deno.readTextFile(`${project}benchmarks/sweeps/quick.json`));
    const own = {
      ...spec,
      tasks: [{
        task: { id, layout, ...counts, data: "o/reviews/en/train.csv" },
        model: { id: "my-model", path: `o/My-Model@${COMMIT}` },
      }],
    };
    await Deno.writeTextFile(`${folder}/own.json`, JSON.stringify(own));
    const { runs } = JSON.parse(await run("bench", "own.json", ...fast, "--dry-run", "--json"));
    assertEquals([runs[0].config.task, runs[0].config.model], [task, model]);
  });
});
