/** @file What an example of each kind of task is, once it is read: loaders make these, tasks take them. */
import type { TaskFamily } from "../task.ts";

/** A text, or a pair of texts, and its class. */
export interface ClassifiedText {
  /** One text, or the two of a pair in the data set's order. */
  readonly texts: readonly [string] | readonly [string, string];
  /** Index into `labels`. */
  readonly label: number;
  /** Names of the classes as T5's recipe writes them, e.g. "unacceptable", "acceptable". */
  readonly labels: readonly string[];
  /** The data set's id, e.g. "cola": prompts begin with it. */
  readonly dataSet: string;
}

/** A mathematical question. */
export interface Question {
  /** What is asked. */
  readonly question: string;
  /** The answer as text to train on: working, then the final answer. */
  readonly answer: string;
  /** The final answer alone, as written, e.g. "1,000"; see `strictAnswer`. */
  readonly final: string;
}

/** One turn of a conversation. */
export interface Turn {
  /** Who speaks. */
  readonly role: "system" | "user" | "assistant";
  /** What is said. */
  readonly text: string;
}

/**
 * A conversation. One to train on ends with the assistant; MT-Bench's have the user's turns alone, to be answered one
 * by one.
 */
export interface Conversation {
  /** In order. */
  readonly turns: readonly Turn[];
  /** e.g. MT-Bench's "writing". */
  readonly category?: string;
  /** Reference answers, one a user turn, where the data set has them. */
  readonly references?: readonly string[];
}

/** A specification of a program, and a program. */
export interface Program {
  /** In words, or the beginning of the program itself: HumanEval's signature and docstring. */
  readonly specification: string;
  /** What follows the specification: an answer with code in it, or HumanEval's body. */
  readonly solution: string;
  /** Lower-case name of the language, e.g. "python"; absent where it is not told. */
  readonly language?: string;
  /** How to run it; absent in data to train on. */
  readonly check?: {
    /** The data set's name of the problem, e.g. "HumanEval/0". */
    readonly id: string;
    /** Name of the function that `test` calls. */
    readonly entryPoint: string;
    /** Program text that defines `check(candidate)`, which throws where the candidate is wrong. */
    readonly test: string;
  };
}

/** An image and its class. */
export interface LabelledImage {
  /** In pixels. */
  readonly width: number;
  /** In pixels. */
  readonly height: number;
  /** 1 (grey) or 3 (red, green, blue). */
  readonly channels: 1 | 3;
  /** `[height, width, channels]`, 0 to 255. */
  readonly pixels: Uint8Array;
  /** From 0. */
  readonly label: number;
}

/** The examples of each kind of task. */
export interface Contents {
  /** Texts with their class. */
  readonly understanding: ClassifiedText;
  /** Turns. */
  readonly dialogue: Conversation;
  /** Questions with final answers. */
  readonly math: Question;
  /** Specifications with programs. */
  readonly code: Program;
  /** Images with their class. */
  readonly vision: LabelledImage;
}

// Every family of tasks has contents.
const complete: Record<TaskFamily, unknown> = {} as Record<keyof Contents, unknown>;
void complete;
