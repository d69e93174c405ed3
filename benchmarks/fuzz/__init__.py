"""Fuzzing of saved files: damaged, absurd and hostile ones, by the thousand (`make fuzz`)."""
