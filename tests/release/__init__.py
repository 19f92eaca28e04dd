"""Do the release check and the report state exactly what happened?"""
