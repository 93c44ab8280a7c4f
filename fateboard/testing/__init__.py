"""For tests of the board alone; nothing of it is used when the board runs."""
