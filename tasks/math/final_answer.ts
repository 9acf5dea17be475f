/** @file Finding the final answer of a mathematical text, and comparing two of them. */

/**
 * A number as people write it: digits with or without commas between thousands, decimals, which may stand alone, and
 * what touches them: a sign, a currency, in either order. The full stop of a sentence is no part. A minus that
 * follows a digit or a closing bracket is subtraction, not a sign.
 */
const NUMBER =
  /(?:(?<![\d)\]}][ \t]*)[-+\u2212])?[$\u20ac\u00a3\u00a5]?(?:(?<![\d)\]}][ \t]*)[-+\u2212])?(?:\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|(?<!\d)\.\d+)/g;

/** Phrases after which an answer stands, on the same line: GSM8K's and MetaMathQA's. */
const MARKS = [/####/g, /the answer is:/gi] as const;

/**
 * The answer where the text says that it is one: behind the last "####" or "The answer is:", capital or not, or, where
 * neither occurs, behind the last "=" of the last line, if nothing but a number follows.
 *
 * @returns as it is written, without white space around it and a full stop behind it; null where there is none
 */
export function strictAnswer(text: string): string | null {
  for (const mark of MARKS) {
    const found = [...text.matchAll(mark)].at(-1);
    if (!found) continue;
    const answer = bare(text.slice(found.index + found[0].length).split("\n", 1)[0]!);
    return answer === "" ? null : answer;
  }
  const line = text.trimEnd().split("\n").at(-1)!;
  const sign = line.lastIndexOf("=");
  if (sign < 0) return null;
  const answer = bare(line.slice(sign + 1));
  return numberOf(answer) === null ? null : answer;
}

/**
 * The answer wherever it stands: the strict one where it is a number, else the last number of the text.
 *
 * @returns as it is written; null where the text has no number
 */
export function flexibleAnswer(text: string): string | null {
  const strict = strictAnswer(text);
  if (strict !== null && numberOf(strict) !== null) return strict;
  return text.match(NUMBER)?.at(-1) ?? null;
}

/**
 * Whether two answers are the same. Numbers are compared digit by digit, at any length: without thousands
 * separators, currency, percent signs, a plus, and zeros that say nothing ("1,000" = "$1000.00", "50%" = "50", but
 * "50%" ≠ "0.5"). Other answers are compared as text without white space.
 */
export function sameAnswer(a: string, b: string): boolean {
  const text = (answer: string) => numberOf(bare(answer)) ?? bare(answer).replaceAll(/\s/g, "");
  return text(a) === text(b);
}

function bare(text: string): string {
  return text.trim().replace(/\.$/, "").trim();
}

/** A text that is one number and nothing else, in its shortest form; null where it is something else. */
function numberOf(text: string): string | null {
  const plain = text.replace(/\s*%$/, "").replaceAll("\u2212", "-")
    .replace(/^([-+]?)\s?[$\u20ac\u00a3\u00a5]\s?/, "$1").replace(/\s*[\u20ac\u00a3\u00a5]$/, "");
  const parts = /^(?<sign>[-+]?)(?<whole>\d{1,3}(?:,\d{3})+|\d*)(?:\.(?<decimals>\d*))?$/.exec(plain)?.groups;
  if (!parts || !/\d/.test(plain)) return null;
  const whole = parts["whole"]!.replaceAll(",", "").replace(/^0+(?=\d)/, "") || "0";
  const decimals = (parts["decimals"] ?? "").replace(/0+$/, "");
  const digits = decimals === "" ? whole : `${whole}.${decimals}`;
  return parts["sign"] === "-" && digits !== "0" ? `-${digits}` : digits;
}
