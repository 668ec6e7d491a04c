"""Files of every kind that people have, put through the whole pipeline and checked by an independent decoder."""
