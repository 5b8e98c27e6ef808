"""What a ChatKit frame may ask of its backend: sixteen operations, read as the server library reads them.

In: the JSON body `{type, params, metadata?}`. Out: one of the operations, or a `FieldError`. As in the library, fields
that are not known are ignored, and an optional field may be null.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.servers.fields import Fields, unsupported

Json = dict[str, Any]

PAGE_SIZE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class UserInput:
    """A message as the composer sends it; `content` and `inference_options` in the shapes of the thread's items."""

    content: tuple[Json, ...]
    attachments: tuple[str, ...]  # ids
    quoted_text: str | None
    inference_options: Json

    @property
    def text(self) -> str:
        """What the person wrote, tags included."""
        return " ".join(part["text"] for part in self.content)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateThread:
    """`threads.create`: a first message."""

    input: UserInput


@dataclass(frozen=True, slots=True, kw_only=True)
class AddUserMessage:
    """`threads.add_user_message`: a further message."""

    thread_id: str
    input: UserInput


@dataclass(frozen=True, slots=True, kw_only=True)
class AddClientToolOutput:
    """`threads.add_client_tool_output`: what the page's tool returned, any JSON."""

    thread_id: str
    result: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class AddStructuredInput:
    """`threads.add_structured_input`: answers to a form; `answers` holds `{values, skipped}` by question."""

    thread_id: str
    item_id: str
    status: str  # "answered" | "skipped"
    answers: dict[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryAfterItem:
    """`threads.retry_after_item`: forget what follows a user message, and answer it again."""

    thread_id: str
    item_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomAction:
    """`threads.custom_action`: somebody pressed something in a widget; the answer is a stream."""

    thread_id: str
    item_id: str | None
    action: Json  # {type, payload}


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncCustomAction:
    """`threads.sync_custom_action`: the same, answered with one item."""

    thread_id: str
    item_id: str | None
    action: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class ListThreads:
    """`threads.list`."""

    limit: int
    order: str  # "asc" | "desc"
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetThread:
    """`threads.get_by_id`: a thread with the first page of its items."""

    thread_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateThread:
    """`threads.update`: another title."""

    thread_id: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteThread:
    """`threads.delete`."""

    thread_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListItems:
    """`items.list`."""

    thread_id: str
    limit: int
    order: str
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveFeedback:
    """`items.feedback`: thumbs up or down."""

    thread_id: str
    item_ids: tuple[str, ...]
    kind: str  # "positive" | "negative"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateAttachment:
    """`attachments.create`: announces a file of `size_bytes`."""

    name: str
    size_bytes: int
    mime_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteAttachment:
    """`attachments.delete`."""

    attachment_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcribe:
    """`input.transcribe`: speech to text."""

    audio_base64: str
    mime_type: str


StreamOperation = (
    CreateThread | AddUserMessage | AddClientToolOutput | AddStructuredInput | RetryAfterItem | CustomAction
)
JsonOperation = (
    SyncCustomAction
    | ListThreads
    | GetThread
    | UpdateThread
    | DeleteThread
    | ListItems
    | GiveFeedback
    | CreateAttachment
    | DeleteAttachment
    | Transcribe
)
Operation = StreamOperation | JsonOperation


def operation_of(body: Any) -> Operation:
    """Return the operation of a request's body. Raises FieldError for an unknown type or a parameter that is wrong."""
    request = Fields(body, allows_null=True)
    if request.has("metadata"):
        request.table("metadata")
    kind = request.text("type")
    read = READERS.get(kind)
    if read is None:
        raise unsupported("type", kind, tuple(READERS))
    return read(request.table("params"))


def _user_input(fields: Fields) -> UserInput:
    options = fields.table("inference_options")
    return UserInput(
        content=tuple(_content(part) for part in fields.tables("content")),
        attachments=fields.texts("attachments"),
        quoted_text=fields.text_or_none("quoted_text"),
        inference_options=_inference_options(options),
    )


def _inference_options(fields: Fields) -> Json:
    options: Json = {}
    if fields.is_given("tool_choice"):
        options["tool_choice"] = {"id": fields.table("tool_choice").text("id")}
    if fields.is_given("model"):
        options["model"] = fields.text("model")
    return options


def _content(part: Fields) -> Json:
    match part.text("type", one_of=("input_text", "input_tag")):
        case "input_text":
            return {"type": "input_text", "text": part.text("text")}
        case _:
            group = part.text_or_none("group")
            return {
                "type": "input_tag",
                "id": part.text("id"),
                "text": part.text("text"),
                "data": part.mapping("data"),
                **({} if group is None else {"group": group}),
                "interactive": part.flag_or("interactive", False),
            }


def _answers(fields: Fields) -> dict[str, Json]:
    if not fields.has("answers"):
        return {}
    answers = fields.table("answers")
    return {name: _answer(answers.table(name)) for name in fields.mapping("answers")}


def _answer(fields: Fields) -> Json:
    values = fields.texts("values") if fields.has("values") else ()
    return {"values": list(values), "skipped": fields.flag_or("skipped", False)}


def _action(fields: Fields) -> Json:
    action = fields.table("action")
    # The library's type has a default that it cannot mean: without one the action is unknown, not malformed.
    return {
        "type": action.text_or("type", ""),
        "payload": action.anything("payload") if action.has("payload") else None,
    }


def _structured_input(fields: Fields) -> AddStructuredInput:
    submission = fields.table("input")
    return AddStructuredInput(
        thread_id=fields.text("thread_id"),
        item_id=fields.text("item_id"),
        status=submission.text_or("status", "answered", one_of=("answered", "skipped")),
        answers=_answers(submission),
    )


def _limit(fields: Fields) -> int:
    return fields.integer_or_none("limit") or PAGE_SIZE


def _order(fields: Fields) -> str:
    return fields.text_or("order", "desc", one_of=("asc", "desc"))


READERS: dict[str, Callable[[Fields], Operation]] = {
    "threads.create": lambda p: CreateThread(input=_user_input(p.table("input"))),
    "threads.add_user_message": lambda p: AddUserMessage(
        thread_id=p.text("thread_id"), input=_user_input(p.table("input"))
    ),
    "threads.add_client_tool_output": lambda p: AddClientToolOutput(
        thread_id=p.text("thread_id"), result=p.anything("result")
    ),
    "threads.add_structured_input": _structured_input,
    "threads.retry_after_item": lambda p: RetryAfterItem(thread_id=p.text("thread_id"), item_id=p.text("item_id")),
    "threads.custom_action": lambda p: CustomAction(
        thread_id=p.text("thread_id"), item_id=p.text_or_none("item_id"), action=_action(p)
    ),
    "threads.sync_custom_action": lambda p: SyncCustomAction(
        thread_id=p.text("thread_id"), item_id=p.text_or_none("item_id"), action=_action(p)
    ),
    "threads.list": lambda p: ListThreads(limit=_limit(p), order=_order(p), after=p.text_or_none("after")),
    "threads.get_by_id": lambda p: GetThread(thread_id=p.text("thread_id")),
    "threads.update": lambda p: UpdateThread(thread_id=p.text("thread_id"), title=p.text("title")),
    "threads.delete": lambda p: DeleteThread(thread_id=p.text("thread_id")),
    "items.list": lambda p: ListItems(
        thread_id=p.text("thread_id"), limit=_limit(p), order=_order(p), after=p.text_or_none("after")
    ),
    "items.feedback": lambda p: GiveFeedback(
        thread_id=p.text("thread_id"),
        item_ids=p.texts("item_ids"),
        kind=p.text("kind", one_of=("positive", "negative")),
    ),
    "attachments.create": lambda p: CreateAttachment(
        name=p.text("name"), size_bytes=p.integer("size"), mime_type=p.text("mime_type")
    ),
    "attachments.delete": lambda p: DeleteAttachment(attachment_id=p.text("attachment_id")),
    "input.transcribe": lambda p: Transcribe(audio_base64=p.text("audio_base64"), mime_type=p.text("mime_type")),
}
