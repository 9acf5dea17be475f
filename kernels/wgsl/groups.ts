/** @file How many workgroups a kernel takes that gives each lane one element or one vector. */
import { lineOfGroups, MAX_GROUPS } from "../../gpu/kernel.ts";

/** Lanes of a workgroup in kernels that take one element or vector a lane. */
const LANES = 64;

/** Workgroups for `count` lanes. */
export function groupsFor(count: number): readonly [number, number] {
  return lineOfGroups(Math.ceil(count / LANES));
}

/**
 * Workgroups for `lanes` lanes of each of `count` matrices: y counts these, and a line of groups that is too long goes on
 * along z. A kernel finds its place in the line as `group.x + group.z * groups.x`.
 */
export function groupsForEach(count: number, lanes: number): readonly [number, number, number] {
  const groups = Math.ceil(lanes / LANES), layers = Math.ceil(groups / MAX_GROUPS);
  return [Math.ceil(groups / layers), count, layers];
}
