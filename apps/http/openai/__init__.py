"""`/v1`: OpenAI's protocol, for chat applications and client libraries. The package `openai` itself is not needed."""
