"""What do the counts prove? Evidence, alarms and coverage of each indicator."""
