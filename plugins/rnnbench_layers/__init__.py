"""The built-in layers that are no recurrence, one a file, each as a stranger's would be."""
