/** @file Firefox, where it is: Debian's package "firefox-esr", driven by WebDriver BiDi, which it has built in. */
import { type DefineTest, type Permissions, PROGRAMS, testNeeding } from "../test_needing.ts";

/** Where Debian puts it. */
const FIREFOX = "/usr/bin/firefox-esr";

/** What a test may do that serves pages and looks at them. */
const BROWSING: Permissions = { ...PROGRAMS, net: ["127.0.0.1"] };

const isThere = await Deno.stat(FIREFOX).then(() => true, () => false);

/** Defines a test that may use Firefox. */
export const testInFirefox: DefineTest = testNeeding(
  BROWSING,
  isThere ? null : `${FIREFOX}: apt-get install firefox-esr`,
);

/** A window of a Firefox of its own, without a screen. Use with `await using`. */
export class Firefox implements AsyncDisposable {
  /** What pages wrote on the console, or would have liked to do, since it was opened. */
  readonly complaints: string[] = [];
  readonly #process: Deno.ChildProcess;
  readonly #profile: string;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #commands = 0;
  #window = "";

  private constructor(process: Deno.ChildProcess, profile: string, socket: WebSocket) {
    this.#process = process;
    this.#profile = profile;
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#hear(JSON.parse(data));
  }

  /** Starts it with what `about:config` would have. */
  static async open(settings: Readonly<Record<string, boolean>>): Promise<Firefox> {
    const profile = await Deno.makeTempDir({ prefix: "firefox" });
    const lines = Object.entries(settings).map(([name, value]) => `user_pref("${name}", ${value});\n`);
    await Deno.writeTextFile(`${profile}/user.js`, lines.join(""));
    const process = new Deno.Command("sh", {
      args: [
        "-c",
        'HOME="$1" exec "$0" --headless --no-remote --remote-debugging-port=0 --profile "$1"',
        FIREFOX,
        profile,
      ],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    let said = "", address: string | undefined;
    const output = process.stderr.pipeThrough(new TextDecoderStream()).getReader();
    while (address === undefined) {
      const { value, done } = await output.read();
      if (done) throw new Error(`Firefox ended: ${said}`);
      said += value;
      address = /BiDi listening on (ws:\S+)/.exec(said)?.[1];
    }
    // What it says later is for nobody.
    void (async () => {
      while (!(await output.read()).done);
    })();
    const socket = new WebSocket(`${address}/session`);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = () => reject(new Error(`Firefox does not answer at ${address}`));
    });
    const firefox = new Firefox(process, profile, socket);
    await firefox.#ask("session.new", { capabilities: {} });
    await firefox.#ask("session.subscribe", { events: ["log.entryAdded"] });
    const { contexts } = await firefox.#ask("browsingContext.getTree", {}) as {
      contexts: { context: string }[];
    };
    firefox.#window = contexts[0]!.context;
    return firefox;
  }

  /** Opens a page, and waits until it is loaded. */
  async goto(url: string): Promise<void> {
    await this.#ask("browsingContext.navigate", { context: this.#window, url, wait: "complete" });
  }

  /** What an expression comes to on the page, a promise's value where it is one. @throws {Error} where it throws */
  async evaluate<T>(expression: string): Promise<T> {
    const answer = await this.#ask("script.evaluate", {
      expression: `(async () => JSON.stringify(await (${expression}) ?? null))()`,
      target: { context: this.#window },
      awaitPromise: true,
      userActivation: true,
    }) as { result: { value: string }; exceptionDetails?: { text: string } };
    if (answer.exceptionDetails) throw new Error(answer.exceptionDetails.text);
    return JSON.parse(answer.result.value);
  }

  /** Waits until an expression holds on the page. @throws {Error} where it does not after a few thousand looks */
  async until(expression: string): Promise<void> {
    for (let looks = 0; looks < 3000; looks++) {
      if (await this.evaluate(`Boolean(${expression})`)) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`Firefox never came to ${expression}: ${this.complaints.join(", ")}`);
  }

  async #ask(method: string, params: object): Promise<unknown> {
    const id = ++this.#commands, waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(id, waiting);
    this.#socket.send(JSON.stringify({ id, method, params }));
    return await waiting.promise;
  }

  #hear({ id, method, params, result, error, message }: {
    id?: number;
    method?: string;
    params?: { level: string; text: string };
    result?: unknown;
    error?: string;
    message?: string;
  }): void {
    if (method !== undefined) return void this.complaints.push(`${params!.level}: ${params!.text}`);
    const waiting = this.#waiting.get(id!);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(`${error}: ${message}`));
    this.#waiting.delete(id!);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ask("browser.close", {});
    await this.#process.status;
    await Deno.remove(this.#profile, { recursive: true });
  }
}
