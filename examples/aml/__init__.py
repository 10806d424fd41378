"""Three banks look for customers who structure their cash deposits over several banks."""
