"""Coverage-guided fuzzing of the compiled core; see docs/fuzzing.md."""
