"""What the protocol lets calls leave out: the objects around a text, and the names of what is in a list."""

PARTS = {"text": "text", "input_text": "text", "output_text": "text"} | {
    kind: kind for kind in ("image_url", "input_image", "input_audio", "file", "input_file")
}
"""The parts of messages that are read here, by their types."""


def as_url(given: object) -> object:
    """A picture's address as an object."""
    return {"url": given} if isinstance(given, str) else given


def as_parts(given: object) -> object:
    """The content of a message as a list of parts."""
    if isinstance(given, str):
        return [{"type": "text", "text": given}]
    if given is not None and not isinstance(given, list):
        raise ValueError("has to be a text or a list of parts")
    return given or []


def as_messages(given: object) -> object:
    """The input of a response as a list of items."""
    return [{"role": "user", "content": given}] if isinstance(given, str) else given


def part_tag(part: object) -> str:
    """Which model a part has."""
    kind = part.get("type") if isinstance(part, dict) else None
    return PARTS.get(kind, "other") if isinstance(kind, str) else "other"


def item_tag(item: object) -> str:
    """Which model an item of a list of messages has."""
    is_other = isinstance(item, dict) and "role" not in item and isinstance(item.get("type"), str)
    return "other" if is_other else "message"
