/** @file `./run autotune`. */
import { readArguments } from "./commands.ts";
import type { CommandDeps } from "./command_deps.ts";

export async function autotuneCommand(args: string[], deps: CommandDeps): Promise<number> {
  const { flags } = readArguments("autotune", args);
  let last = performance.now();
  const { path, tuning } = await deps.autotune(({ done, total, shape }) => {
    if (performance.now() - last < 5000 && done < total) return;
    last = performance.now();
    deps.complain(`Measured ${done} of ${total} kinds of kernels, last ${shape}`);
  });
  const choices = [...Object.entries(tuning.products), ...Object.entries(tuning.subgroups ?? {})];
  if (flags.has("json")) {
    deps.print(JSON.stringify({ path, ...tuning }));
    return 0;
  }
  const changed = choices.filter(([, { variant, rule }]) => variant !== rule);
  for (const [shape, { variant, rule, microseconds }] of changed) {
    deps.print(
      `${shape}: ${variant} ${microseconds[variant]} us instead of ${rule} ${microseconds[rule]} us`,
    );
  }
  deps.print(
    `Tuned ${tuning.adapter} with Deno ${tuning.deno}: ${changed.length} of ${choices.length} choices differ from the rule, stored in ${path}`,
  );
  return 0;
}
