"""What should the flag do now, and what is missing before it may climb?"""
