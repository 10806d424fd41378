"""Keys, signatures, certificates and the signed documents that say who is who."""
