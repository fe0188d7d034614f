"""The built-in layers that are no recurrence, one a file, each a plugin as a stranger's would be."""
