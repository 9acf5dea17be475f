/** @file Which target modules' input moments are taken in one pass. */

/**
 * Target modules in their order, by groups whose moments, `[in, in]` each, have together no more numbers than all their weights;
 * a group has at least one. Where maps are square that is one group: the memory of full gradients.
 */
export function momentGroups<T extends { readonly in: number; readonly out: number }>(
  targetModules: readonly T[],
): T[][] {
  const most = targetModules.reduce((sum, one) => sum + one.in * one.out, 0), groups: T[][] = [];
  let left = 0;
  for (const targetModule of targetModules) {
    const numbers = targetModule.in ** 2;
    if (groups.length === 0 || numbers > left) {
      groups.push([]);
      left = most;
    }
    groups.at(-1)!.push(targetModule);
    left -= numbers;
  }
  return groups;
}
