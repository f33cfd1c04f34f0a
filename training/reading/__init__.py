"""The reader's training data: documents with questions, laid out as pages and read as OCR reads them."""
