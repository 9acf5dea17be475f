/** @file Images in Parquet, as the Hugging Face hub has them: a column of PNG or JPEG bytes and one of classes. */
import type { LabelledImage } from "./contents.ts";
import { baseName, type DataSet, hubNames, type Part, type Role } from "./data_set.ts";
import { decodeImage } from "./image_file.ts";
import { parquetClassNames, readParquetRows } from "./parquet_rows.ts";
import type { Skip } from "./read_record.ts";
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
  async find(folder) {
    const byRole = new Map<Role, string[]>();
    for (const file of folder.files) {
      const role = NAMES.find(([pattern]) => pattern.test(baseName(file)))?.[1];
      if (role === undefined) continue;
      const fields = await folder.fieldsOf(file);
      if (columnOf(fields, IMAGE_COLUMNS) && columnOf(fields, LABEL_COLUMNS)) {
        byRole.set(role, [...byRole.get(role) ?? [], file]);
      }
    }
    return await Promise.all(Array.from(byRole, async ([role, files]): Promise<Part<LabelledImage>> => {
      const label = columnOf(await folder.fieldsOf(files[0]!), LABEL_COLUMNS)!;
      const classes = (await parquetClassNames(folder.full(files[0]!))).get(label);
      return {
        role,
        files,
        ...(classes && { classes }),
        async *read() {
          for (const file of files) {
            for await (const row of readParquetRows(folder.full(file))) yield await imageOf(row);
          }
        },
      };
    }));
  },
};

function columnOf(fields: readonly string[], names: readonly string[]): string | undefined {
  return names.find((name) => fields.includes(name));
}

async function imageOf({ fields }: Row): Promise<LabelledImage | Skip> {
  const names = Object.keys(fields);
  const label = fields[columnOf(names, LABEL_COLUMNS)!];
  const value = fields[columnOf(names, IMAGE_COLUMNS)!];
  const bytes = value instanceof Uint8Array ? value : (value as { bytes?: unknown } | null)?.bytes;
  if (!Number.isInteger(label) || (label as number) < 0) return { skip: "without a class" };
  if (!(bytes instanceof Uint8Array)) return { skip: "without an image's bytes" };
  try {
    return { ...await decodeImage(bytes), label: label as number };
  } catch {
    return { skip: "that cannot be decoded" };
  }
}
