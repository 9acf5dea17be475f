/** @file Expressions over x and y: as trees, as JavaScript, and as numbers. */

/** What takes two values to one. `**` only ever squares. */
export type Operator = "+" | "-" | "*" | "%" | "**" | "<" | ">" | "==";

/** A tree over the parameters x and y and whole numbers. */
export type Expression =
  | number
  | "x"
  | "y"
  | { readonly operator: Operator; readonly left: Expression; readonly right: Expression }
  | { readonly condition: Expression; readonly then: Expression; readonly otherwise: Expression };

/** How tightly operators bind, in JavaScript's order. */
const PRECEDENCE: Readonly<Record<Operator | "?", number>> = {
  "?": 1,
  "==": 2,
  "<": 3,
  ">": 3,
  "+": 4,
  "-": 4,
  "*": 5,
  "%": 5,
  "**": 6,
};
/** Numbers and parameters bind tightest. */
const TIGHTEST = 7;

/** `left` and `right` under an operator. */
export function binary(operator: Operator, left: Expression, right: Expression): Expression {
  return { operator, left, right };
}

/** `then` where the condition is true, else `otherwise`. */
export function choice(condition: Expression, then: Expression, otherwise: Expression): Expression {
  return { condition, then, otherwise };
}

/** The larger of two values that are cheap to say twice, e.g. "x>5?x:5". */
export function larger(left: Expression, right: Expression): Expression {
  return choice(binary(">", left, right), left, right);
}

/** The smaller of two values, e.g. "x<5?x:5". */
export function smaller(left: Expression, right: Expression): Expression {
  return choice(binary("<", left, right), left, right);
}

/** An expression in JavaScript, with no parentheses but those needed, e.g. "2*(x+3)". */
export function toJavaScript(expression: Expression): string {
  if (typeof expression !== "object") return String(expression);
  // Operators of one precedence group from the left, so that only an operand on the right must bind tighter.
  const within = (part: Expression, tighterThan: number) =>
    precedence(part) > tighterThan ? toJavaScript(part) : `(${toJavaScript(part)})`;
  if ("condition" in expression) {
    const own = PRECEDENCE["?"];
    const { condition, then, otherwise } = expression;
    return `${within(condition, own)}?${within(then, own)}:${within(otherwise, own)}`;
  }
  const { operator, left, right } = expression, own = PRECEDENCE[operator];
  // What is squared needs parentheses unless it is a leaf: powers group from the right.
  return `${within(left, operator === "**" ? own : own - 1)}${operator}${within(right, own)}`;
}

/** What an expression gives, as JavaScript would: remainders have the sign of what is divided. */
export function evaluate(expression: Expression, x: number, y: number): number | boolean {
  if (typeof expression === "number") return expression;
  if (expression === "x") return x;
  if (expression === "y") return y;
  if ("condition" in expression) {
    const { condition, then, otherwise } = expression;
    return evaluate(evaluate(condition, x, y) ? then : otherwise, x, y);
  }
  const left = Number(evaluate(expression.left, x, y)), right = Number(evaluate(expression.right, x, y));
  switch (expression.operator) {
    case "+":
      return left + right;
    case "-":
      return left - right;
    case "*":
      return left * right;
    case "%":
      return left % right;
    case "**":
      return left ** right;
    case "<":
      return left < right;
    case ">":
      return left > right;
    case "==":
      return left === right;
  }
}

function precedence(expression: Expression): number {
  if (typeof expression !== "object") return TIGHTEST;
  return "condition" in expression ? PRECEDENCE["?"] : PRECEDENCE[expression.operator];
}
