/** @file The code that the docs show, as a reader would copy it. */
const docs = new URL("../../docs/", import.meta.url);

/** Blocks of code of a page's text, of one language. */
export function fencesOf(text: string, language: string): string[] {
  return Array.from(
    text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms")),
    ([, code]) => code!,
  );
}

/** Blocks of TypeScript of a page, in its order. */
export async function examplesOf(page: string): Promise<string[]> {
  return fencesOf(await Deno.readTextFile(new URL(page, docs)), "ts");
}

/** A file that imports the harness by its name, with other imports in that one's place. */
export function withImports(file: string, imports: string): string {
  const named = /^import \{[^}]*\} from "@equivalent-gradient\/harness";\n/m;
  if (!named.test(file)) {
    throw new Error("Cannot change the example's imports: it has none by the harness's name");
  }
  return file.replace(named, imports);
}
