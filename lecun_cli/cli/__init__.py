"""The command line: one file for each command, which parses arguments, calls the library and prints."""
