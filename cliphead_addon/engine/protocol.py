"""Messages between Blender and the worker: four bytes of length, big endian, then one JSON object in UTF-8.

Every message has a "type". Blender sends the jobs (generate, unwrap, express, rig, reshape, adapt), cancel, ping and
shutdown; the worker sends hello, progress, preview, result, error and pong. Messages about a job carry its "id". Arrays never
travel here but as files (`jobfiles`).
"""

import json
import struct

from .errors import ClipHeadError

VERSION = 2
LIMIT = 1 << 20  # bytes of one message; a prompt of 2,000 words is about 20,000
HEADER = struct.Struct(">I")


class ProtocolError(ClipHeadError):
    """The bytes are not a message."""

    code = "PROTOCOL"


def write(stream, message):
    """Send one message, a dict with a "type", through a binary stream."""
    try:
        body = json.dumps(message, separators=(",", ":"), allow_nan=False).encode()
    except ValueError as error:
        raise ProtocolError(f"A message holds a number that is not finite: {error}. Give finite numbers.") from error
    if len(body) > LIMIT:
        raise ProtocolError(f"A message of {len(body):,} bytes is longer than the {LIMIT:,} allowed. Shorten the prompt.")
    stream.write(HEADER.pack(len(body)) + body)
    stream.flush()


def read(stream):
    """The next message of a blocking binary stream, or None at its end."""
    header = stream.read(HEADER.size)
    if not header:
        return None
    if len(header) < HEADER.size:
        raise ProtocolError("The stream ended inside a message's length.")
    (size,) = HEADER.unpack(header)
    if not 0 < size <= LIMIT:
        raise ProtocolError(f"A message claims {size:,} bytes; 1 to {LIMIT:,} are allowed.")
    body = stream.read(size)
    if len(body) < size:
        raise ProtocolError(f"The stream ended after {len(body):,} of a message's {size:,} bytes.")
    try:
        message = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"A message is not JSON: {error}") from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise ProtocolError('A message is not an object with a "type".')
    return message


def _refuse(constant):
    raise ValueError(f"{constant} is not a number")
