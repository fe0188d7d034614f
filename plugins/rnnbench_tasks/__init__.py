"""The built-in tasks, one a file; each is a plugin as a third party's would be."""
