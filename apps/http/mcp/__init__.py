"""The door for MCP hosts, such as desktop assistants and editors: `/mcp` of the service, and `hugginggpt mcp`.

fastmcp takes seconds to import. All modules but `door` and `models` import it: import them where they are used, after
`prepare`.
"""

import os

MISSING = "MCP needs a package that is not installed: `pip install 'hugginggpt[mcp]'`."


def prepare() -> None:
    """Keep fastmcp, which is about to be imported, from asking for updates, and its log to errors."""
    for name, value in {
        "FASTMCP_CHECK_FOR_UPDATES": "off",
        "FASTMCP_ENABLE_RICH_LOGGING": "false",
        "FASTMCP_ENV_FILE": os.devnull,  # not whatever .env there is where this runs
        "FASTMCP_LOG_LEVEL": "ERROR",
        "FASTMCP_TELEMETRY_MODE": "off",
    }.items():
        os.environ.setdefault(name, value)
