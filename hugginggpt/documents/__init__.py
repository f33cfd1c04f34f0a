"""Documents: bytes in, what is in them out.

`read` gives the text, page by page, and the tables; `picture` shows a page. Both work in a process of their own with
limits on its time and memory, because the parsers are large and the documents come from anywhere.
"""

from hugginggpt.documents.model import FORMATS, Contents, DocumentFormat, Limits, Page
from hugginggpt.documents.reading import picture, read
from hugginggpt.documents.speech import words

__all__ = ["FORMATS", "Contents", "DocumentFormat", "Limits", "Page", "picture", "read", "words"]
