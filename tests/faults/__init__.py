"""Every kind of operation, at every point of its way, under every fault: nothing is lost and nothing happens twice."""
