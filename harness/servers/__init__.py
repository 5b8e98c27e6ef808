"""The embedded servers on loopback: test page, session API, OpenAI API and CDN."""
