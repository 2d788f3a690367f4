"""What every stage of labelwright shares. Imports neither torch nor any stage."""

__version__ = "0.1.0"
