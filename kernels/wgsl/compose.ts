/**
 * @file The one way of making WGSL. A kernel's text is a `.wgsl` file, or a template tagged `wgsl` where loops are
 * unrolled. What texts share, and what differs between twins of one text, stands in `#use` lines, which snippets fill.
 */
import { defineKernel, type Kernel, type KernelSpec } from "../../gpu/kernel.ts";
import { SUBGROUPS_HEAD } from "../../gpu/subgroups.ts";

/** A text, or one made of the words behind a snippet's name. */
type Text = string | ((...words: string[]) => string);

/** What takes the place of a line `#use name`: a text; or two, where a kernel may add up over lanes by subgroups. */
export type Snippet = Text | {
  readonly lanes: Text;
  /** May read `subgroup`, which of the workgroup's subgroups this lane is in, and `subgroups`, how many those are. */
  readonly subgroups: Text;
};

/** Snippets by name. */
export type Snippets = Readonly<Record<string, Snippet>>;

/** What is done to a text. */
export interface Composition {
  readonly snippets?: Snippets;
  /** Each pattern is replaced wherever it stands. */
  readonly replacements?: readonly (readonly [pattern: string, by: string])[];
  /** Whether snippets that have a text for subgroups give it. */
  readonly inSubgroups?: boolean;
}

/**
 * A kernel's text with its `#use` lines filled and its patterns replaced. A snippet takes the indentation of its line.
 *
 * @throws {Error} where there is no snippet of a name, where it takes another number of words, or where a pattern is not in
 * the text
 */
export function compose(
  kernel: string,
  text: string,
  { snippets = {}, replacements = [], inSubgroups = false }: Composition,
): string {
  const fault = (what: string) => new Error(`Cannot compose kernel "${kernel}": ${what}`);
  let composed = text.replaceAll(/^( *)#use (.*)$/gm, (line, indent: string, call: string) => {
    const [name = "", ...words] = call.trim().split(/ +/);
    const found = Object.hasOwn(snippets, name) ? snippets[name]! : null;
    const snippet = found !== null && isTwofold(found) ? found[inSubgroups ? "subgroups" : "lanes"] : found;
    if (snippet === null) {
      throw fault(`"${line.trim()}" names no snippet, known are ${Object.keys(snippets).join(", ")}`);
    }
    const wanted = typeof snippet === "string" ? 0 : snippet.length;
    if (words.length !== wanted) {
      throw fault(`"${line.trim()}" has ${words.length} words behind the name, ${wanted} are needed`);
    }
    return indented(typeof snippet === "string" ? snippet : snippet(...words), indent);
  });
  for (const [pattern, by] of replacements) {
    if (!composed.includes(pattern)) throw fault(`its text has no "${pattern}" to replace by "${by}"`);
    composed = composed.replaceAll(pattern, () => by);
  }
  // Declarations are set apart, as functions of lines that follow each other would not be.
  return composed.replaceAll(/^\}\n(?=\S)/gm, "}\n\n");
}

function isTwofold(snippet: Snippet): snippet is Exclude<Snippet, Text> {
  return typeof snippet === "object";
}

/** The end of the list of what `main` is given: lanes of every kernel that adds up over them are its last. */
const LANE = /(@builtin\(local_invocation_index\) lane: u32),?(\s*)\) \{\n/;

/**
 * Declares a kernel whose text is to be composed; and, where a snippet of it has a text for subgroups, the same kernel with
 * that.
 *
 * @throws {Error} as `compose` does
 */
export function composeKernel<const S extends KernelSpec>(spec: S, how: Composition): Kernel<S> {
  const kernel = defineKernel({ ...spec, source: compose(spec.name, spec.source, how) });
  const name = `${spec.name}_in_subgroups`;
  const text = compose(name, spec.source, { ...how, inSubgroups: true });
  if (text === kernel.spec.source) return kernel;
  return { ...kernel, inSubgroups: defineKernel({ ...spec, name, source: withSubgroups(name, text) }) };
}

/** A text whose functions read `subgroup` and `subgroups`, with what tells it. @throws {Error} where no lane is named */
function withSubgroups(kernel: string, text: string): string {
  if (!LANE.test(text)) {
    throw new Error(`Cannot compose kernel "${kernel}": the last that its main gets is no lane`);
  }
  const main = text.replace(LANE, (_, lane: string, space: string) => {
    const between = space === "" ? ", " : ",\n  ", end = space === "" ? "" : ",\n";
    const given = [
      lane,
      "@builtin(subgroup_id) subgroup_id: u32",
      "@builtin(num_subgroups) num_subgroups: u32",
    ];
    return `${given.join(between)}${end}) {\n  subgroup = subgroup_id;\n  subgroups = num_subgroups;\n`;
  });
  const variables = "var<private> subgroup: u32;\nvar<private> subgroups: u32;\n";
  return `${SUBGROUPS_HEAD}\n${main.replace(/^@compute/m, `${variables}\n@compute`)}`;
}

/** What stands in a `wgsl` template: text, a number, lines, or nothing. */
export type Piece = string | number | readonly string[] | false | null;

/**
 * WGSL text. The template's own indentation is taken away. A piece that has a line to itself takes the line's
 * indentation: text of several lines, a list of texts, or nothing, which leaves the line out.
 *
 * @throws {Error} where a piece within a line is not one line of text
 */
export function wgsl(strings: TemplateStringsArray, ...pieces: readonly Piece[]): string {
  const lines = strings.map((text, i) => i < pieces.length ? `${text}\0${i}\0` : text).join("").split("\n");
  if (lines[0]!.trim() === "") lines.shift();
  if (lines.at(-1)?.trim() === "") lines.pop();
  const margin = Math.min(...lines.filter((line) => line.trim() !== "").map((line) => line.search(/\S/)));
  const filled = lines.flatMap((line) => {
    const text = line.slice(margin).trimEnd(), alone = /^( *)\0(\d+)\0$/.exec(text);
    if (alone) {
      const piece = pieces[Number(alone[2])]!;
      const texts = Array.isArray(piece)
        ? piece as readonly string[]
        : isNothing(piece)
        ? []
        : [String(piece)];
      return texts.map((own) => indented(own, alone[1]!));
    }
    return [text.replaceAll(/\0(\d+)\0/g, (_, i: string) => {
      const piece = pieces[Number(i)]!;
      if (typeof piece === "number" || typeof piece === "string" && !piece.includes("\n")) {
        return String(piece);
      }
      throw new Error(
        `Cannot put ${JSON.stringify(piece)} into "${text.replaceAll(/\0\d+\0/g, "…")}": one line is needed`,
      );
    })];
  });
  // Where a line was left out, two empty ones may meet.
  return filled.join("\n").replaceAll(/\n{3,}/g, "\n\n");
}

function isNothing(piece: Piece): boolean {
  return piece === null || piece === false || piece === "";
}

function indented(text: string, indent: string): string {
  return text.split("\n").map((line) => line === "" ? line : indent + line).join("\n");
}
