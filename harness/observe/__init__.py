"""Records the events of the browser, without judging them."""
