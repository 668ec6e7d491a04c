"""What Moviola needs of the world, as Protocols; `moviola.adapters` has the technology behind each."""
