"""Numbers that go round in a circle, and sets of ranges of them."""
