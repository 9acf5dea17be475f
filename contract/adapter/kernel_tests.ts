/**
 * @file What the tests of kernels found on this adapter: `./run check` runs them before anything else, and they leave a file in
 * JUnit's form.
 */

/** A check of an adapter. */
export interface AdapterCheck {
  readonly name: string;
  /** Why it does not hold; null where it does. */
  readonly error: string | null;
}

/** Tests that every kernel, gradient and method passes on any adapter; they need no leave but to read the project. */
export const KERNEL_TESTS = ["gpu", "kernels", "autodiff", "tests/golden_methods_test.ts"] as const;

/** What they leave, from the project's folder. */
export const KERNEL_RESULTS = "checked/kernels.xml";

const ENTITIES: Readonly<Record<string, string>> = {
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&apos;": "'",
  "&amp;": "&",
};

/** The tests of a file in JUnit's form as Deno writes it; what was ignored is left out. */
export function readJunit(text: string): AdapterCheck[] {
  const plain = (part: string) => part.replaceAll(/&(lt|gt|quot|apos|amp);/g, (entity) => ENTITIES[entity]!);
  const cases = text.matchAll(
    /<testcase name="(?<name>[^"]*)" classname="\.\/(?<file>[^"]*)"[^>]*?(?:\/>|>(?<body>[\s\S]*?)<\/testcase>)/g,
  );
  return [...cases].flatMap(({ groups }) => {
    const { name, file, body = "" } = groups!;
    if (body.includes("<skipped")) return [];
    const failure = /<(?:failure|error)(?: message="(?<message>[^"]*)")?/.exec(body);
    return [{
      name: `${file!.replace(/_test\.ts$/, "").replace("tests/golden_", "methods/")}: ${plain(name!)}`,
      error: failure ? plain(failure.groups!.message ?? "it failed") : null,
    }];
  });
}
