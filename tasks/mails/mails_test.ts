import { assert, assertEquals, assertGreater, assertRejects } from "@std/assert";
import { npmFolder, SPAM_ASSASSIN_FOLDER } from "../../files/npm_place.ts";
import { createRandom } from "../../numerics/random.ts";
import { inFolder } from "../../tests/support/in_folder.ts";
import { FILES, lackOf, READING, testNeeding } from "../../tests/support/test_needing.ts";
import { DataError } from "../data/data_error.ts";
import { mailText } from "./mail_text.ts";
import { GROUPS, type Mail, mailExamples, type MailGroup, readMails } from "./spam_assassin.ts";

const folder = `${npmFolder()}/${SPAM_ASSASSIN_FOLDER}`;
const isThere = lackOf(READING) === null && await Deno.stat(folder).then(() => true, () => false);

const HEAD = "From a@b.c  Thu Aug 22 12:36:23 2002\nReceived: from x\n\tby y\nSubject: Re: boats\n";

Deno.test("mailText() is what a mail itself says: no header, quotation, address, signature, or footer of a list", () => {
  const plain = `${HEAD}
On Friday somebody wrote:
> boats are slow
| and wet

Write to me@there.org, or see http://there.org/boats?x=1 today.
www.there.org has
  more.
`;
  const said = "Write to or see today. has more.";
  assertEquals(mailText(plain), said);
  assertEquals(mailText(plain.replaceAll("\n", "\r\n")), said);
  const footers = [
    "-- \nme",
    "_______________________________\nlist",
    "To unsubscribe from this group, send an email to:\nx",
    "This sf.net email is sponsored by: nobody\nx",
    "------------------------ Yahoo! Groups Sponsor ---------------------~-->\nx",
  ];
  for (const footer of footers) assertEquals(mailText(`${plain}${footer}\n`), said, footer);
  // A line of hyphens by itself parts paragraphs.
  assertEquals(mailText(`${HEAD}\nOne\n----------\ntwo`), "One ---------- two");
  assertEquals([mailText(HEAD), mailText(""), mailText("\n\n")], ["", "", ""]);
  const long = mailText(`${HEAD}\n${"word ".repeat(400)}`);
  assert(long.length <= 1000 && long.endsWith(" word"), long.slice(-20));
  assertEquals(mailText(`${HEAD}\n${"x".repeat(2000)}`), "x".repeat(1000));
});

Deno.test("mailText() decodes parts, encodings and markup, and passes over what is no text", () => {
  const typed = (type: string, body: string, encoding = "7bit") =>
    `${HEAD}Content-Type: ${type}\nContent-Transfer-Encoding: ${encoding}\n\n${body}`;
  assertEquals(
    mailText(typed("text/plain", "Caf=E9 =\nis open=20", "quoted-printable")),
    "Caf\u00e9 is open",
  );
  assertEquals(
    mailText(typed("text/plain", btoa("come and buy").replace("b", "b\n"), "base64")),
    "come and buy",
  );
  assertEquals(mailText(typed("text/plain", "%", "base64")), "");
  const markup =
    "<html><head><title>t</title></head><style>p{}</style><!-- c --><P>Buy&nbsp;now &amp; save &#36;5" +
    '<a href="http://x.y">here</a><br';
  assertEquals(mailText(typed("text/html", markup)), "Buy now & save $5 here");
  assertEquals(mailText(typed("application/pdf", "JVBERi0=", "base64")), "");
  const parts = (...parts: string[]) =>
    typed(
      'multipart/alternative;\n\tboundary="=_b"',
      `for old readers\n--=_b\n${parts.join("\n--=_b\n")}\n--=_b--\n`,
    );
  assertEquals(
    mailText(parts("Content-Type: image/png\n\nx", "Content-Type: text/html\n\n<p>first</p>", "\nsecond")),
    "first",
  );
  assertEquals(mailText(parts("\nno header")), "no header");
  // As deep as somebody nested it.
  let nested = "\ninside";
  for (let i = 0; i < 9; i++) {
    nested = `Content-Type: multipart/mixed; boundary="b${i}"\n\n--b${i}\n${nested}\n--b${i}--`;
  }
  assertEquals(mailText(nested), "");
});

