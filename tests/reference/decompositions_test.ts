import { createRandom } from "../../numerics/random.ts";
import { assertClose } from "../support/assert_close.ts";
import {
  inverse,
  pseudoInverse,
  solveSylvester,
  solveSylvesterByKronecker,
  solveSylvesterByMathjs,
  svd,
  sylvesterResidual,
  symmetricEigen,
} from "./decompositions.ts";
import {
  identity,
  type Matrix,
  matrix,
  multiply,
  product,
  randomMatrix,
  transpose,
  withSingularValues,
  zeros,
} from "./matrix.ts";

const random = createRandom(12);

/** A Gram matrix of the given rank, size and condition number, with its largest eigenvalue 1. */
function gram(size: number, condition: number, rank = size): Matrix {
  const values = Array.from({ length: rank }, (_, i) => condition ** (-i / Math.max(1, rank - 1) / 2));
  const factor = withSingularValues(size + 3, size, values, random.fork(`${size} ${condition} ${rank}`));
  return multiply(factor, factor, { transposeA: true });
}

function diagonal(values: readonly number[]): Matrix {
  return matrix(
    values.length,
    values.length,
    identity(values.length).data.map((one, i) => one * values[i % values.length]!),
  );
}

Deno.test("svd() and symmetricEigen() multiply back, whichever side is longer", () => {
  for (const [rows, columns] of [[1, 1], [7, 4], [4, 7]] as const) {
    const m = randomMatrix(rows, columns, random);
    const { u, values, v } = svd(m);
    assertClose(product(u, diagonal(values), transpose(v)).data, m.data, { relative: 1e-14 });
  }
  const symmetric = gram(6, 100);
  const { values, vectors } = symmetricEigen(symmetric);
  assertClose(product(vectors, diagonal(values), transpose(vectors)).data, symmetric.data, {
    relative: 1e-14,
  });
});

Deno.test("inverse() and pseudoInverse() agree where a matrix has full rank", () => {
  const m = gram(5, 1e4);
  assertClose(inverse(m).data, pseudoInverse(m, 1e-12).data, { relative: 1e-10 }); // a condition number of 1e4
  assertClose(multiply(inverse(m), m).data, identity(5).data, { relative: 1e-11 });
});

Deno.test("pseudoInverse() of a deficient matrix keeps Penrose's equations, and of zeros is zeros", () => {
  const m = withSingularValues(7, 4, [2, 0.5], random), p = pseudoInverse(m, 1e-10);
  assertClose(product(m, p, m).data, m.data, { relative: 1e-14 });
  assertClose(product(p, m, p).data, p.data, { relative: 1e-14 });
  assertClose(multiply(m, p).data, transpose(multiply(m, p)).data, { relative: 1e-14 });
  assertClose(pseudoInverse(zeros(3, 2), 1e-10).data, zeros(2, 3).data, { relative: 0 });
});

Deno.test("solveSylvester() leaves a residual below 1e-11 at condition numbers up to 1e4", () => {
  for (const rank of [1, 2, 3, 5, 8]) {
    for (const condition of [1, 10, 1e4]) {
      const p = gram(rank, condition), q = gram(rank, Math.sqrt(condition));
      const c = randomMatrix(rank, rank, random);
      const residual = sylvesterResidual(p, q, c, solveSylvester(p, q, c));
      assertClose([residual], [0], { relative: 0, absolute: 1e-11 }, `Rank ${rank}, condition ${condition}`);
    }
  }
});

Deno.test("solveSylvester() agrees with mathjs, refined, and with a Kronecker system", () => {
  for (const rank of [1, 2, 3, 5, 8]) {
    const p = gram(rank, 100), q = gram(rank, 5), c = randomMatrix(rank, rank, random);
    const x = solveSylvester(p, q, c);
    assertClose(solveSylvesterByMathjs(p, q, c).data, x.data, { relative: 1e-12 }, `Rank ${rank}, mathjs`);
    assertClose(
      solveSylvesterByKronecker(p, q, c).data,
      x.data,
      { relative: 1e-12 },
      `Rank ${rank}, Kronecker`,
    );
  }
});

Deno.test("solveSylvester() gives the solution of minimum norm where both coefficients are singular", () => {
  const p = gram(4, 3, 2), q = gram(4, 2, 3);
  const solution = randomMatrix(4, 4, random);
  // Without its part in the null space of X -> P X + X Q, a solution is the shortest one.
  const nullP = subtractFromIdentity(multiply(p, pseudoInverse(p, 1e-10)));
  const nullQ = subtractFromIdentity(multiply(q, pseudoInverse(q, 1e-10)));
  const unseen = product(nullP, solution, nullQ);
  const shortest = matrix(4, 4, solution.data.map((value, i) => value - unseen.data[i]!));
  const c = matrix(
    4,
    4,
    multiply(p, solution).data.map((value, i) => value + multiply(solution, q).data[i]!),
  );
  assertClose(solveSylvester(p, q, c).data, shortest.data, { relative: 1e-13 });
});

function subtractFromIdentity(m: Matrix): Matrix {
  return matrix(m.rows, m.rows, identity(m.rows).data.map((one, i) => one - m.data[i]!));
}
