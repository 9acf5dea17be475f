/** @file Images in Parquet, as the Hugging Face hub has them: a column of PNG or JPEG bytes and one of classes. */
import type { LabelledImage } from "./contents.ts";
import { baseName, type DataSet, emptyFile, folderOf, hubNames, type Part, type Role } from "./data_set.ts";
import { labelledImage } from "./image_file.ts";
import { parquetClassNames, readParquetRows } from "./parquet_rows.ts";
import type { Skip } from "../skip.ts";
import type { Row } from "./row.ts";

/** Names of the column of images, and of classes, on the hub: MNIST's, CIFAR's, and those of the paper's seven sets. */
const IMAGE_COLUMNS = ["image", "img"] as const;
const LABEL_COLUMNS = ["label", "labels", "fine_label"] as const;

const NAMES = [
  hubNames("train", "train"),
  hubNames("(validation|valid|val)", "validation"),
  hubNames("test", "test"),
];

/** `{image: {bytes, path}, label}`, or bytes alone in the column of images. */
export const imageParquet: DataSet<"vision"> = {
  id: "image-parquet",
  title: "images in Parquet",
  family: "vision",
  source: "https://huggingface.co/docs/hub/datasets-image",
  files: ["train-00000-of-00001.parquet", "test-00000-of-00001.parquet"],
  roleOf,
  async find(folder) {
    const parts: Part<LabelledImage>[] = [];
    for (const file of folder.files) {
      const role = roleOf(baseName(file));
      if (role === undefined) continue;
      const fields = await folder.fieldsOf(file);
      if (fields.length === 0) throw emptyFile(folder, file);
      const label = columnOf(fields, LABEL_COLUMNS);
      if (!columnOf(fields, IMAGE_COLUMNS) || !label) continue;
      const classes = (await parquetClassNames(folder.full(file))).get(label);
      parts.push({
        role,
        set: folderOf(file),
        files: [file],
        ...(classes && { classes }),
        async *read() {
          for await (const row of readParquetRows(folder.full(file))) yield await imageOf(row);
        },
      });
    }
    return parts;
  },
};

function roleOf(name: string): Role | undefined {
  return NAMES.find(([pattern]) => pattern.test(name))?.[1];
}

function columnOf(fields: readonly string[], names: readonly string[]): string | undefined {
  return names.find((name) => fields.includes(name));
}

async function imageOf({ fields }: Row): Promise<LabelledImage | Skip> {
  const names = Object.keys(fields);
  const label = fields[columnOf(names, LABEL_COLUMNS)!];
  const value = fields[columnOf(names, IMAGE_COLUMNS)!];
  const bytes = value instanceof Uint8Array ? value : (value as { bytes?: unknown } | null)?.bytes;
  if (!Number.isInteger(label) || (label as number) < 0) return { skip: { kind: "no-class" } };
  if (!(bytes instanceof Uint8Array)) return { skip: { kind: "no-image-bytes" } };
  return await labelledImage(bytes, label as number);
}
