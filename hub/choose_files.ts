/** @file Which of a repository's files are fetched: those that the harness reads, and no others. */
import { UserError } from "../errors/user_error.ts";
import type { HubKind } from "../files/hub_place.ts";
import type { HubFile } from "./look_up.ts";

const WHOLE = "model.safetensors";
/** Names the files of weights that come in several. */
export const INDEX = "model.safetensors.index.json";
const OPEN_CLIP = "open_clip_model.safetensors";
const ADAPTER = ["adapter_config.json", "adapter_model.safetensors"];

/** What stands beside weights: what the model is, and how texts and images are made ready for it. */
const BESIDE = new Set([
  ...["config.json", "generation_config.json", "open_clip_config.json", "preprocessor_config.json"],
  ...["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"],
  ...[
    "tokenizer.model",
    "spiece.model",
    "spm.model",
    "tokenizer.bin",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
  ],
  ...["chat_template.jinja", "chat_template.json"],
]);

/** Weights that are not read: opening most of these runs a program that lies in them. */
const OTHER_WEIGHTS = /\.(bin|pt|pth|ckpt|h5|msgpack|gguf|onnx|pkl)$/i;

const ROWS = /\.(jsonl|json|csv|tsv)(\.gz)?$|\.parquet$/i;
const IMAGES = /\.(png|jpe?g)$/i, IDX = /(^|[-_.])idx\d-ubyte(\.gz)?$/i, OPTDIGITS = /\.(tra|tes)$/;
/** What describes a data set, and is none. */
const ABOUT = /(^|\/)(dataset_infos?|dataset_dict|state)\.json$/i;

/** What is fetched of a repository. */
export interface Chosen {
  readonly files: readonly HubFile[];
  /** Names the files that are fetched beside, once it is read; null where there is none. */
  readonly index: HubFile | null;
}

/**
 * The files to fetch.
 *
 * @param only patterns of paths, `*` for any characters; what none of them means is left out
 * @throws {UserError} where there are no files that the harness reads
 */
export function chooseFiles(
  kind: HubKind,
  repository: string,
  files: readonly HubFile[],
  only: readonly string[],
): Chosen {
  for (const pattern of only) {
    if (files.some(({ path }) => matches(pattern, path))) continue;
    throw new UserError(
      `Cannot fetch ${repository}: none of its ${files.length} files is like "${pattern}"${
        examplesOf(files)
      }`,
    );
  }
  const asked = only.length === 0
    ? files
    : files.filter(({ path }) => only.some((pattern) => matches(pattern, path)));
  return kind === "model" ? chooseModel(repository, asked) : chooseData(repository, asked);
}

function chooseModel(repository: string, files: readonly HubFile[]): Chosen {
  const find = (path: string) => files.find((file) => file.path === path);
  const beside = files.filter(({ path }) => BESIDE.has(path));
  const adapter = ADAPTER.map(find).filter((file) => file !== undefined);
  const whole = find(WHOLE), index = find(INDEX), openClip = find(OPEN_CLIP);
  if (whole) return { files: [...beside, whole], index: null };
  if (index) return { files: beside, index };
  if (openClip) return { files: [...beside, openClip], index: null };
  if (adapter.length === ADAPTER.length) {
    return { files: [...beside.filter(({ path }) => path !== "config.json"), ...adapter], index: null };
  }
  const other = files.find(({ path }) => OTHER_WEIGHTS.test(path));
  throw new UserError(
    other
      ? `Cannot fetch ${repository}: its weights are in ${other.path}, and only safetensors are read; many ` +
        `repositories have them in a revision of their own, as in ./run fetch ${repository}@refs/pr/1`
      : `Cannot fetch ${repository}: it has neither ${WHOLE} nor ${INDEX}${examplesOf(files)}`,
  );
}

function chooseData(repository: string, files: readonly HubFile[]): Chosen {
  const found = files.filter(({ path }) =>
    (ROWS.test(path) && !ABOUT.test(path)) || IMAGES.test(path) || IDX.test(path) || OPTDIGITS.test(path)
  ).filter(({ path }) => !path.split("/").some((part) => part.startsWith(".")));
  if (found.length > 0) return { files: found, index: null };
  throw new UserError(
    `Cannot fetch ${repository}: none of its files ends in .jsonl, .json, .csv, .tsv, .parquet, .png or .jpg` +
      `${examplesOf(files)}; many repositories have Parquet in a revision of their own, as in ` +
      `./run fetch --data ${repository}@refs/convert/parquet`,
  );
}

/**
 * The files of weights that an index names.
 *
 * @throws {UserError} where it is unsound, or names a file that is not there
 */
export function filesOfIndex(repository: string, text: string, files: readonly HubFile[]): HubFile[] {
  const refused = (reason: string) => new UserError(`Cannot fetch ${repository}: its ${INDEX} ${reason}`);
  let names: unknown[];
  try {
    names = Object.values((JSON.parse(text) as { readonly weight_map: object }).weight_map);
  } catch {
    throw refused("does not name a file for each tensor");
  }
  return [...new Set(names)].map((name) => {
    const file = files.find(({ path }) => path === name);
    if (file && /^[^/]+\.safetensors$/.test(file.path)) return file;
    throw refused(`names ${JSON.stringify(name)?.slice(0, 80)}, which is not there`);
  });
}

function matches(pattern: string, path: string): boolean {
  const expression = pattern.split("*").map((part) => RegExp.escape(part)).join(".*");
  return new RegExp(`^${expression}$`, "s").test(path);
}

function examplesOf(files: readonly HubFile[]): string {
  const [first, ...rest] = files.map(({ path }) => path);
  if (first === undefined) return "; it is empty";
  return `; it has ${[first, ...rest.slice(0, 3)].join(", ")}${rest.length > 3 ? " and more" : ""}`;
}
