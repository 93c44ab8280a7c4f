"""The web board: every job, chart and message of a site in a browser; fateflow over HTTP."""
