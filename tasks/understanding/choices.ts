/** @file Choices one after the other from one key, for grammars. */
import type { Random } from "../../numerics/random.ts";
import { pick } from "../math/word_problems.ts";

/** Each call is a new choice; the same calls in the same order give the same choices. */
export interface Choices {
  /** One of a list. @throws {RangeError} where it is empty */
  of<T>(list: readonly T[]): T;
  /** One of a list that is not among some. @throws {RangeError} where there is none */
  except<T>(list: readonly T[], some: readonly T[]): T;
  /** True with a probability. */
  chance(probability: number): boolean;
}

/** Choices whose random numbers are made together. */
const BLOCK = 16;

/** Choices that depend on the key alone. */
export function createChoices(random: Random): Choices {
  let made = 0, block = new Float32Array(0);
  const fraction = () => {
    const place = made % BLOCK;
    if (place === 0) block = random.fork(`choices ${made}`).uniform(BLOCK, 0, 1);
    made++;
    return block[place]!;
  };
  const of = <T>(list: readonly T[]): T => {
    if (list.length === 0) throw new RangeError("Cannot choose from an empty list");
    return pick(list, fraction());
  };
  return {
    of,
    except: (list, some) => of(list.filter((one) => !some.includes(one))),
    chance: (probability) => fraction() < probability,
  };
}
