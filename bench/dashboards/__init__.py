"""How fast the dashboards answer over many keys and much usage: seeds a stack of its own, asks what the pages ask."""
