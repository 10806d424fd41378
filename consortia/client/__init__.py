"""What an analyst's program uses: connect, explain, run, collect."""
