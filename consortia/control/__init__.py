"""The control plane between nodes, analysts' clients and the coordinator: message shapes, phases, one stream."""
