/** @file What a `tokenizer.json` must have before a tokenizer is made of it: the library takes most of it as it comes. */

/** Tokens that there may be: a hundred times what large vocabularies have. */
const MOST_TOKENS = 2 ** 24;

const MODELS = ["BPE", "WordPiece", "Unigram", "WordLevel"] as const;
type ModelType = typeof MODELS[number];

/** The parts that a text goes through beside the model, and where a sequence of them lists its own. */
const PARTS = {
  normalizer: "normalizers",
  pre_tokenizer: "pretokenizers",
  post_processor: "processors",
  decoder: "decoders",
} as const;

type Fields = Readonly<Record<string, unknown>>;

/** A flaw of a file. The message ends a sentence: 'token "a" has the id -1, …'. */
export class TokenizerFlaw extends Error {
  /** Tells it apart in logs. */
  override readonly name = "TokenizerFlaw";
}

/**
 * Checks a file's content.
 *
 * @returns how many tokens there are: one more than the largest id
 * @throws {TokenizerFlaw} where a part is missing, of an unknown type or not laid out as its type is, where an id is none,
 * and where merges are of pieces that are no tokens
 */
export function checkTokenizer(json: object): number {
  const { model, added_tokens: added, ...rest } = json as Fields;
  for (const [part, list] of Object.entries(PARTS)) checkPart(part, rest[part], list);
  const { type, vocab } = needFields("model", model);
  if (type !== undefined && !isModelType(type)) {
    throw new TokenizerFlaw(`its model has the type ${show(type)}, known are ${MODELS.join(", ")}`);
  }
  const given = model as Fields;
  const largest = (type ?? typeOf(given)) === "Unigram"
    ? checkPieces(vocab, given["unk_id"])
    : checkIds(Object.entries(needFields("model.vocab", vocab)));
  if (type === "BPE" || given["merges"] !== undefined) checkMerges(given, vocab as Fields);
  if (!Array.isArray(added)) throw needed("added_tokens", added, "a list of tokens");
  return 1 + Math.max(
    largest,
    checkIds(added.map((token, i) => {
      const { content, id } = needFields(`added_tokens.${i}`, token);
      if (typeof content !== "string" || content === "") {
        throw needed(`added_tokens.${i}.content`, content, "a text of a character or more");
      }
      return [content, id];
    })),
  );
}

/** A part of a text or of a pair as a file has it: one of the texts, or a token by its spelling. */
export type WrittenPart = ({ readonly text: "first" | "second" } | { readonly token: string }) & {
  readonly type: number;
};

/** How texts are written with the tokens around them. */
export interface WrittenTexts {
  /** A text by itself. */
  readonly single: readonly WrittenPart[];
  /** A pair of texts; absent where the file does not say. */
  readonly pair?: readonly WrittenPart[];
}

/**
 * What the "post_processor" of a file that was checked says of texts; undefined where it says nothing.
 *
 * Source: https://github.com/huggingface/tokenizers, tokenizers/src/processors: bert.rs, roberta.rs (all of one kind), template.rs.
 */
export function writtenTexts(json: object): WrittenTexts | undefined {
  return writtenBy((json as Fields)["post_processor"] as Fields | null);
}

function writtenBy(part: Fields | null): WrittenTexts | undefined {
  switch (part?.["type"]) {
    case "Sequence":
      return (part["processors"] as Fields[]).map(writtenBy).findLast((found) => found !== undefined);
    case "BertProcessing":
    case "RobertaProcessing": {
      const [begin, end] = [part["cls"], part["sep"]].map((named) => (named as [string])[0]) as [
        string,
        string,
      ];
      const single: WrittenPart[] = [
        { token: begin, type: 0 },
        { text: "first", type: 0 },
        { token: end, type: 0 },
      ];
      const second: WrittenPart[] = part["type"] === "BertProcessing"
        ? [{ text: "second", type: 1 }, { token: end, type: 1 }]
        : [{ token: end, type: 0 }, { text: "second", type: 0 }, { token: end, type: 0 }];
      return { single, pair: [...single, ...second] };
    }
    case "TemplateProcessing": {
      const [single, pair] = [part["single"], part["pair"] ?? []].map((list) =>
        (list as readonly TemplatePart[]).map((one): WrittenPart =>
          one.Sequence
            ? { text: one.Sequence.id === "B" ? "second" : "first", type: one.Sequence.type_id ?? 0 }
            : { token: one.SpecialToken!.id, type: one.SpecialToken!.type_id ?? 0 }
        )
      ) as [WrittenPart[], WrittenPart[]];
      const texts = pair.flatMap((one) => "text" in one ? [one.text] : []);
      return { single, ...(texts.join() === "first,second" && { pair }) };
    }
    default:
      return undefined;
  }
}

/** One of the two. */
interface TemplatePart {
  readonly Sequence?: { readonly id: string; readonly type_id?: number };
  readonly SpecialToken?: { readonly id: string; readonly type_id?: number };
}

/** Old files do not say what the model is: the library goes by its fields. */
function typeOf({ vocab, merges }: Fields): ModelType {
  return Array.isArray(vocab) ? "Unigram" : merges === undefined ? "WordPiece" : "BPE";
}

function isModelType(type: unknown): type is ModelType {
  return (MODELS as readonly unknown[]).includes(type);
}

