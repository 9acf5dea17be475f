/** @file What a sweep asks once other methods take the place of its own. */

/** A method as questions name it. */
interface Named {
  readonly id: string;
  readonly title: string;
}

/**
 * The sweep's own question, or a plain one where that names a method that is no longer compared.
 *
 * @param own methods of the sweep as it is written
 * @param chosen those that are compared, each once, in order
 */
export function questionOf(question: string, own: readonly Named[], chosen: readonly Named[]): string {
  const compared = new Set(chosen.map(({ id }) => id));
  const lost = own.some(({ id, title }) => !compared.has(id) && names(question, title));
  if (!lost) return question;
  // "Full fine-tuning" is a name of words, which begin small inside a sentence; "BitFit" is not.
  const titles = chosen.map(({ title }) =>
    title.replace(/^[A-Z](?=[a-z']+ )/, (letter) => letter.toLowerCase())
  );
  const last = titles.at(-1)!;
  return titles.length === 1
    ? `What does ${last} score?`
    : `How do ${titles.slice(0, -1).join(", ")} and ${last} compare?`;
}

/** Whether a text has a title as a word of its own: "LoRA-Pro" does not name LoRA. */
function names(text: string, title: string): boolean {
  const literal = title.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`(?<![\\w-])${literal}(?![\\w+-])`, "i").test(text);
}
