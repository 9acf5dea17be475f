/** @file The contract between models, methods and tasks. */
import type { OutputMap } from "../autodiff/mod.ts";
import type { LowPrecisionParameter, Parameter, Tape, Var } from "../autodiff/tape.ts";
import type { DType, HostArrays, Shape } from "../gpu/tensor.ts";

/** A family of architectures. */
export type ModelFamily = "decoder" | "encoder-decoder" | "encoder" | "vision";

/** Host data on its way to the GPU. */
export interface HostTensor<D extends DType> {
  /** Elements, row-major. */
  readonly data: HostArrays[D];
  /** Sizes of the axes. */
  readonly shape: Shape;
}

/** A next-token batch: `tokens` and `targets` are `[batch, length]`. */
export interface DecoderBatch {
  /** Tells the kinds of batch apart. */
  readonly family: "decoder";
  /** Token ids. */
  readonly tokens: HostTensor<"i32">;
  /** The token that each position should predict, or IGNORE. */
  readonly targets: HostTensor<"i32">;
}

/** A text-to-text batch: `inputs` and `inputMask` are `[batch, input length]`, `targets` `[batch, target length]`. */
export interface EncoderDecoderBatch {
  /** Tells the kinds of batch apart. */
  readonly family: "encoder-decoder";
  /** Token ids of what is read, padding included. */
  readonly inputs: HostTensor<"i32">;
  /** 0 where the input is padding: nothing looks there. */
  readonly inputMask: HostTensor<"u32">;
  /** The tokens to be written, or IGNORE. The decoder reads them shifted right behind its start token. */
  readonly targets: HostTensor<"i32">;
}

/** A batch of texts to classify: `tokens`, `mask` and `types` are `[batch, length]`, `targets` `[batch]`. */
export interface EncoderBatch {
  /** Tells the kinds of batch apart. */
  readonly family: "encoder";
  /** Token ids, padding included. */
  readonly tokens: HostTensor<"i32">;
  /** 0 where a text is padding: nothing looks there. */
  readonly mask: HostTensor<"u32">;
  /** The kind of each token, for models that tell a first text from a second; 0 for all where absent. */
  readonly types?: HostTensor<"i32">;
  /** The class of each text, or IGNORE. */
  readonly targets: HostTensor<"i32">;
}

/** An image batch: `pixels` is `[batch, channels, height, width]`, `targets` `[batch]`. */
export interface VisionBatch {
  /** Tells the kinds of batch apart. */
  readonly family: "vision";
  /** Scaled as the model was trained. */
  readonly pixels: HostTensor<"f32">;
  /** The class of each image, or IGNORE. */
  readonly targets: HostTensor<"i32">;
}

/** How pixels become what an image model takes. */
export interface ImageInput {
  /** 1 (grey) or 3 (red, green, blue). */
  readonly channels: 1 | 3;
  /** What is taken from each channel's values of 0 to 1. */
  readonly mean: readonly number[];
  /** What they are divided by then, above 0. */
  readonly deviation: readonly number[];
  /** How they come to the model's size; absent where it is as CLIP has it, `{ shorter: its side, filter: "bicubic" }`. */
  readonly resize?: ImageResize;
}

/** How an image comes to a square of the model's size, byte for byte as Pillow has it. */
export interface ImageResize {
  /** Pixels that its shorter side is resized to, at least the model's own, whose square is cut out of the middle. */
  readonly shorter: number;
  /** True where the longer side is resized to as many, whatever the image's shape. */
  readonly isStretched?: true;
  /** How pixels are mixed. */
  readonly filter: ImageFilter;
}

/** What a new pixel is made of; all but "nearest" take in every pixel of a larger image. */
export type ImageFilter = "nearest" | "bilinear" | "bicubic";

/** What a model takes. Targets equal to IGNORE take no part in the loss. */
export type Batch = DecoderBatch | EncoderDecoderBatch | EncoderBatch | VisionBatch;

/** The target of a position that takes no part in the loss, as in PyTorch. */
export const IGNORE: number = -100;

/** A linear map y = x Wᵀ + b that an optimizer may adapt. */
export interface TargetModule {
  /** Unique in the model, e.g. "layers.3.self_attn.q_proj". */
  readonly name: string;
  /** W, `[out, in]`; in 16-bit floats where it is frozen and the run asks for that. */
  readonly weight: Parameter | LowPrecisionParameter;
  /** Added by the forward pass, never by a method. */
  readonly bias?: Parameter;
  /** Columns of W. */
  readonly in: number;
  /** Rows of W. */
  readonly out: number;
}

/** What a model may use while it computes. `linear` is the one place an optimizer can enter. */
export interface Forward {
  /** Where everything is recorded. */
  readonly tape: Tape;
  /** y = x W_effᵀ + b; x is `[rows, in]`, y `[rows, out]`. */
  linear(targetModule: TargetModule, x: Var): Var;
  /**
   * body(inputs), for a stretch of the network whose tensors go when its backward pass is done, or that is computed again
   * for it instead of being kept.
   * `body` uses the forward that it is given, returns a new tensor and takes nothing from outside but the inputs and
   * parameters.
   */
  block<const V extends readonly Var[]>(inputs: V, body: (forward: Forward, inputs: V) => Var): Var;
}

/** Texts on which a model goes on writing. What it has worked out of them is kept: a token more costs a token's work. */
export interface Continuation {
  /** Scores of the token after each prompt, `[texts, vocabulary]`, in the scope in which the texts were begun. */
  readonly prompted: Var;
  /** Reads one token more of each text: scores of the token after it, `[texts, vocabulary]`, in the caller's scope. */
  next(tokens: readonly number[]): Var;
  /**
   * Goes on with the texts that `texts` lists alone, in that order; one may be named twice. What is kept is copied into
   * the caller's scope.
   */
  select(texts: readonly number[]): void;
}

/** How a model writes text. */
export interface Writer {
  /** Most tokens that may follow a prompt of `prompt` tokens, for a task whose inputs have up to `longest` tokens. */
  room(prompt: number, longest: number): number;
  /**
   * Reads prompts, of which none is empty, that are continued by up to `tokens` tokens each; what is kept of them lies
   * in the caller's scope. The forward is used for all that follow. Scores do not depend on the other texts, but for
   * roundings.
   */
  begin(forward: Forward, prompts: readonly ArrayLike<number>[], tokens: number): Continuation;
}

/** What a model of a vocabulary comes to before its logits, which may be too many to be there at once. */
export interface LastHidden {
  /** `[rows, width]`: a row for each row of the logits. */
  readonly states: Var;
  /** What makes logits of them. */
  readonly map: OutputMap;
}

/** A network whose parameters lie on the GPU. */
export interface Model<B extends Batch = Batch> {
  /** The kind of batch that it takes. */
  readonly family: B["family"];
  /** Every parameter that may be trained, in a fixed order: all but those in 16-bit floats. */
  readonly parameters: readonly Parameter[];
  /** The linear maps that may be adapted. */
  readonly targetModules: readonly TargetModule[];
  /** Parameters with no pretrained value (a new classifier): every optimizer trains these. */
  readonly head: readonly Parameter[];
  /** Unnormalized scores, `[targets in the batch, classes or vocabulary]`. */
  logits(forward: Forward, batch: B): Var;
  /** What `logits` are made of, row by row. Absent where the scores are of few classes. */
  lastHidden?(forward: Forward, batch: B): LastHidden;
  /** Absent where the model does not write. */
  readonly writer?: Writer;
}
