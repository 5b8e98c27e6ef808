"""The embedded default: test page, session API, OpenAI API and CDN, on loopback."""
