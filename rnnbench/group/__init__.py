"""Networks of one shape that train as members of one program."""
