"""Whether one network is another, and why not: over graphs alone."""
