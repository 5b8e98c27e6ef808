"""The backend of a chat, as `openai-chatkit` serves it: requests, threads, stream events, and scripted replies.

The hosted API and the custom backend both stand on it. Only `sse` knows HTTP.
"""
