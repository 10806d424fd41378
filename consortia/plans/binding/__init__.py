"""Names and relations: what stands in FROM, WHERE, set operations and windows, bound to relation trees."""
