/** @file Files of the user's as pools are read from them: rows of texts, or images that a list names. */
import type { LabelledImage } from "../data/contents.ts";
import { DataError } from "../data/data_error.ts";
import { fingerprintOf, type Folder, folderOf, openFolder, type Part, type Role } from "../data/data_set.ts";
import { labelledImage } from "../data/image_file.ts";
import { readImage } from "../data/image_folder.ts";
import type { DataPlace, FoundData } from "../data/load.ts";
import type { Skip } from "../skip.ts";
import type { Row } from "../data/row.ts";
import { labelIn } from "./convert.ts";
import { type DataLayout, numberedClasses } from "./layout.ts";
import { rowsOf } from "./rows.ts";
import { roleNamed, SPLIT_NAMES } from "./splits.ts";

/** Some files' rows, and what they are for; in `every` rows of all splits come along. */
interface Rows {
  readonly role: Role;
  readonly files: readonly string[];
  read(): AsyncGenerator<Row>;
}

/**
 * Texts at a path: each row is one.
 *
 * @param title what they are called in results
 */
export function textPlace(path: string, title: string, layout: DataLayout): DataPlace<Row> {
  const find = async (): Promise<FoundData<Row>> => {
    const folder = await openFolder(path);
    const parts = (await partsOf(folder, layout)).map((rows) => ({ ...rows, title, set: "" }));
    return { folder, titles: [title], parts, classes: undefined };
  };
  return { find, fingerprint: () => fingerprintFound(find) };
}

/**
 * Images at a path: each row has an image's path from its own file's folder, or its bytes, and its class.
 *
 * @param title what they are called in results
 */
export function imagePlace(path: string, title: string, layout: DataLayout): DataPlace<LabelledImage> {
  const classes = numberedClasses(layout), names = classes.map((name) => layout.labels![name]!);
  const find = async (): Promise<FoundData<LabelledImage>> => {
    const folder = await openFolder(path), parts: (Part<LabelledImage> & { title: string })[] = [];
    for (const rows of await partsOf(folder, layout)) {
      const listed: (Listed | Skip)[] = [];
      for await (const row of rows.read()) listed.push(listImage(row, layout, classes));
      const images = listed.flatMap((one) =>
        "skip" in one || typeof one.image !== "string" ? [] : [one.image]
      );
      parts.push({
        role: rows.role,
        title,
        set: "",
        classes: names,
        files: [...new Set([...rows.files, ...images])],
        async *read() {
          for (const one of listed) {
            if ("skip" in one) yield one;
            else if (typeof one.image === "string") yield await readImage(folder, one.image, one.label);
            else yield await labelledImage(one.image, one.label);
          }
        },
      });
    }
    return { folder, titles: [title], parts, classes: names };
  };
  return { find, fingerprint: () => fingerprintFound(find) };
}

/** @throws {DataError} where a model that is to take images takes texts */
export function requireTakesImages(
  { id }: { readonly id: string },
  path: string,
  { family }: { readonly family: string },
): void {
  if (family === "vision") return;
  throw new DataError(`Cannot use ${path} for "${id}": its examples are images, the model takes texts`);
}

async function fingerprintFound<T>(find: () => Promise<FoundData<T>>): Promise<string> {
  const { folder, parts } = await find();
  return await fingerprintOf(folder, [...new Set(parts.flatMap(({ files }) => files))]);
}

/** An image of a list: its path in the folder, or its bytes, and the index of its class. */
interface Listed {
  readonly image: string | Uint8Array;
  readonly label: number;
}

function listImage(
  row: Row,
  { columns }: DataLayout,
  classes: readonly string[],
): Listed | Skip {
  const { fields, where } = row;
  const value = fields[columns.image!], label = classes.indexOf(labelIn(row, columns.label!));
  if (label < 0) return { skip: { kind: "no-class" } };
  const bytes = value instanceof Uint8Array ? value : (value as { bytes?: unknown } | null)?.bytes;
  if (bytes instanceof Uint8Array) return { image: bytes, label };
  if (typeof value !== "string" || value.trim() === "") return { skip: { kind: "no-image" } };
  if (value.startsWith("/")) {
    throw new DataError(
      `Cannot read ${where} has the image "${value}", a path from the file's folder is needed`,
    );
  }
  return { image: value.trim(), label };
}

/** The rows by what they are for: by files, or by the column that says so. @throws {DataError} */
async function partsOf(
  folder: Folder,
  { files, columns: { split, image } }: DataLayout,
): Promise<readonly Rows[]> {
  const given = files ?? { train: folder.files };
  const all = (Object.entries(given) as [Role, readonly string[]][]).map(([role, own]): Rows => ({
    role,
    files: own,
    async *read() {
      for (const file of own) {
        for await (const row of rowsOf(folder.full(file))) {
          yield image === undefined ? row : placed(row, image, file);
        }
      }
    },
  }));
  if (split === undefined) return all;
  const roles = new Set<Role>();
  for (const rows of all) for await (const row of rows.read()) roles.add(roleOf(row, split));
  const every = all.flatMap((rows) => rows.files);
  return [...roles].map((role) => ({
    role,
    files: every,
    async *read() {
      for (const rows of all) for await (const row of rows.read()) if (roleOf(row, split) === role) yield row;
    },
  }));
}

/** The row with its image's path from the folder on. */
function placed(row: Row, column: string, file: string): Row {
  const value = row.fields[column];
  if (typeof value !== "string" || value.startsWith("/")) return row;
  return { ...row, fields: { ...row.fields, [column]: folderOf(file) + value.trim() } };
}

/** @throws {DataError} for a split that nobody knows */
function roleOf({ fields, where }: Row, column: string): Role {
  const role = roleNamed(String(fields[column] ?? ""));
  if (role) return role;
  throw new DataError(
    `Cannot read ${where} has ${
      JSON.stringify(fields[column] ?? null)
    } as its split, one of ${SPLIT_NAMES} is needed`,
  );
}
