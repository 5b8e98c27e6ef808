"""OpenAI's API, as a ChatKit page and its backend see it."""

from harness.servers.openai_api.routes import make_openai_api

__all__ = ["make_openai_api"]
