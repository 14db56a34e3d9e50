"""Which version this is, and what it tells nodes of itself."""

VERSION = "0.1.0"
USER_AGENT = f"cronclave-client/{VERSION}"
