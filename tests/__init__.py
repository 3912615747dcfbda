"""The tests of srtpy; a package, so that tests share their tools by name."""
