"""The tools that run no programs: files, searches, pages of the web."""
