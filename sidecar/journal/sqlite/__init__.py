"""How is a journal kept in one SQLite file, for one process?"""
