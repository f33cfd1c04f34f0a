"""Problems with bytes, found where the file's name is not known."""


class ContentProblem(Exception):
    """Bytes that cannot be used. The message is the end of a sentence that starts with the file's name."""


def too_large(allowed: int) -> str:
    """The end of the sentence about a file over the size limit, in bytes."""
    return f"is larger than the {allowed} bytes that HUGGINGGPT_MAX_FILE_BYTES allows; make it smaller"


def too_much_memory(needed: int, allowed: int) -> str:
    """The end of the sentence about a file that takes too much memory when it is decoded, in bytes."""
    return (
        f"takes {needed} bytes of memory when it is decoded, more than the {allowed} that "
        "HUGGINGGPT_MAX_DECODED_BYTES allows; make it smaller"
    )
