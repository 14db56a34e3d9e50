"""The chaos harness's fixtures and marker."""

pytest_plugins = ["chaos.pytest_plugin"]