/** Made-up mails of random words. */
function madeUp(group: MailGroup, count: number): Mail[] {
  const random = createRandom(1).fork(group);
  return Array.from({ length: count }, (_, i) => {
    const letters = random.fork(`${i}`).integers(200, 26);
    const words = Array.from(
      { length: 40 },
      (_, k) => Array.from(letters.slice(5 * k, 5 * k + 5), (n) => String.fromCharCode(97 + n)).join(""),
    );
    return { group, mail: `${HEAD}\n${words.join(" ")}` };
  });
}

Deno.test("mailExamples() trains and tests on other groups, as many of each class, and on nothing twice", () => {
  const mails = [
    ...madeUp("spam-1", 12),
    ...madeUp("easy-ham-2", 40),
    ...madeUp("hard-ham-1", 3),
    ...madeUp("spam-2", 20),
    ...madeUp("easy-ham-1", 30),
  ];
  const examples = mailExamples(mails), again = mailExamples(mails.toReversed());
  const count = (wanted: Partial<typeof examples[number]>) =>
    examples.filter((one) => Object.entries(wanted).every(([name, value]) => one[name as "label"] === value))
      .length;
  assertEquals(
    [count({ split: "train", label: "ham" }), count({ split: "train", label: "spam" })],
    [20, 20],
  );
  assertEquals([count({ split: "test", label: "ham" }), count({ split: "test", label: "spam" })], [12, 12]);
  assertEquals(count({ group: "hard-ham-1" }), 3);
  for (const { group, label, split } of examples) assertEquals({ label, split }, GROUPS[group]);
  assertEquals(again.length, examples.length);

  // The same mail with another beginning, in a group to test on, and short, foreign and empty ones.
  const { mail } = mails.at(-1)!;
  const others = [
    mail.replace("\n\n", "\n\nsome other words before it "),
    `${HEAD}\ntoo short`,
    `${HEAD}\n${"\u0434\u043e\u043c ".repeat(20)}`,
    HEAD,
  ].map((mail): Mail => ({ group: "spam-1", mail }));
  assertEquals(
    mailExamples([...mails, ...others]).map(({ text }) => text).toSorted(),
    examples.map(({ text }) => text).toSorted(),
  );
});

testNeeding(FILES)(
  "readMails() reads the package's files group by group, and names one that is missing",
  async () => {
    await inFolder(async (folder) => {
      await assertRejects(() => readMails(folder), DataError, `Cannot read ${folder}/data/file_list.json: `);
      for (const group of ["spam-1", "easy-ham-1"]) {
        await Deno.mkdir(`${folder}/data/${group}`, { recursive: true });
      }
      await Deno.writeTextFile(
        `${folder}/data/file_list.json`,
        JSON.stringify(["spam-1/2.txt", "easy-ham-1/1.txt"]),
      );
      await Deno.writeTextFile(`${folder}/data/spam-1/2.json`, JSON.stringify({ text: "two" }));
      await assertRejects(
        () => readMails(folder),
        DataError,
        `Cannot read ${folder}/data/easy-ham-1/1.json: `,
      );
      await Deno.writeTextFile(`${folder}/data/easy-ham-1/1.json`, JSON.stringify({ text: "one" }));
      assertEquals(await readMails(folder), [
        { group: "easy-ham-1", mail: "one" },
        { group: "spam-1", mail: "two" },
      ]);
    });
  },
);

testNeeding(READING, isThere ? null : "the package that ./run spam-assassin brings")(
  "SpamAssassin's mails: every group is read, and both classes are there in training and in test",
  async () => {
    const mails = await readMails(folder);
    assertEquals(mails.length, 6046);
    const examples = mailExamples(mails);
    for (const split of ["train", "test"]) {
      const labels = examples.filter((one) => one.split === split).map(({ label }) => label);
      assertGreater(labels.length, 400);
      assertEquals(labels.filter((label) => label === "spam").length, labels.length / 2);
    }
    assert(examples.every(({ text }) => !/\S@\S|https?:\/\/\S|^(Received|Subject):/.test(text)));
  },
);
