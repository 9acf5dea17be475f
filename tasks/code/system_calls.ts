/** @file What a Python program may ask of the kernel, as a filter that the kernel runs: all else it refuses. */

/**
 * By name, its number on x86-64 and on AArch64, null where there is no such call: what an interpreter needs to compute, to
 * read what it may read, to write to what is open, and to end.
 *
 * Not among them: processes and threads (clone, fork, execve), signals to others (kill), sockets, shared memory and
 * message queues, keys, namespaces and mounts, ptrace, timers, what changes files or limits, and io_uring.
 *
 * Source: Linux's unistd_64.h and asm-generic/unistd.h; such numbers never change.
 */
const ALLOWED: readonly (readonly [name: string, x86: number, arm: number | null])[] = [
  ["read", 0, 63],
  ["write", 1, 64],
  ["readv", 19, 65],
  ["writev", 20, 66],
  ["pread64", 17, 67],
  ["close", 3, 57],
  ["dup", 32, 23],
  ["dup2", 33, null],
  ["dup3", 292, 24],
  ["lseek", 8, 62],
  ["fcntl", 72, 25],
  ["ioctl", 16, 29],
  ["open", 2, null],
  ["openat", 257, 56],
  ["stat", 4, null],
  ["fstat", 5, 80],
  ["lstat", 6, null],
  ["newfstatat", 262, 79],
  ["statx", 332, 291],
  ["access", 21, null],
  ["faccessat", 269, 48],
  ["faccessat2", 439, 439],
  ["readlink", 89, null],
  ["readlinkat", 267, 78],
  ["getcwd", 79, 17],
  ["getdents64", 217, 61],
  ["mmap", 9, 222],
  ["mprotect", 10, 226],
  ["munmap", 11, 215],
  ["mremap", 25, 216],
  ["madvise", 28, 233],
  ["brk", 12, 214],
  ["futex", 202, 98],
  ["set_robust_list", 273, 99],
  ["rseq", 334, 293],
  ["membarrier", 324, 283],
  ["sched_yield", 24, 124],
  ["sched_getaffinity", 204, 123],
  ["rt_sigaction", 13, 134],
  ["rt_sigprocmask", 14, 135],
  ["rt_sigreturn", 15, 139],
  ["sigaltstack", 131, 132],
  ["restart_syscall", 219, 128],
  ["exit", 60, 93],
  ["exit_group", 231, 94],
  ["getpid", 39, 172],
  ["getppid", 110, 173],
  ["gettid", 186, 178],
  ["getuid", 102, 174],
  ["geteuid", 107, 175],
  ["getgid", 104, 176],
  ["getegid", 108, 177],
  ["uname", 63, 160],
  ["sysinfo", 99, 179],
  ["times", 100, 153],
  ["getrusage", 98, 165],
  ["time", 201, null],
  ["gettimeofday", 96, 169],
  ["clock_gettime", 228, 113],
  ["clock_getres", 229, 114],
  ["clock_nanosleep", 230, 115],
  ["nanosleep", 35, 101],
  ["getrandom", 318, 278],
];

/** Instructions of classic BPF: load a word of the call's description, compare and jump, return. */
const LOAD = 0x20, JUMP_IF_EQUAL = 0x15, RETURN = 0x06;
/** Where its description has a call's number, and the machine whose numbers it uses. */
const NUMBER_AT = 0, MACHINE_AT = 4;
/** What the kernel does: run the call, fail it with EPERM, or end the process. */
const ALLOW = 0x7fff0000, REFUSE = 0x00050001, KILL = 0x80000000;
/** The machine in the call's description: a 64-bit process of this kind, and no other. */
const MACHINE = { x86_64: 0xc000003e, aarch64: 0xc00000b7 } as const;

/** A seccomp filter for one kind of machine: instructions of 8 bytes, in little-endian order as both kinds have it. */
export function systemCallFilter(machine: typeof Deno.build.arch): Uint8Array {
  const numbers = ALLOWED.map(([, x86, arm]) => machine === "x86_64" ? x86 : arm).filter((number) =>
    number !== null
  );
  const instructions: [code: number, ifEqual: number, ifNot: number, operand: number][] = [
    [LOAD, 0, 0, MACHINE_AT],
    [JUMP_IF_EQUAL, 1, 0, MACHINE[machine]],
    [RETURN, 0, 0, KILL],
    [LOAD, 0, 0, NUMBER_AT],
    // Over the comparisons that are left, and the refusal behind them.
    ...numbers.map((number, i): [number, number, number, number] => [
      JUMP_IF_EQUAL,
      numbers.length - i,
      0,
      number,
    ]),
    [RETURN, 0, 0, REFUSE],
    [RETURN, 0, 0, ALLOW],
  ];
  const bytes = new Uint8Array(8 * instructions.length), view = new DataView(bytes.buffer);
  for (const [i, [code, ifEqual, ifNot, operand]] of instructions.entries()) {
    view.setUint16(8 * i, code, true);
    view.setUint8(8 * i + 2, ifEqual);
    view.setUint8(8 * i + 3, ifNot);
    view.setUint32(8 * i + 4, operand, true);
  }
  return bytes;
}
