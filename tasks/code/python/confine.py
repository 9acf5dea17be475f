# Runs first in the sandbox, ahead of values.py and of one side: takes away what bubblewrap does not, for good, and leaves
# two streams of lines to the other side. What the code after it prints goes nowhere, and it reads nothing.
import ctypes, json, os, resource, struct, sys

# Bytes of a line: what a function is called with and what it returns.
LONGEST = 4 * 2**20


def confine(seconds, memory, system_calls):
    for what, limit in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        resource.setrlimit(what, (limit, limit))
    instructions = ctypes.create_string_buffer(system_calls, len(system_calls))
    program = struct.pack("HP", len(system_calls) // 8, ctypes.addressof(instructions))
    libc = ctypes.CDLL(None, use_errno=True)
    # PR_SET_SECCOMP, SECCOMP_MODE_FILTER. Bubblewrap has set PR_SET_NO_NEW_PRIVS, which this needs.
    if libc.prctl(ctypes.c_int(22), ctypes.c_ulong(2), ctypes.c_char_p(program)) != 0:
        raise OSError(ctypes.get_errno(), "the kernel takes no filter of system calls")


def streams():
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open("/dev/null", os.O_RDWR)
    for standard in range(3):
        os.dup2(nowhere, standard)
    return incoming, outgoing


# Before the streams: why it could not be confined is told on standard error.
confine(int(sys.argv[1]), int(sys.argv[2]), bytes.fromhex(sys.argv[3]))
incoming, outgoing = streams()
