"""Takes files: out of a multipart form (RFC 7578), as a browser sends it, or as the body of a PUT.

In: a request. Out: the file, byte for byte. Python's `email` would take the lines of a form's file apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser

from starlette.requests import Request
from starlette.responses import Response

from harness.servers.chat.store import ChatStore

FIELD = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file of a form."""

    name: str
    mime_type: str
    content: bytes


def upload_of(content_type: str, body: bytes) -> Upload | None:
    """Return the file in the form's field `file`, None when there is none or it is no form."""
    form = Message()
    form["content-type"] = content_type
    boundary = form.get_boundary()
    if boundary is None:
        return None
    for part in body.split(b"--" + boundary.encode())[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        headers = HeaderParser().parsestr(head.decode("utf-8", "replace").strip())
        if headers.get_param("name", header="content-disposition") == FIELD:
            name = headers.get_filename("upload")
            mime_type = headers.get_content_type() if "content-type" in headers else "application/octet-stream"
            return Upload(name=name, mime_type=mime_type, content=content.removesuffix(b"\r\n"))
    return None


async def content_answer(request: Request, store: ChatStore, attachment_id: str) -> Response | None:
    """Keep the content of an announced attachment (PUT), or return it (GET); None when there is none of this id."""
    attachment = store.attachments.get(attachment_id)
    if attachment is None:
        return None
    if request.method == "PUT":
        store.uploads[attachment_id] = await request.body()
        attachment.pop("upload_descriptor", None)
        return Response(status_code=200)
    if attachment_id not in store.uploads:
        return None
    return Response(store.uploads[attachment_id], media_type=attachment["mime_type"])
