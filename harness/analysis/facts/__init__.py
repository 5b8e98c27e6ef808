"""What is known of one visit, in the shape that rules ask for."""
