"""The language model that plans, chooses and answers, behind the OpenAI protocol."""
