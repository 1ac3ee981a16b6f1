"""The commands `rvsam-video distill`: embed, train, evaluate and export, a file each."""
