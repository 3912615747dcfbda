"""Tools that tests share: a lossy proxy, peers of flesh and blood."""