/** The largest id; -1 where there is none. */
function checkIds(ids: Iterable<readonly [token: string, id: unknown]>): number {
  let largest = -1;
  for (const [token, id] of ids) {
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id >= MOST_TOKENS) {
      throw new TokenizerFlaw(
        `token ${show(token)} has the id ${show(id)}, a whole number from 0 to ${MOST_TOKENS - 1} is needed`,
      );
    }
    largest = Math.max(largest, id);
  }
  return largest;
}

/** The largest id of a vocabulary of pieces with scores, where a piece's place is its id. */
function checkPieces(vocab: unknown, unknown: unknown): number {
  if (!Array.isArray(vocab)) throw needed("model.vocab", vocab, "a list of pieces with scores");
  vocab.forEach((piece, id) => {
    const isPiece = Array.isArray(piece) && typeof piece[0] === "string" && Number.isFinite(piece[1]);
    if (!isPiece) throw needed(`model.vocab.${id}`, piece, "a piece with its score");
  });
  const isId = typeof unknown === "number" && Number.isInteger(unknown) && unknown >= 0 &&
    unknown < vocab.length;
  if (unknown !== null && unknown !== undefined && !isId) {
    throw needed("model.unk_id", unknown, "a piece's place, or null");
  }
  return vocab.length - 1;
}

/** As the original has it: a merge's two pieces are tokens, and what they make is one. */
function checkMerges({ merges, continuing_subword_prefix: prefix }: Fields, vocab: Fields): void {
  if (!Array.isArray(merges)) throw needed("model.merges", merges, "a list of pairs");
  const skipped = typeof prefix === "string" ? prefix.length : 0, isText = typeof merges[0] === "string";
  merges.forEach((merge, i) => {
    const pair: unknown = isText && typeof merge === "string" ? merge.split(" ") : isText ? null : merge;
    const isPair = Array.isArray(pair) && pair.length === 2 &&
      pair.every((piece) => typeof piece === "string");
    if (!isPair) throw needed(`model.merges.${i}`, merge, isText ? 'a text "left right"' : "a pair of texts");
    const [left, right] = pair as [string, string];
    const missing = [left, right, left + right.slice(skipped)].find((piece) => !Object.hasOwn(vocab, piece));
    if (missing !== undefined) {
      throw new TokenizerFlaw(`model.merges.${i} is ${show(merge)}, but ${show(missing)} is no token`);
    }
  });
}

/** A part and those that it is made of. */
function checkPart(place: string, part: unknown, list: string): void {
  if (part === null) return;
  const fields = needFields(place, part, "an object or null"), { type } = fields;
  const need = (field: string, isFit: (value: unknown) => boolean, what: string) => {
    if (!isFit(fields[field])) throw needed(`${place}.${field}`, fields[field], what);
  };
  const isText = (value: unknown) => typeof value === "string";
  switch (type) {
    case "Sequence": {
      need(list, Array.isArray, "a list");
      (fields[list] as unknown[]).forEach((inner, i) => checkPart(`${place}.${list}.${i}`, inner, list));
      return;
    }
    case "Replace":
      need("content", isText, "a text");
      return need("pattern", isPattern, '{"String": …} or {"Regex": …}');
    case "Split":
      need("behavior", (value) => value === undefined || isText(value), "a text");
      return need("pattern", isPattern, '{"String": …} or {"Regex": …}');
    case "TemplateProcessing":
      need("single", isTemplate, TEMPLATE);
      return need("pair", (value) => value === undefined || value === null || isTemplate(value), TEMPLATE);
    case "BertProcessing":
    case "RobertaProcessing":
      need("cls", isNamed, '["token", id]');
      return need("sep", isNamed, '["token", id]');
    case "Prepend":
      return need("prepend", isText, "a text");
    case "FixedLength":
      return need(
        "length",
        (value) => Number.isInteger(value) && Number(value) >= 1,
        "a whole number from 1",
      );
    default:
      need("type", isText, "a part's name");
  }
}

const TEMPLATE = 'a list of {"Sequence": …} and {"SpecialToken": …}';

function isNamed(value: unknown): value is readonly [string, unknown] {
  return Array.isArray(value) && typeof value[0] === "string";
}

function isTemplate(value: unknown): boolean {
  return Array.isArray(value) &&
    value.every((part) => {
      if (typeof part !== "object" || part === null) return false;
      const { id, type_id: type } = (part.Sequence ?? part.SpecialToken ?? {}) as Fields;
      return typeof id === "string" && (type === undefined || (Number.isInteger(type) && Number(type) >= 0));
    });
}

function isPattern(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { String: text, Regex: expression } = value as Fields;
  return typeof (expression ?? text) === "string";
}

function needFields(place: string, value: unknown, what = "an object"): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw needed(place, value, what);
}

function needed(place: string, value: unknown, what: string): TokenizerFlaw {
  return new TokenizerFlaw(`${place} is ${value === undefined ? "missing" : show(value)}, ${what} is needed`);
}

/** A value from the file, on one line and of few characters. */
export function show(value: unknown): string {
  const text = JSON.stringify(value) ?? "missing";
  return text.length <= 80 ? text : `${text.slice(0, 80)}…`;
}
