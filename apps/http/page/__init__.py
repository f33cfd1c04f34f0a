"""The page of the service, by Gradio: ask, watch the plan, see and hear the results, and go on talking."""
