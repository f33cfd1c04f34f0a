"""What a decoder found wrong, before it is known which file to name."""


class ContentProblem(Exception):
    """Bytes that cannot be used. The message continues a sentence that starts with the file's name."""
