"""The test suite: unit (pure), plugin (sockets and processes), e2e (a real browser)."""
