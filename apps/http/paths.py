"""The paths of the service."""

API = "/api/v1"
HEALTH = f"{API}/health"
READY = f"{API}/ready"
FILES = f"{API}/files"
ENTER = "/enter"
MCP = "/mcp"
