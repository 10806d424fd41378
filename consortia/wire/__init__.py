"""The control plane's protobuf messages and generated stubs, nothing else."""
