"""The OpenAI side as far as a ChatKit page and its backend can see it."""

from harness.servers.openai_api.routes import make_openai_api

__all__ = ["make_openai_api"]
