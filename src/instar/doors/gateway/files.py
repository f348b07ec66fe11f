"""Files that come with a message: stored first, then named by a part of it."""

import base64
import binascii
from collections.abc import AsyncIterator

from instar.base.errors import InstarError
from instar.wire.gateway.methods.messaging import Attachment
from instar.wire.messages import UPLOAD, Part, PartKind, Upload, Uploaded

from .call import Call

OCTETS = "application/octet-stream"
_KINDS = {"image": PartKind.IMAGE, "audio": PartKind.AUDIO}


async def parts_of(call: Call, text: str, attachments: tuple[Attachment, ...]) -> list[Part]:
    """Return a message's parts: its text, then its files, which are stored by now.

    Raises:
        InstarError: `bad_request` for what is no base64; what `blobs.upload` raises.
    """
    parts = [Part(PartKind.TEXT, text)] if text else []
    return parts + [await _stored(call, attachment) for attachment in attachments]


async def _stored(call: Call, attachment: Attachment) -> Part:
    content, media_type = attachment.content, attachment.mime_type
    if content.startswith("data:"):
        head, _, content = content.removeprefix("data:").partition(",")
        media_type = media_type or head.removesuffix(";base64")
    try:
        stored = base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InstarError("bad_request", f"attachment {attachment.file_name!r} is not base64: {error}") from None
    upload = Upload(filename=attachment.file_name, media_type=media_type or OCTETS)

    async def body() -> AsyncIterator[bytes]:
        yield stored

    done: Uploaded = await call.hub.invoke(call.caller, UPLOAD, upload, request_id=call.request_id, body=body)
    kind = _KINDS.get(done.media_type.partition("/")[0], PartKind.FILE)
    return Part(kind, media_type=done.media_type, filename=done.filename, blob=done.blob)
