/** @file What is stored of methods and tasks that do not ship, so that their runs can be reported without their files. */
import { z } from "zod";
import { canonicalJson } from "../../files/canonical_json.ts";
import {
  allOptions,
  type DescribedEntries,
  type KnownOptimizer,
  type Registries,
} from "../../training/configuration.ts";
import type { RunConfig } from "../../training/run.ts";
import { OptionValues } from "../../training/schemas.ts";
import { optionsWithoutRank } from "./method.ts";

/** A bound, of which JSON writes those that are none as null. */
const bound = (none: number) => z.number().nullable().transform((bound) => bound ?? none);

/** What is known of the entries that a sweep's runs took from files. */
export const Described = z.strictObject({
  methods: z.array(z.strictObject({
    id: z.string(),
    title: z.string(),
    source: z.string(),
    paper: z.strictObject({ title: z.string(), authors: z.array(z.string()), year: z.int() }).exactOptional(),
    /** What the method says of options, without the rank. */
    described: z.array(z.strictObject({ options: OptionValues, text: z.string() })),
  })),
  tasks: z.array(z.strictObject({
    id: z.string(),
    title: z.string(),
    family: z.enum(["understanding", "dialogue", "math", "code", "vision"]),
    metric: z.strictObject({ name: z.string(), chance: z.number() }),
    /** Those that are the mean of a value of each example: others are formed by the file's own code. */
    measures: z.array(z.strictObject({
      name: z.string(),
      better: z.enum(["higher", "lower"]),
      within: z.tuple([bound(-Infinity), bound(Infinity)]).exactOptional(),
      split: z.enum(["validation", "test"]).exactOptional(),
    })),
  })),
});
export type Described = z.infer<typeof Described>;

/** Describes what some runs took from files; null where they took nothing. */
export function describe(
  configs: readonly RunConfig[],
  { optimizers, tasks, own: brought }: Registries,
): Described | null {
  const methods = Object.values(optimizers).filter((entry) => brought?.has(entry)).flatMap((module) => {
    const own = configs.filter(({ optimizer }) => optimizer.id === module.id);
    const choices = new Map(own.map(({ optimizer }) => {
      const options = optionsWithoutRank(optimizer);
      return [canonicalJson(options), {
        options: { ...options },
        text: module.describe(allOptions(module, { optimizer })),
      }];
    }));
    return own.length > 0 ? [describeMethod(module, [...choices.values()])] : [];
  });
  const used = Object.values(tasks).filter((entry) =>
    brought?.has(entry) && configs.some(({ task }) => task.id === entry.id)
  ).map(({ id, title, family, metric: { name, chance }, measures = [] }) => ({
    id,
    title,
    family,
    metric: { name, chance },
    measures: measures.filter(({ ofPairs }) => !ofPairs).map(({ name, better, within, split }) => ({
      name,
      better,
      ...(within && { within: [within[0], within[1]] as [number, number] }),
      ...(split && { split }),
    })),
  }));
  return methods.length + used.length > 0 ? { methods, tasks: used } : null;
}

type DescribedMethod = Described["methods"][number];

function describeMethod(
  { id, title, source, paper }: KnownOptimizer,
  described: DescribedMethod["described"],
): DescribedMethod {
  const cited = paper && { title: paper.title, authors: [...paper.authors], year: paper.year };
  return { id, title, source, ...(cited && { paper: cited }), described };
}

/** The registries with what is stored of entries that they don't have. */
export function withDescribed<R extends Registries>(
  registries: R,
  stored: readonly (Described | undefined)[],
): R {
  const all = stored.filter((one) => one !== undefined);
  if (all.length === 0) return registries;
  const described: DescribedEntries = {
    tasks: all.flatMap(({ tasks }) => tasks),
    methods: all.flatMap(({ methods }) => methods).map(({ described, ...method }) => ({
      ...method,
      describe(options) {
        const key = canonicalJson(optionsWithoutRank({ id: method.id, options }));
        return described.find((one) => canonicalJson(one.options) === key)?.text ?? "";
      },
    })),
  };
  return { ...registries, described };
}
