"""The command line: thin over the API; imports little more than click until a command runs."""
