"""A virtual world: time that jumps, links that lose, ends that never sleep."""
