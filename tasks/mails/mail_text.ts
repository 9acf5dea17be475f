/**
 * @file What a mail itself says: its text without headers, markup, quotations of other mails, addresses, and what lists of
 * mails write below. Each of these tells by itself where a mail came from, so that nobody would have to read it.
 *
 * Source: RFC 5322 (headers), RFC 2045 and 2046 (types, encodings, parts).
 */

/** Most characters of a text: what follows tells no more. */
const LONGEST = 1000;

/** Parts within parts that are looked into. */
const DEEPEST = 5;

/** The text of a mail, on one line and cut behind a word; empty where it has none. */
export function mailText(mail: string): string {
  const text = plainText(mail.replaceAll("\r\n", "\n"), DEEPEST)
    // Addresses.
    .replaceAll(/\S+@\S+|(https?:\/\/|www\.)\S*/gi, " ")
    .replaceAll(/\s+/g, " ").trim();
  return text.length <= LONGEST ? text : text.slice(0, text.lastIndexOf(" ", LONGEST)).slice(0, LONGEST);
}

/** The text of a mail, or of a part of one, which begins with headers too. */
function plainText(mail: string, depth: number): string {
  // A part may have no header, and then begins with the empty line.
  const end = mail.startsWith("\n") ? 0 : mail.indexOf("\n\n");
  if (end < 0) return "";
  const headers = mail.slice(0, end).replaceAll(/\n[ \t]+/g, " "), body = mail.slice(end).replace(/^\n+/, "");
  const header = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, "im").exec(headers)?.[1] ?? "";
  const type = header("content-type").toLowerCase();
  const boundary = /boundary="?([^";]+)"?/i.exec(header("content-type"))?.[1];
  if (type.startsWith("multipart/") && boundary !== undefined) {
    return depth === 0 ? "" : firstText(body.split(`--${boundary}`).slice(1), depth - 1);
  }
  if (type !== "" && !type.startsWith("text/")) return "";
  const decoded = decode(body, header("content-transfer-encoding").toLowerCase());
  const isMarkup = type.startsWith("text/html") || /<(html|body|table|font|br|p)\b/i.test(decoded);
  return isMarkup ? withoutMarkup(decoded) : ownLines(decoded);
}

/** Of parts that say the same in several ways, the first that says anything. */
function firstText(parts: readonly string[], depth: number): string {
  for (const part of parts) {
    const text = plainText(part.replace(/^[ \t]*\n/, ""), depth);
    if (text.trim() !== "") return text;
  }
  return "";
}

function decode(body: string, encoding: string): string {
  if (encoding.startsWith("quoted-printable")) {
    return body.replaceAll(/=[ \t]*\n/g, "").replaceAll(
      /=([0-9a-f]{2})/gi,
      (_, code) => String.fromCharCode(parseInt(code, 16)),
    );
  }
  if (!encoding.startsWith("base64")) return body;
  try {
    return atob(body.replaceAll(/[^a-z0-9+/]/gi, ""));
  } catch {
    return "";
  }
}

const ENTITIES: Readonly<Record<string, string>> = { nbsp: " ", amp: "&", lt: "<", gt: ">", quot: '"' };

function withoutMarkup(text: string): string {
  return text
    .replaceAll(/<!--[^]*?-->|<(script|style|head)\b[^]*?<\/\1>/gi, " ")
    // A tag that has no end is cut off with all that follows.
    .replaceAll(/<[a-z/!?][^>]*(>|$)/gi, " ")
    .replaceAll(/&#(\d{1,5});/g, (_, code) => String.fromCharCode(Number(code)))
    .replaceAll(/&([a-z]+);/g, (_, name) => ENTITIES[name] ?? " ");
}

/** Where what a list or a mailer writes below begins. */
const FOOTER = [
  /^-- ?$/,
  /^_{20,}$/,
  /^-+[ ~>-]*Yahoo! Groups Sponsor/,
  /^To unsubscribe from this group, send an email to/,
  /^This (sf\.net|sourceforge\.net) email is sponsored by/i,
];
/** A line that another mail said, that says who did, or that a feed of news writes above. */
const OTHERS = /^\s*([>|]|(URL|Date): )|\b(wrote|writes):\s*$/;

function ownLines(text: string): string {
  const lines = text.split("\n"), end = lines.findIndex((line) => FOOTER.some((footer) => footer.test(line)));
  return lines.slice(0, end < 0 ? undefined : end).filter((line) => !OTHERS.test(line)).join("\n");
}
