"""Makes things happen in a browser: launch, route, visit, click, wait."""
