"""Image fusions: how several images become one more input channel."""
