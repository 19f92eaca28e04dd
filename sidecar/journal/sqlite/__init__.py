"""How is a journal kept in one SQLite file, for one process?

`journal` batches appends into commits and owns the threads; `file` has the reader and the writer of the file, `schema`
its tables by version, `links` its chain, `lock` the exclusive lock, and `failures` the messages for errors. Outside a
running sidecar, `verification` verifies a file, and `backup` copies and restores it.
"""
