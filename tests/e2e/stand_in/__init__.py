"""What only the stand-in SDK has: its look, its Markdown, and the way a person reaches it."""
