"""Controls the browser: launch, route, visit, click, wait."""
