"""What the real ChatKit does, as assertions about whichever SDK is configured."""
