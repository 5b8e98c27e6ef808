"""What holds for every test: whatever has to come is awaited for as long as a very busy machine takes."""

from __future__ import annotations

from playwright.sync_api import expect

expect.set_options(timeout=120_000)
