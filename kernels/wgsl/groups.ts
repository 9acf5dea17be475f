/** @file How many workgroups a kernel takes that gives each lane one element or one vector. */
import type { Gpu } from "../../gpu/gpu.ts";
import { lineOfGroups, MAX_GROUPS } from "../../gpu/kernel.ts";

/** Lanes of a workgroup in kernels that take one element or vector a lane. */
const LANES = 64;

/** Workgroups for `count` lanes. */
export function groupsFor(count: number): readonly [number, number] {
  return lineOfGroups(Math.ceil(count / LANES));
}

/** Vectors that a lane of a software adapter takes, one after the other, and workgroups that it leaves for its processors. */
const SHARE = 32, FEWEST_GROUPS = 16;

/**
 * Workgroups for a kernel whose `main` is `#use main_for_each`, over `count` vectors. On a GPU each lane takes one. To a software
 * adapter a lane is a turn of a loop that it enters and leaves at some cost, which is more than what many kernels do in it:
 * there a lane takes several, which is all the same for what they come to.
 */
export function groupsToShare({ info }: Gpu, count: number): readonly [number, number] {
  const lanes = info.software
    ? Math.max(Math.ceil(count / SHARE), Math.min(count, LANES * FEWEST_GROUPS))
    : count;
  return groupsFor(lanes);
}

/**
 * Workgroups for `lanes` lanes of each of `count` matrices: y counts these, and a line of groups that is too long goes on
 * along z. A kernel finds its place in the line as `group.x + group.z * groups.x`.
 */
export function groupsForEach(count: number, lanes: number): readonly [number, number, number] {
  const groups = Math.ceil(lanes / LANES), layers = Math.ceil(groups / MAX_GROUPS);
  return [Math.ceil(groups / layers), count, layers];
}
