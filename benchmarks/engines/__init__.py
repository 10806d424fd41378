"""One module an engine: what one of its three processes does with each workload."""
