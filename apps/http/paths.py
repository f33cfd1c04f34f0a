"""The paths of the service, apart from that of its files, which is in `hugginggpt/file_links.py`."""

API = "/api/v1"
HEALTH = f"{API}/health"
READY = f"{API}/ready"
ENTER = "/enter"
MANIFEST = "/manifest.json"
MCP = "/mcp"
