"""Files on their way into a message: protocol facts §1.8, §2.2, §2.6, §4 and §5.3."""

from __future__ import annotations

import json

from conformance.client_secrets import EMPTY_PAGE, EMPTY_STREAM, Api, make_secret, operation_of
from conformance.events import answer, page
from conformance.host import Host
from conformance.server import Answer, HostServer

FILE = "new File(['leaf'], 'tea.txt', { type: 'text/plain' })"
ATTACH = f"() => chat.setComposerValue({{ text: 'look', files: [{FILE}] }})"
ATTACHMENT = {"id": "atc_1", "type": "file", "name": "tea.txt", "mime_type": "text/plain"}
ENABLED = "composer: { attachments: { enabled: true } }"


def test_two_phase_upload(host: Host, server: HostServer) -> None:
    """§5.3: created first, then sent to where the backend says, with its headers; the message carries the id."""
    to = {"url": f"{server.url}/upload/1", "method": "PUT", "headers": {"x-upload": "yes"}}
    server.on("attachments.create", Answer(json=ATTACHMENT | {"upload_descriptor": to}))
    server.on("/upload/1", Answer(json={}))
    server.on("threads.create", answer(asked="look"))
    host.boot(host.custom(ENABLED, "uploadStrategy: { type: 'two_phase' }"))
    host.evaluate(ATTACH)
    host.button("Send message").click()
    host.wait_for_event("response.end")
    (created,) = server.requests_of("attachments.create")
    assert created.params == {"name": "tea.txt", "size": 4, "mime_type": "text/plain"}, "§5.1"
    uploads = [request for request in server.requests if request.path == "/upload/1"]
    assert [(request.raw, request.headers["x-upload"]) for request in uploads] == [(b"leaf", "yes")], "§5.3"
    assert server.requests_of("threads.create")[0].params["input"]["attachments"] == ["atc_1"], "§5.1"
    assert "log:attachment.upload" in host.names(), "§1.9"


def test_direct_upload(host: Host, server: HostServer) -> None:
    """§2.2, §5.3: one multipart POST with the field `file`, made by the host page; its answer is the attachment."""
    server.on("/upload", Answer(json=ATTACHMENT))
    server.on("threads.create", answer(asked="look"))
    host.boot(host.custom(ENABLED, "uploadStrategy: { type: 'direct', uploadUrl: '/upload' }"))
    host.evaluate(ATTACH)
    host.button("Send message").click()
    host.wait_for_event("response.end")
    (upload,) = [request for request in server.requests if request.path == "/upload"]
    assert upload.headers["content-type"].startswith("multipart/form-data"), "§2.2"
    assert upload.headers["origin"] == server.url, "§2.2"
    assert b'name="file"; filename="tea.txt"' in upload.raw, "§5.3"
    assert server.requests_of("threads.create")[0].params["input"]["attachments"] == ["atc_1"], "§5.1"


def test_upload_that_fails(host: Host, server: HostServer) -> None:
    """§2.6: a FileAttachmentError, and the message can be sent without the file."""
    server.on("/upload", Answer(status=500, json={}))
    server.on("threads.list", Answer(json=page()))
    host.boot(host.custom(ENABLED, "uploadStrategy: { type: 'direct', uploadUrl: '/upload' }"))
    host.evaluate(f"() => {{ chat.setComposerValue({{ files: [{FILE}] }}).catch(() => {{}}); }}")
    host.wait_for_event("error")
    ((name, message),) = host.errors()
    assert name == "FileAttachmentError", "§2.6"
    assert message.startswith("Failed to upload file"), "§2.6"


def test_hosted_upload(host: Host) -> None:
    """§4: the frame sends the file itself, with the secret and the ids; the answer is the attachment."""
    api = Api(host.page.context)
    answers = {"threads.list": {"json": EMPTY_PAGE}, "threads.create": EMPTY_STREAM}
    api.answer = lambda request: (
        {"json": ATTACHMENT} if request.url.endswith("/files") else answers[operation_of(request)]
    )
    secret = make_secret()
    host.boot(f"{{ api: {{ getClientSecret: async () => {json.dumps(secret)} }}, disableTelemetry: true, {ENABLED} }}")
    host.evaluate(ATTACH)
    host.button("Send message").click()
    host.wait_for_event("response.end")
    (upload,) = api.of("files")
    assert upload.headers["authorization"] == f"Bearer {secret}", "§4"
    assert {"chatkit-device-id", "chatkit-frame-instance-id"} <= set(upload.headers), "§4"
    assert upload.headers["content-type"].startswith("multipart/form-data"), "§4"
    assert b'name="file"; filename="tea.txt"' in (upload.post_data_buffer or b""), "§4"
    sent = next(request for request in api.of("conversation") if operation_of(request) == "threads.create")
    assert sent.post_data_json["params"]["input"]["attachments"] == ["atc_1"], "§5.1"
