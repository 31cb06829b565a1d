"""Where bytes go: a local file, a stream, or nowhere."""
