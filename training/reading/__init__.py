"""The reader's training data: documents with questions, laid out as pages and read as OCR reads them.

A hand-written template (`templates`) gets values (`values`) and becomes a document (`documents`), which is set as a
page (`layout`, `page`, `fonts`) or as plain text (`renderings`). Every character keeps its origin (`traced`), so that
answers are found again in what OCR makes of the page: real pages were drawn (`pictures`) and read (`ocr`,
`read_pages`), and their mistakes counted (`mistakes`) to be made on all others. `samples` asks the templates' questions
and further ones (`questions`) and writes the data; `evaluation` makes the test set, of pages that have nothing to do
with all this.
"""
