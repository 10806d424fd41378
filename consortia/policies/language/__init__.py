"""The policy file: its schema, its reader, its plain-English reading."""
