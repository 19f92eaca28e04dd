"""Do the gate and the report tell what was, and nothing that was not?"""
