"""What `doctor` looks at: each check is a row of `table.CHECKS`, with its cause and its mending."""
