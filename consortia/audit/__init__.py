"""Evidence for people outside: packs exported from a node's journal, verified offline, shown as one page."""
