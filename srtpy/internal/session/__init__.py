"""The shell around the core: threads, locks, waiting, dialling and accepting."""
