# How values cross between the program and its tests: as lines of JSON that stand for plain data and for nothing else, so
# that whatever an object of the program claims about itself, only data arrives.
from decimal import Decimal
from fractions import Fraction

# Integers are data at any length.
if hasattr(sys, "set_int_max_str_digits"):
    sys.set_int_max_str_digits(0)


class Malformed(Exception):
    pass


# Raises TypeError for what is no plain data. Of a subclass, such as Counter, the base's data cross.
def plain(value):
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {"dict": [[plain(key), plain(item)] for key, item in value.items()]}
    for kind in (tuple, set, frozenset):
        if isinstance(value, kind):
            return {kind.__name__: [plain(item) for item in value]}
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": value.hex()}
    if isinstance(value, complex):
        return {"complex": [value.real, value.imag]}
    if isinstance(value, Fraction):
        return {"fraction": [value.numerator, value.denominator]}
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    raise TypeError("no plain data: " + type(value).__name__)


# Makes a value of parts that are all of a kind.
def of(kind, make):
    def made(parts):
        if not all(type(part) is kind for part in parts):
            raise Malformed
        return make(*parts)

    return made


# By a value's kind: what it is written as, and how it is made again.
REBUILD = {
    "dict": (list, of(list, lambda *pairs: dict(pairs))),
    "tuple": (list, tuple),
    "set": (list, set),
    "frozenset": (list, frozenset),
    "bytes": (str, bytes.fromhex),
    "complex": (list, of(float, complex)),
    "fraction": (list, of(int, Fraction)),
    "decimal": (str, Decimal),
}


def rebuild(pairs):
    [(kind, written)] = pairs
    form, make = REBUILD[kind]
    if type(written) is not form:
        raise Malformed
    return make(written)


def send(message):
    line = json.dumps(message).encode("ascii") + b"\n"
    if len(line) > LONGEST:
        raise ValueError("more than crosses")
    outgoing.write(line)
    outgoing.flush()


# The next line's value, or None at the end. Raises Malformed for a line that is none of ours.
def receive():
    line = incoming.readline(LONGEST + 1)
    if line == b"":
        return None
    try:
        if not line.endswith(b"\n"):
            raise Malformed
        return json.loads(line.decode("utf-8"), object_pairs_hook=rebuild)
    except Exception:
        raise Malformed
