/** @file A task of the user's own data: a file and how it is read. */
import { canonicalJson } from "../../files/canonical_json.ts";
import { takeFrom } from "../data/load.ts";
import { realDigits } from "../images/real_digits.ts";
import { realImages } from "../images/real_images.ts";
import type { TakeImages } from "../images/image_data.ts";
import type { Metric, ShippedSettings, Task, TaskFamily } from "../task.ts";
import { DataError } from "../data/data_error.ts";
import type { DataKind, DataScore } from "./layout.ts";
import { imagePlace, requireTakesImages, textPlace } from "./place.ts";
import { LOSS, type OwnData, ownTexts, type TextModel } from "./texts.ts";

const FAMILIES: Readonly<Record<DataKind, TaskFamily>> = {
  answer: "dialogue",
  chat: "dialogue",
  label: "understanding",
  image: "vision",
};

const METRICS: Readonly<Record<DataScore, Metric>> = {
  exact: { name: "exact match", chance: 0 },
  numbers: { name: "number match", chance: 0 },
  choice: { name: "accuracy", chance: 0 },
  loss: { name: "likelihood a token", chance: 0 },
};

/**
 * The task of some data of the user's. Whatever the run's options say of its path, examples are read as the layout has it.
 *
 * @param shipped what it is run with where nobody says otherwise
 */
export function ownTask(own: OwnData, shipped?: ShippedSettings): Task {
  const { id, title, layout } = own, { kind, labels, score } = layout, family = FAMILIES[kind];
  const placeOf = (path: string) => (kind === "image" ? imagePlace : textPlace)(path, title, layout);
  return {
    id,
    title,
    family,
    metric: score ? METRICS[score] : { name: "accuracy", chance: 1 / Object.keys(labels!).length },
    ...(kind !== "image" && { measures: [LOSS] }),
    source: "your own data",
    ...(shipped && { shipped }),
    realData: {
      titles: [title],
      fingerprint: (path) => placeOf(path).fingerprint(),
      ...(kind === "image" &&
        { classNames: async (path) => (await imagePlace(path, title, layout).find()).classes }),
    },
    async load(options, model) {
      const { data } = options;
      if (data === undefined || model?.family === undefined) {
        throw new DataError(`Cannot load "${id}": it is of data of yours, its path and a model are needed`);
      }
      const real = { ...options, data };
      if (kind !== "image") return await ownTexts(own, real, model as TextModel);
      requireTakesImages(own, data, { family: model.family });
      const take: TakeImages = (taking) => {
        const by = `${taking.by} ${canonicalJson(layout)}`;
        return takeFrom(id, imagePlace(data, title, layout), real, { ...taking, by });
      };
      return await (model.image
        ? realImages(id, real, { side: model.inputSize, ...model.image }, take)
        : realDigits(id, real, take));
    },
  };
}
