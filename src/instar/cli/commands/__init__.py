"""One module a command, or a noun's commands; each holds a `COMMAND` and is imported when it is used."""
